//! One module through all that the sandbox does with modules.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::{Batch, BatchError};
use weir_sandbox::{
    Carry, Engine, EngineConfig, EngineError, Fault, Function, FunctionKind, Instance, Limits, MetricDelta, Module,
    ModuleManifest, Outcome, OutputShape, ParamType, ParamValue, Refusal, TenantId, TenantIdError,
};

use crate::batches::batch_for;

/// Functions of one module that are called.
const FUNCTIONS_MAX: usize = 16;

/// An engine to try modules on.
pub struct Sandbox {
    engine: Engine,
    tenant: TenantId,
    runtime: tokio::runtime::Runtime,
}

/// What keeps modules from being tried at all.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No runtime for calls.
    #[error("no runtime for calls")]
    Runtime(#[from] std::io::Error),
    /// No tenant.
    #[error(transparent)]
    Tenant(#[from] TenantIdError),
    /// The example guests are not built.
    #[error(transparent)]
    Guests(#[from] weir_tests::GuestMissing),
    /// A guest that is not what it should be.
    #[error("the guest `{name}` cannot be mutated: {reason}")]
    Guest {
        /// The guest.
        name: &'static str,
        /// Why not.
        reason: String,
    },
}

/// What became of one module.
#[derive(Debug, Default)]
pub struct Trial {
    /// The code of the refusal; `None` for a module that was admitted.
    pub refused: Option<&'static str>,
    /// What the refusal says.
    pub message: Option<String>,
    /// Functions that fit no batch.
    pub unbound: usize,
    /// Each call of a function, and what it answered or ended with.
    pub calls: Vec<(String, Result<Outcome, &'static str>)>,
    /// What must not happen: a panic, a fault of the host's own, an account that does not add up.
    pub defects: Vec<String>,
}

/// Few resources, so that whatever uses them up is over soon: a million instructions are a thousand for each row.
pub fn tight_limits() -> Limits {
    Limits::default().with(|it| {
        it.trap_pause_ms_max = 0;
        it.fuel_batch_max = Some(1_000_000);
        it.fuel_init_max = Some(1_000_000);
        it.deadline_ms_max = 50;
        it.deadline_init_ms_max = 50;
        it.memory_bytes_max = 4 << 20;
    })
}

impl Sandbox {
    /// Sets up the engine that modules are tried on.
    ///
    /// # Errors
    ///
    /// Where the machine gives no engine, or no runtime for calls.
    pub fn new() -> Result<Sandbox, SetupError> {
        Ok(Sandbox {
            engine: engine()?,
            tenant: "corpora".parse()?,
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build()?,
        })
    }

    /// Feeds the bytes to everything that takes a module, and calls what is admitted: with `batch`, or with one that
    /// has what a function reads where there is none.
    pub fn try_module(&self, bytes: &[u8], limits: &Limits, batch: Option<&Arc<Batch>>) -> Trial {
        let mut trial = Trial::default();
        let read =
            trial.contain("ModuleManifest::read", || ModuleManifest::read(bytes).map_err(|refusal| refusal.code()));
        let checked = trial.contain("ModuleManifest::check", || ModuleManifest::check(bytes, limits));
        let admitted = trial.contain("Engine::admit", || self.engine.admit(&self.tenant, bytes, limits));
        let (Some(read), Some(checked), Some(admitted)) = (read, checked, admitted) else { return trial };
        trial.compare(&read, &checked, &admitted);
        match admitted {
            Err(refusal) => {
                // The compiler's refusal too: what cannot be compiled is to be found before, or is a gap in the caps.
                if refusal.fault() == Fault::Internal {
                    trial.defects.push(format!("refused as the host's own fault: {}: {refusal}", refusal.code()));
                }
                trial.refused = Some(refusal.code());
                trial.message = Some(refusal.to_string());
            }
            Ok(module) => {
                for function in module.manifest().functions.iter().take(FUNCTIONS_MAX) {
                    self.try_function(&module, function, limits, batch, &mut trial);
                }
            }
        }
        trial
    }

    /// Calls a function with a batch, with a part of it, and with all of it again.
    fn try_function(
        &self,
        module: &Arc<Module>,
        function: &Arc<Function>,
        limits: &Limits,
        batch: Option<&Arc<Batch>>,
        trial: &mut Trial,
    ) {
        let bound = trial.contain("Function::bind", || {
            let batch = batch.map(Arc::clone).map_or_else(|| batch_for(function).ok(), Some)?;
            let bound = function.bind(batch.schema(), &Carry::All, &params_of(function)).ok()?;
            Some((batch, Arc::new(bound)))
        });
        let Some(Some((batch, bound))) = bound else {
            trial.unbound += 1;
            return;
        };
        let part = batch.filter(&BooleanBuffer::collect_bool(batch.rows(), |row| row % 3 != 1));
        let Ok(part) = part else {
            trial.defects.push("a batch could not be filtered".to_owned());
            return;
        };
        let mut instance = Instance::new(module, &bound, limits);
        for batch in [&batch, &part, &batch] {
            let before = Arc::strong_count(batch);
            let called = trial.contain("Instance::call", || self.runtime.block_on(instance.call(batch)));
            let Some(called) = called else { return };
            let end = match called {
                Ok(outcome) => {
                    trial.defects.extend(wrong_account(function, batch, &outcome));
                    Ok(outcome)
                }
                Err(error) => {
                    if error.fault() != Fault::Tenant {
                        trial.defects.push(format!("ended as no fault of the tenant's: {}: {error}", error.code()));
                    }
                    if Arc::strong_count(batch) != before {
                        trial.defects.push("the batch of a call that ended badly is still held".to_owned());
                    }
                    Err(error.code())
                }
            };
            trial.calls.push((function.name.clone(), end));
        }
    }
}

/// The engine that modules are tried on: as a process has it.
fn engine() -> Result<Engine, EngineError> {
    Engine::new(&EngineConfig::default())
}

impl Trial {
    /// Runs a part of the trial; `None`, and a defect, where it panics.
    fn contain<T>(&mut self, name: &str, run: impl FnOnce() -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(value) => Some(value),
            Err(panic) => {
                self.defects.push(format!("{name} panicked: {}", panic_message(&*panic)));
                None
            }
        }
    }

    /// What is admitted is what can be read and passes the check, and the other way round.
    fn compare(
        &mut self,
        read: &Result<ModuleManifest, &'static str>,
        checked: &Result<ModuleManifest, Refusal>,
        admitted: &Result<Arc<Module>, Refusal>,
    ) {
        match (checked, admitted) {
            (Ok(manifest), Ok(module)) if manifest == module.manifest() && Ok(manifest) == read.as_ref() => {}
            (Ok(_), Err(Refusal::Compile(_) | Refusal::TooLarge(_))) => {}
            (Err(checked), Err(admitted)) if checked.code() == admitted.code() => {}
            _ => {
                let code = |refusal: &Refusal| refusal.code();
                self.defects.push(format!(
                    "read says {:?}, check {:?}, admit {:?}",
                    read.as_ref().map(drop),
                    checked.as_ref().map(drop).map_err(code),
                    admitted.as_ref().map(drop).map_err(code),
                ));
            }
        }
    }
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a message".to_owned())
}

/// A value for each parameter that has no default.
fn params_of(function: &Function) -> BTreeMap<String, ParamValue> {
    let needed = function.params.iter().filter(|param| param.default.is_none());
    let value = |kind| match kind {
        ParamType::Bool => ParamValue::Bool(true),
        ParamType::I64 => ParamValue::I64(3),
        ParamType::F64 => ParamValue::F64(1.5),
        ParamType::Utf8 => ParamValue::Utf8("text".to_owned()),
    };
    needed.map(|param| (param.name.clone(), value(param.kind))).collect()
}

/// What does not add up in an answer.
pub fn wrong_account(function: &Function, batch: &Batch, outcome: &Outcome) -> Vec<String> {
    let Outcome { output, failed, filtered, metrics, .. } = outcome;
    let (rows, out) = (batch.rows(), output.rows());
    let mut wrong = Vec::new();
    let adds_up = match function.kind {
        // Some of the rows have any number of output rows.
        FunctionKind::Transform(OutputShape::FlatMap) => {
            failed.len() + filtered <= rows && (out == 0 || failed.len() + filtered < rows)
        }
        FunctionKind::Transform(OutputShape::Map) | FunctionKind::Metrics => {
            *filtered == 0 && out + failed.len() == rows
        }
        FunctionKind::Transform(OutputShape::Filter | OutputShape::FilterMap) => out + failed.len() + filtered == rows,
    };
    if !adds_up {
        wrong.push(format!(
            "{} of {rows} rows: {out} out, {} failed, {filtered} filtered",
            function.kind,
            failed.len()
        ));
    }
    let distinct: BTreeSet<usize> = failed.iter().map(|failure| failure.row).collect();
    if distinct.len() != failed.len() || !failed.is_sorted_by_key(|failure| failure.row) {
        wrong.push("failed rows are not ascending".to_owned());
    }
    if distinct.last().is_some_and(|&row| row >= rows) {
        wrong.push("a row failed that does not exist".to_owned());
    }
    wrong.extend(wrong_columns(output).err().map(|error| format!("output that is not valid: {error}")));
    for delta in &metrics.series {
        let finite = match &delta.value {
            MetricDelta::Counter { sum } => sum.is_finite() && *sum >= 0.0,
            MetricDelta::Gauge { last } => last.is_finite(),
            MetricDelta::Histogram { buckets, count, sum } => sum.is_finite() && buckets.iter().sum::<u64>() == *count,
        };
        if !finite || delta.series.metric >= function.metrics.len() {
            wrong.push(format!("a metric that cannot be: {delta:?}"));
        }
    }
    wrong
}

/// Looks at every offset and every byte of text, which Arrow takes for granted.
fn wrong_columns(output: &Batch) -> Result<(), BatchError> {
    for column in output.columns() {
        column.to_data().validate_full()?;
    }
    output.to_arrow().map(drop)
}

#[cfg(test)]
mod tests {
    use weir_sandbox::RowCode;

    use super::*;
    use crate::{HostProgram, host_batch, host_module};

    #[test]
    fn what_must_not_happen_is_seen() {
        let sandbox = Sandbox::new().unwrap();
        // A filter that keeps all; rows with a null in its first field fail.
        let program = HostProgram { kind: "filter", finish: true, batch: Vec::new(), ..HostProgram::of(&[]) };
        let (module, batch) = (host_module(&program), host_batch().unwrap());
        let trial = sandbox.try_module(&module, &tight_limits(), Some(&batch));
        assert_eq!((trial.refused, trial.defects), (None, Vec::new()));
        let outcome = trial.calls[0].1.as_ref().unwrap();
        let manifest = ModuleManifest::read(&module).unwrap();
        let check = |tamper: fn(&mut Outcome), expect: &str| {
            let mut outcome = outcome.clone();
            tamper(&mut outcome);
            let wrong = wrong_account(&manifest.functions[0], &batch, &outcome);
            assert!(wrong.iter().any(|wrong| wrong.contains(expect)), "{expect}: {wrong:?}");
        };
        assert_eq!((outcome.failed[0].row, outcome.failed[0].code), (3, RowCode::NullInput));
        check(|outcome| outcome.filtered += 1, "1 filtered");
        check(|outcome| drop(outcome.failed.pop()), "of 203 rows");
        check(|outcome| outcome.failed[0].row = 203, "a row failed that does not exist");
        check(|outcome| outcome.failed.swap(0, 1), "failed rows are not ascending");
    }

    #[test]
    fn a_panic_is_a_defect_and_no_more() {
        let mut trial = Trial::default();
        let none = trial.contain("this", || panic!("on purpose"));
        assert_eq!((none, trial.defects), (None::<()>, vec!["this panicked: on purpose".to_owned()]));
    }
}
