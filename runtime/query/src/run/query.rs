//! A query, built from its plan and run to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_sandbox::Module;

use super::again::{Again, Failures};
use super::attempt::Attempt;
use super::error::{BuildError, Cause, RunError};
use super::guest_log::LogExporter;
use super::handle::QueryHandle;
use super::metrics::MetricRegistry;
use super::open::Opened;
use super::progress::State;
use super::shared::Shared;
use super::summary::{Ending, Summary};
use crate::file::Plan;
use crate::trace::Tracing;

/// Sources, stages and sinks, ready to run.
pub struct Query {
    pub(super) shared: Shared,
    /// One a stage.
    pub(super) modules: Vec<Arc<Module>>,
    pub(super) opened: Opened,
    /// Why nothing is open yet, where a sink's policy wants its first opening to be tried again too.
    pub(super) unopened: Option<BuildError>,
    pub(super) metrics: MetricRegistry,
    /// Sinks that were given cannot be opened again.
    pub(super) given: bool,
    // How long a stop lets it finish; without it as long as it takes.
    grace: Option<Duration>,
}

impl Query {
    /// Of this plan, with nothing open.
    pub(super) fn new(plan: Plan) -> Query {
        let metrics = MetricRegistry::of(&plan);
        Query {
            shared: Shared::new(plan, metrics.shared()),
            modules: Vec::new(),
            opened: Opened::nothing(),
            unopened: None,
            metrics,
            given: false,
            grace: None,
        }
    }

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
    pub async fn run(mut self) -> Result<Summary, RunError> {
        let started = Instant::now();
        let mut failures = Failures::new(self.given);
        // Whether the last attempt ended well, with nothing left open.
        let mut clean = false;
        let ended = loop {
            let (cause, kept) = match self.unopened.take() {
                Some(error) => (Cause::Opening(Box::new(error)), Vec::new()),
                None => {
                    let opened = std::mem::replace(&mut self.opened, Opened::nothing());
                    let metrics = std::mem::take(&mut self.metrics);
                    let Attempt { ended, metrics, kept } =
                        Attempt::make(&self.shared, &self.modules, opened, metrics, self.grace).await;
                    self.metrics = metrics;
                    match ended {
                        Ok(ending) => {
                            clean = true;
                            break Ok(ending);
                        }
                        Err(cause) => (cause, kept),
                    }
                }
            };
            match failures.again(&self.shared, cause, &kept).await {
                Ok(Again::Opened(opened)) => self.opened = *opened,
                Ok(Again::Stopped) => break Ok(Ending::Stopped),
                Err(cause) => break Err(cause),
            }
        };
        let Shared { plan, counters, .. } = &self.shared;
        plan.slot.end(clean);
        counters.end(if ended.is_ok() { State::Ended } else { State::Failed });
        match ended {
            Ok(ending) => Ok(self.summary(ending, started)),
            Err(cause) => Err(RunError { summary: Box::new(self.summary(Ending::Failed, started)), cause }),
        }
    }

    fn summary(&self, ending: Ending, started: Instant) -> Summary {
        let Shared { plan, copy_on_write, tracing, trace_counters, .. } = &self.shared;
        Summary {
            query: plan.name.clone(),
            tenant: plan.tenant.to_string(),
            ending,
            elapsed: started.elapsed(),
            progress: self.handle().progress(),
            metrics: self.metrics.committed(),
            copy_on_write_free: copy_on_write.free(),
            copy_on_write_copied: copy_on_write.copied(),
            traces: tracing.as_ref().map(|_| trace_counters.read()),
        }
    }
}
