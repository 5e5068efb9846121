//! A query, built from its plan and run to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_sandbox::Module;

use super::again::{Again, Failures};
use super::attempt::Attempt;
use super::error::{BuildError, Cause, RunError};
use super::guest_log::LogExporter;
use super::handle::QueryHandle;
use super::ids::{Nodes, StageId};
use super::metrics::MetricRegistry;
use super::open::Opened;
use super::progress::QueryState;
use super::shared::Shared;
use super::summary::{Ending, Summary};
use weir_plan::Plan;
use weir_trace::Tracing;

/// Sources, stages and sinks, ready to run.
pub struct Query {
    pub(super) shared: Shared,
    pub(super) modules: Nodes<StageId, Arc<Module>>,
    /// What the first attempt has, or why nothing is open yet, where a sink's policy wants its first opening to be tried
    /// again too.
    pub(super) opened: Result<Opened, BuildError>,
    pub(super) metrics: MetricRegistry,
    /// Sinks that were given cannot be opened again.
    pub(super) given: bool,
    /// How long a stop lets it finish; without it as long as it takes.
    pub(super) grace: Option<Duration>,
}

impl Query {
    /// The same query, its batches traced.
    #[must_use]
    pub fn traced(mut self, tracing: Tracing) -> Query {
        self.shared.tracing = Some(tracing);
        self
    }

    /// The same query, what its guests say handed to this exporter as well.
    #[must_use]
    pub fn logged(mut self, exporter: Arc<dyn LogExporter>) -> Query {
        self.shared.logs = Some(exporter);
        self
    }

    /// The same query, ended by force where it has not finished so long after [`QueryHandle::stop`]: with
    /// [`Cause::Unfinished`], and without a commit of what it had taken in since the last one.
    #[must_use]
    pub fn within(mut self, grace: Duration) -> Query {
        self.grace = Some(grace);
        self
    }

    /// The plan that it was built from.
    pub fn plan(&self) -> &Plan {
        &self.shared.plan
    }

    /// A handle to watch and steer it by.
    pub fn handle(&self) -> QueryHandle {
        self.shared.handle()
    }

    /// Runs until the sources end, [`QueryHandle::stop`] is called, the reader of a sink goes away, or something fails
    /// for good. After a failure that its policy wants to be tried again, everything is opened anew, and goes on from
    /// the last commit. A stop while it waits to try again ends it well: what was committed stays so, and the next run
    /// reads the rest again.
    ///
    /// # Errors
    ///
    /// What failed first, or last where it was tried again, with the summary up to there. Nothing written since the
    /// last commit is published then, but for files that rotated on their own.
    pub async fn run(self) -> Result<Summary, RunError> {
        let Query { shared, modules, mut opened, mut metrics, given, grace } = self;
        let started = Instant::now();
        let mut failures = Failures::new(given);
        // Whether the last attempt ended well, with nothing left open.
        let mut clean = false;
        let ended = loop {
            let (cause, kept) = match opened {
                Err(error) => (Cause::Opening(Box::new(error)), Nodes::each(&shared.plan.stages, |_, _| 0)),
                Ok(opened) => {
                    let attempt = Attempt::make(&shared, &modules, opened, metrics, grace).await;
                    metrics = attempt.metrics;
                    match attempt.ended {
                        Ok(ending) => {
                            clean = true;
                            break Ok(ending);
                        }
                        Err(cause) => (cause, attempt.kept),
                    }
                }
            };
            let unopened = matches!(cause, Cause::Opening(_)).then_some(&mut metrics);
            match failures.again(&shared, cause, &kept, unopened).await {
                Ok(Again::Opened(again)) => opened = Ok(*again),
                Ok(Again::Stopped) => break Ok(Ending::Stopped),
                Err(cause) => break Err(cause),
            }
        };
        shared.slot.end(clean);
        shared.counters.end(if ended.is_ok() { QueryState::Ended } else { QueryState::Failed });
        let summary = |ending| summary(&shared, &metrics, ending, started);
        match ended {
            Ok(ending) => Ok(summary(ending)),
            Err(cause) => Err(RunError { summary: Box::new(summary(Ending::Failed)), cause }),
        }
    }
}

fn summary(shared: &Shared, metrics: &MetricRegistry, ending: Ending, started: Instant) -> Summary {
    let Shared { plan, copy_on_write, tracing, trace_counters, .. } = shared;
    Summary {
        query: plan.name.clone(),
        tenant: plan.tenant.to_string(),
        ending,
        elapsed: started.elapsed(),
        progress: shared.handle().progress(),
        metrics: metrics.committed(),
        copy_on_write_free: copy_on_write.free(),
        copy_on_write_copied: copy_on_write.copied(),
        traces: tracing.as_ref().map(|_| trace_counters.read()),
    }
}
