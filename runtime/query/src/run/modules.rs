//! Modules, admitted and compiled.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use weir_sandbox::{Engine, Module, Refusal, TenantId};

use super::error::BuildError;
use super::ids::{Nodes, StageId};
use weir_plan::{Plan, StagePlan};

/// How long a query waits for optimised code before it starts with what there is: a stage keeps its code for as long as it
/// keeps its instance, and an ordinary module takes a tenth of this.
const OPTIMISED_WITHIN: Duration = Duration::from_secs(2);

/// Modules of one tenant that are admitted at once, in all its queries: while more of them wait for a compiler, they hold no
/// thread that others need.
const ADMITTED_AT_ONCE: usize = 2;

/// Who waits to have a module admitted, by tenant; a process has one. An entry goes when the next tenant comes and nobody
/// holds it.
static LINES: Mutex<BTreeMap<TenantId, Weak<Semaphore>>> = Mutex::new(BTreeMap::new());

/// The line of a tenant.
fn line_of(tenant: &TenantId) -> Arc<Semaphore> {
    // Every change is an insertion or removal: a panic elsewhere leaves nothing half done.
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(line) = lines.get(tenant).and_then(Weak::upgrade) {
        return line;
    }
    lines.retain(|_, line| line.strong_count() > 0);
    let line = Arc::new(Semaphore::new(ADMITTED_AT_ONCE));
    lines.insert(tenant.clone(), Arc::downgrade(&line));
    line
}

/// Admits and compiles the modules of a plan, each once for each set of limits; gives one a stage.
pub(super) async fn admit(plan: &Plan, engine: &Engine) -> Result<Nodes<StageId, Arc<Module>>, BuildError> {
    // Stages of one module share its compiled code. A stage's limits may differ, and admission depends on them.
    let mut admitted: Vec<(&StagePlan, Arc<Module>)> = Vec::new();
    let mut modules = Vec::with_capacity(plan.stages.len());
    let line = line_of(&plan.tenant);
    for stage in &plan.stages {
        let same = |other: &StagePlan| other.module == stage.module && other.limits == stage.limits;
        let known = admitted.iter().find(|(other, _)| same(other)).map(|(_, module)| Arc::clone(module));
        let module = match known {
            Some(module) => module,
            None => {
                let (engine, tenant) = (engine.clone(), plan.tenant.clone());
                let (bytes, limits) = (Arc::clone(&stage.module), stage.limits.clone());
                // Never closed: there is always a turn to come.
                let turn =
                    Arc::clone(&line).acquire_owned().await.map_err(|error| BuildError::Thread(error.to_string()))?;
                // Compiling takes a core for milliseconds to seconds.
                let admit = move || {
                    let module = engine.admit(&tenant, &bytes, &limits)?;
                    module.wait_optimised(OPTIMISED_WITHIN);
                    drop(turn);
                    Ok(module)
                };
                let module = tokio::task::spawn_blocking(admit)
                    .await
                    .map_err(|error| BuildError::Thread(error.to_string()))?
                    .map_err(|source: Refusal| BuildError::Refused {
                        stage: stage.name.to_string(),
                        path: stage.module_path.clone(),
                        source: Box::new(source),
                    })?;
                admitted.push((stage, Arc::clone(&module)));
                module
            }
        };
        modules.push(module);
    }
    Ok(modules.into_iter().collect())
}
