//! Making a query ready: modules compiled, sources and sinks opened.

use std::sync::Arc;
use std::time::Duration;

use weir_sandbox::{CpuPace, Engine};
use weir_sources::Buffers;

use super::again::retry_of_opening;
use super::counters::Counters;
use super::error::BuildError;
use super::guest_log::LogExporter;
use super::handle::QueryHandle;
use super::ids::{Id, Nodes, SourceId, StageId};
use super::metrics::MetricRegistry;
use super::modules::admit;
use super::open::{Opened, SinkOverrides, take_slot};
use super::progress::QueryState;
use super::query::Query;
use super::running_source::OpenSource;
use super::shared::Shared;
use super::state_guard::{Loss, lost_error};
use weir_plan::{LossPolicy, Plan};
use weir_trace::Tracing;

/// How often a query tries again to open its files where the process had no descriptor left, and after which pause; each
/// further one is longer by as much.
const OUT_OF_FILES_ATTEMPTS: u32 = 4;
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(200);

impl Query {
    /// Admits and compiles the modules, finishes what a crashed run has committed, and opens sources, sinks and dead
    /// letters. Nothing runs yet.
    ///
    /// # Errors
    ///
    /// A refused module, a state that cannot be used, or a sink or file that cannot be opened.
    pub async fn build(plan: Plan, engine: &Engine) -> Result<Query, BuildError> {
        Query::build_with(plan, engine, SinkOverrides::new()).await
    }

    /// As [`Query::build`], with some sinks given. Such a query tries nothing again: see [`weir_plan::SinkPlan::retry`].
    ///
    /// # Errors
    ///
    /// As [`Query::build`].
    pub async fn build_with(plan: Plan, engine: &Engine, sinks: SinkOverrides) -> Result<Query, BuildError> {
        Query::starting(plan).build_with(engine, sinks).await
    }

    /// The query of a plan, still to be made ready: it can be watched and stopped from now on.
    pub fn starting(plan: Plan) -> Starting {
        let metrics = MetricRegistry::of(&plan);
        Starting { shared: Shared::new(plan, metrics.shared()), metrics, grace: None }
    }
}

/// A query whose modules are not compiled, and whose sources and sinks are not open. Whatever becomes of it, its handles
/// say so.
pub struct Starting {
    shared: Shared,
    metrics: MetricRegistry,
    grace: Option<Duration>,
}

impl Starting {
    /// See [`Query::traced`].
    #[must_use]
    pub fn traced(mut self, tracing: Tracing) -> Starting {
        self.shared.tracing = Some(tracing);
        self
    }

    /// See [`Query::logged`].
    #[must_use]
    pub fn logged(mut self, exporter: Arc<dyn LogExporter>) -> Starting {
        self.shared.logs = Some(exporter);
        self
    }

    /// See [`Query::within`].
    #[must_use]
    pub fn within(mut self, grace: Duration) -> Starting {
        self.grace = Some(grace);
        self
    }

    /// Its queues hold no more than these have, together with those of other queries.
    #[must_use]
    pub fn buffered(mut self, buffers: Buffers) -> Starting {
        self.shared.buffers = Some(buffers);
        self
    }

    /// Its sources read no faster than the process's CPU time allows.
    #[must_use]
    pub fn paced(mut self, pace: CpuPace) -> Starting {
        self.shared.pace = Some(pace);
        self
    }

    /// See [`Query::plan`].
    pub fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    /// See [`Query::handle`].
    pub fn handle(&self) -> QueryHandle {
        self.shared.handle()
    }

    /// See [`Query::build`].
    ///
    /// # Errors
    ///
    /// As [`Query::build`], and [`BuildError::Stopped`] where it is stopped meanwhile.
    pub async fn build(self, engine: &Engine) -> Result<Query, BuildError> {
        self.build_with(engine, SinkOverrides::new()).await
    }

    async fn build_with(self, engine: &Engine, sinks: SinkOverrides) -> Result<Query, BuildError> {
        let (counters, stop) = (Arc::clone(&self.shared.counters), self.shared.stop.clone());
        let mut stop = stop.subscribe();
        let built = tokio::select! {
            biased;
            built = self.open(engine, sinks) => built,
            // A sender is held here: the channel cannot close.
            _ = stop.wait_for(|stop| *stop) => Err(BuildError::Stopped),
        };
        if let Err(error) = &built {
            counters.set_state(if matches!(error, BuildError::Stopped) {
                QueryState::Ended
            } else {
                QueryState::Failed
            });
        }
        built
    }

    async fn open(self, engine: &Engine, mut sinks: SinkOverrides) -> Result<Query, BuildError> {
        let Starting { shared, mut metrics, grace } = self;
        let plan = &*shared.plan;
        take_slot(&shared).await?;
        let modules = admit(plan, engine).await?;
        let given = !sinks.is_empty();
        let mut attempts = 0;
        let opened = loop {
            match Opened::open(&shared, &mut sinks, Some(&mut metrics), &shared.committed()).await {
                // One that wants more than there are gives its own back meanwhile.
                Err(error) if error.is_out_of_files() && !given && attempts < OUT_OF_FILES_ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(OUT_OF_FILES_PAUSE * attempts).await;
                }
                Err(error) if !given && retry_of_opening(plan, &error).is_some() => break Err(error),
                opened => break Ok(opened?),
            }
        };
        if let Ok(opened) = &opened {
            restarted(plan, &opened.sources, &shared.counters)?;
        }
        Ok(Query { shared, modules, opened, metrics, given, grace })
    }
}

/// Counts what functions lost that go on where an earlier process was; an error where one must not lose it.
fn restarted(plan: &Plan, sources: &Nodes<SourceId, OpenSource>, counters: &Counters) -> Result<(), BuildError> {
    for (source, _) in sources.pairs().filter(|(_, source)| !source.positions.is_empty()) {
        for index in plan.stages_reached(source.place()) {
            let (stage, counters) = (&plan.stages[index], &counters.stages[StageId::at(index)]);
            let Some(policy) = stage.loss_policy() else { continue };
            if counters.state_losses() > 0 {
                continue;
            }
            counters.state_lost(Loss::Restart.code());
            if policy == LossPolicy::Fail {
                let source = Box::new(lost_error(&stage.function.name, 0, Loss::Restart));
                return Err(BuildError::StateLost { stage: stage.name.to_string(), source });
            }
            tracing::warn!(
                query = plan.name,
                tenant = plan.tenant.as_str(),
                stage = &*stage.name,
                cause = Loss::Restart.code(),
                "the state of the function from an earlier run is lost: continuing with a new instance"
            );
        }
    }
    Ok(())
}
