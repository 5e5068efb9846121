//! A query, built from its plan and run to its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use weir_batch::CopyOnWrite;
use weir_sandbox::{Engine, Module};
use weir_sinks::{KafkaProblem, KafkaTransactions, Sink, SinkConfig, SinkError, TransactionError};

use super::build::{admit, stage_runners};
use super::chain::{Chain, Parts};
use super::commit::Committing;
use super::counters::Counters;
use super::dead_letters::DeadLetterError;
use super::error::{BuildError, Cause, RunError};
use super::extent::sizes;
use super::guest_log::LogExporter;
use super::handle::{Places, QueryHandle};
use super::metrics::{CommittedMetrics, MetricRegistry};
use super::open::{Opened, move_on, take_slot};
use super::progress::State;
use super::refused::policies;
use super::room::Room;
use super::sink_task::SinkTask;
use super::state_guard::{Loss, lost_error};
use super::summary::{Ending, Summary};
use super::waiting::sleep_or_stop;
use crate::file::{LossPolicy, Plan, Retry};
use crate::source::Positions;
use crate::trace::{Spans, TraceCounters, Tracing};

/// Sources, stages and sinks, ready to run.
pub struct Query {
    plan: Arc<Plan>,
    // One a stage.
    modules: Vec<Arc<Module>>,
    opened: Opened,
    // Why nothing is open yet, where a sink's policy wants its first opening to be tried again too.
    unopened: Option<BuildError>,
    metrics: MetricRegistry,
    // What the registry has counted, wherever that is.
    shared_metrics: Arc<CommittedMetrics>,
    // Sinks that were given cannot be opened again.
    given: bool,
    counters: Arc<Counters>,
    places: Arc<Places>,
    copy_on_write: Arc<CopyOnWrite>,
    tracing: Option<Tracing>,
    logs: Option<Arc<dyn LogExporter>>,
    trace_counters: Arc<TraceCounters>,
    stop: watch::Sender<bool>,
    pause: watch::Sender<bool>,
    // How long a stop lets it finish; without it as long as it takes.
    grace: Option<Duration>,
}

/// Sinks that stand in for those a plan names, by name: for tests and benches.
pub type SinkOverrides = HashMap<String, Box<dyn Sink>>;

/// After this long without a failure, the next one is a new one.
const RETRIES_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// How often a query tries again to open its files where the process had no descriptor left, and after which pause; each
/// further one is longer by as much.
const OUT_OF_FILES_ATTEMPTS: u32 = 4;
const OUT_OF_FILES_PAUSE: Duration = Duration::from_millis(200);

/// How a query goes on whose partitions went to another reader: nothing is wrong with it.
const AFTER_LOSS: Retry = Retry { times_max: u32::MAX, backoff: Duration::from_millis(100) };

/// How a query goes on whose transaction was aborted by the broker, since the process was stopped: with a new producer. One that makes no
/// commit in between has another ailment.
const AFTER_TIME_OUT: Retry = Retry { times_max: 5, backoff: Duration::from_millis(100) };
/// How a query goes on when a broker has refused a record: each return has learned something, so that they come to an end.
const AFTER_REFUSAL: Retry = Retry { times_max: u32::MAX, backoff: Duration::from_millis(10) };

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

    /// As [`Query::build`], with some sinks given. Such a query tries nothing again: see [`crate::SinkPlan::retry`].
    ///
    /// # Errors
    ///
    /// As [`Query::build`].
    pub async fn build_with(plan: Plan, engine: &Engine, sinks: SinkOverrides) -> Result<Query, BuildError> {
        Query::starting(plan).build_with(engine, sinks).await
    }

    /// The query of a plan, still to be made ready: it can be watched and stopped from now on.
    pub fn starting(plan: Plan) -> Starting {
        let mut metrics = MetricRegistry::default();
        for stage in &plan.stages {
            metrics.add_stage(&stage.name, &stage.function, stage.limits.series_max);
        }
        let names = |names: Vec<&Arc<str>>| names.into_iter().map(Arc::clone).collect::<Vec<_>>();
        let counters = Counters::new(
            &names(plan.sources.iter().map(|source| &source.name).collect()),
            &names(plan.stages.iter().map(|stage| &stage.name).collect()),
            &names(plan.sinks.iter().map(|sink| &sink.name).collect()),
        );
        Starting(Query {
            modules: Vec::new(),
            opened: Opened::nothing(),
            unopened: None,
            shared_metrics: metrics.shared(),
            metrics,
            given: false,
            counters: Arc::new(counters),
            places: Arc::new(Places::new(plan.sources.len())),
            copy_on_write: Arc::new(CopyOnWrite::default()),
            tracing: None,
            logs: None,
            trace_counters: Arc::new(TraceCounters::default()),
            stop: watch::Sender::new(false),
            pause: watch::Sender::new(false),
            grace: None,
            plan: Arc::new(plan),
        })
    }

    /// The same query, its batches traced.
    #[must_use]
    pub fn traced(mut self, tracing: Tracing) -> Query {
        self.tracing = Some(tracing);
        self
    }

    /// The same query, what its guests say handed to this exporter as well.
    #[must_use]
    pub fn logged(mut self, exporter: Arc<dyn LogExporter>) -> Query {
        self.logs = Some(exporter);
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
        &self.plan
    }

    /// A handle to watch and steer it by.
    pub fn handle(&self) -> QueryHandle {
        QueryHandle {
            query: self.plan.name.as_str().into(),
            tenant: self.plan.tenant.as_str().into(),
            counters: Arc::clone(&self.counters),
            places: Arc::clone(&self.places),
            metrics: Arc::clone(&self.shared_metrics),
            copy_on_write: Arc::clone(&self.copy_on_write),
            traces: self.tracing.as_ref().map(|_| Arc::clone(&self.trace_counters)),
            stop: self.stop.clone(),
            pause: self.pause.clone(),
        }
    }

    /// Runs until the sources end, [`QueryHandle::stop`] is called, the reader of a sink goes away, or something fails
    /// for good. After a failure that its policy wants to be tried again, everything is opened anew, and goes on from
    /// the last commit.
    ///
    /// # Errors
    ///
    /// What failed first, or last where it was tried again, with the summary up to there. Nothing written since the
    /// last commit is published then, but for files that rotated on their own.
    pub async fn run(mut self) -> Result<Summary, RunError> {
        let started = Instant::now();
        let counters = Arc::clone(&self.counters);
        let (mut failures, mut last_failure, mut commits) = (0, Instant::now(), 0);
        // Whether the last attempt ended well, with nothing left open.
        let mut clean = false;
        let ended = loop {
            let (cause, kept) = match self.unopened.take() {
                Some(error) => (Cause::Opening(Box::new(error)), Vec::new()),
                None => {
                    let Attempt { ended, metrics, kept } = self.attempt().await;
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
            // A commit is progress: what fails after it is another failure.
            if counters.commits.get() > commits || last_failure.elapsed() > RETRIES_FORGOTTEN_AFTER {
                failures = 0;
            }
            (last_failure, commits) = (Instant::now(), counters.commits.get());
            match self.again(cause, &kept, &mut failures).await {
                Ok(opened) => self.opened = opened,
                // Nothing is lost: whoever reads the partitions next begins where the last commit was.
                Err(cause) if cause.loses_nothing() && *self.stop.borrow() => break Ok(Ending::Stopped),
                Err(cause) => break Err(cause),
            }
        };
        self.plan.slot.end(clean);
        let state = if ended.is_ok() { State::Ended } else { State::Failed };
        counters.set_state(state);
        let progress = self.handle().progress();
        let summary = |ending| Summary {
            query: self.plan.name.clone(),
            tenant: self.plan.tenant.to_string(),
            ending,
            elapsed: started.elapsed(),
            progress,
            metrics: self.metrics.committed(),
            copy_on_write_free: self.copy_on_write.free(),
            copy_on_write_copied: self.copy_on_write.copied(),
            traces: self.tracing.as_ref().map(|_| self.trace_counters.read()),
        };
        match ended {
            Ok(ending) => Ok(summary(ending)),
            Err(cause) => Err(RunError { summary: Box::new(summary(Ending::Failed)), cause }),
        }
    }

    /// Runs what is open until it ends or fails, and lets go of it.
    async fn attempt(&mut self) -> Attempt {
        let opened = std::mem::replace(&mut self.opened, Opened::nothing());
        self.places.begin(&opened.positions, &opened.keepers);
        let bytes: Vec<u64> = self.counters.sources.iter().map(|source| source.bytes.get()).collect();
        self.places.sizes(sizes(&self.plan, &opened.positions, &bytes).await);
        self.counters.set_state(State::Running);
        let (failed, mut failures) = mpsc::unbounded_channel();
        let queue_bytes_max = self.plan.batching.queue_bytes_max();
        let policies = policies(&self.plan);
        let sinks = opened.sinks.into_iter().zip(&self.plan.sinks).zip(policies).enumerate();
        let sinks = sinks.map(|(index, ((sink, plan), policy))| {
            let (name, counters) = (Arc::clone(&plan.name), Arc::clone(&self.counters));
            let room = Room::new(queue_bytes_max);
            SinkTask::spawn(name, sink, (plan.queue_batches_max, room), counters, index, policy, failed.clone())
        });
        let spans = self.tracing.clone();
        let spans = spans.map(|tracing| Spans::new(tracing, &self.plan, Arc::clone(&self.trace_counters)));
        let parts = Parts {
            plan: Arc::clone(&self.plan),
            sinks: sinks.collect(),
            dead_letters: opened.dead_letters.map(|letters| letters.counted(&self.counters)),
            committing: opened.committing,
            positions: opened.positions,
            keepers: opened.keepers,
            metrics: std::mem::take(&mut self.metrics),
            counters: Arc::clone(&self.counters),
            places: Arc::clone(&self.places),
            copy_on_write: Arc::clone(&self.copy_on_write),
            spans,
            stop: self.stop.clone(),
            pause: self.pause.clone(),
        };
        let mut chain = Chain::new(parts);
        let mut stages = stage_runners(&self.plan, &self.modules, self.logs.as_ref());
        // A sink that fails ends the query wherever it waits just then: for a record, a guest, or another sink.
        let ended = tokio::select! {
            biased;
            ended = chain.run_to_end(&mut stages, opened.sources) => ended,
            Some(failed) = failures.recv() => Err(chain.why(failed).await),
            grace = overdue(&self.stop, self.grace) => Err(self.unfinished(grace)),
        };
        let ended = match &chain.committing {
            Committing::Transaction(transactions) => ended.map_err(|cause| why_fenced(cause, transactions)),
            _ => ended,
        };
        if let Err(cause) = &ended {
            for sink in &mut chain.sinks {
                sink.abort().await;
            }
            chain.settle_commit().await;
            if let Committing::Transaction(transactions) = &chain.committing {
                // Readers need not wait for it to time out. If it fails, the next opening aborts it, or the time-out.
                let at_most = if cause.is_unfinished() { LAST_STEPS } else { Duration::MAX };
                match tokio::time::timeout(at_most, transactions.abort()).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!("the transaction was not aborted: {error}"),
                    Err(_elapsed) => tracing::debug!("the transaction was not aborted in time"),
                }
            }
        }
        // What was begun and not settled counts nowhere else: the account adds up all the same.
        if let Some((source, records)) = chain.in_hand.take() {
            self.counters.sources.get(source).into_iter().for_each(|source| source.unfinished.add(records));
            self.counters.waiting.set(0);
        }
        self.places.end();
        chain.metrics.roll_back();
        let kept = stages.iter().map(|stage| stage.guard.batches_kept()).collect();
        Attempt { ended, metrics: chain.metrics, kept }
    }

    /// What it has not finished.
    fn unfinished(&self, grace: Duration) -> Cause {
        let progress = self.counters.progress();
        let behind = self.plan.sinks.iter().zip(&self.counters.sinks).filter(|(_, sink)| sink.queued.get() > 0);
        let sinks = behind.map(|(sink, _)| format!("`{}`", sink.name)).collect();
        Cause::Unfinished { grace, records: progress.uncommitted_records, sinks }
    }

    /// Counts what functions lose by going back to the last commit, where they have kept anything of so many batches; an
    /// error where one must not lose it.
    fn lose_state(&self, cause: &Cause, kept: &[u64]) -> Result<(), Cause> {
        let loss = Loss::LastCommit(match cause {
            Cause::Sink { .. } => "sink",
            Cause::Lost { .. } => "rebalance",
            _ => "last_commit",
        });
        for ((stage, counters), &batches) in self.plan.stages.iter().zip(&self.counters.stages).zip(kept) {
            if batches == 0 {
                continue;
            }
            counters.state_lost(loss.code());
            if stage.loss_policy() == Some(LossPolicy::Fail) {
                let source = lost_error(&stage.function.name, batches, loss);
                tracing::error!(stage = &*stage.name, "what the query would try again: {cause}");
                return Err(Cause::Stage { name: stage.name.to_string(), source });
            }
            tracing::warn!(
                query = self.plan.name,
                tenant = self.plan.tenant.as_str(),
                stage = &*stage.name,
                cause = loss.code(),
                batches,
                "what the function kept in its memory is lost: it goes on from the last commit with a new instance"
            );
        }
        Ok(())
    }

    /// Opens everything again after a failure, as often as the policy says, or gives the failure back. `kept` is of how
    /// many batches each stage's function may have kept something.
    async fn again(&mut self, cause: Cause, kept: &[u64], failures: &mut u32) -> Result<Opened, Cause> {
        // What was read from a pipe and not committed is gone.
        let once = self.given || !self.plan.sources.iter().all(|source| source.kind.can_be_read_again());
        let Some(retry) = self.retry_of(&cause).filter(|_| !once) else { return Err(cause) };
        if *failures < retry.times_max && !*self.stop.borrow() {
            self.lose_state(&cause, kept)?;
        }
        if matches!(cause, Cause::Transaction(TransactionError::Fenced { .. })) {
            move_on(&self.plan);
        }
        let mut cause = cause;
        loop {
            if *failures >= retry.times_max || *self.stop.borrow() {
                return Err(cause);
            }
            let pause = retry.pause(*failures);
            *failures += 1;
            self.counters.restarts.add(1);
            self.counters.set_state(State::Retrying);
            let (query, tenant) = (&self.plan.name, self.plan.tenant.as_str());
            let (attempt, attempts_max, pause_ms) = (*failures, retry.times_max, super::waiting::millis(pause));
            if cause.is_loss() {
                // A rebalance, as there are many, or what the source has a warning for.
                tracing::info!(query, tenant, pause_ms, "on from the last commit: {cause}");
            } else {
                let what = "trying again from the last commit";
                tracing::warn!(query, tenant, attempt, attempts_max, pause_ms, "{what}: {cause}");
            }
            sleep_or_stop(tokio::time::Instant::now() + pause, &self.stop).await;
            if *self.stop.borrow() {
                return Err(cause);
            }
            let committed = self.places.all_committed();
            match Opened::open(&self.plan, &mut SinkOverrides::new(), None, &committed).await {
                Ok(opened) => return Ok(opened),
                Err(error) if error.retryable() => cause = Cause::Again(Box::new(error)),
                Err(error) => return Err(Cause::Again(Box::new(error))),
            }
        }
    }

    /// How often what failed is to be tried again.
    fn retry_of(&self, cause: &Cause) -> Option<Retry> {
        use weir_sandbox::Fault;
        let any_sink = |of: fn(&SinkConfig) -> bool| any_sink(&self.plan, of);
        match cause {
            // Of what a broker refuses the next attempt finds out which record it is, or leaves it out.
            _ if is_broker_refusal(cause) => self.plan.learn_refusals().then_some(AFTER_REFUSAL),
            Cause::Opening(error) => retry_of_opening(&self.plan, error),
            cause if cause.is_loss() => Some(AFTER_LOSS),
            Cause::Sink { name, .. } if cause.fault() == Fault::External => {
                self.plan.sinks.iter().find(|sink| *sink.name == **name)?.retry
            }
            Cause::Transaction(TransactionError::TimedOut { .. }) => Some(AFTER_TIME_OUT),
            // It was another process's doing that this one ended. Under a slot it goes on by another one; else it would go on
            // taking turns.
            Cause::Transaction(TransactionError::Fenced { .. }) => self.plan.has_slot().then_some(AFTER_TIME_OUT),
            Cause::Transaction(_) if cause.fault() != Fault::Tenant => {
                any_sink(|config| matches!(config, SinkConfig::Kafka(_)))
            }
            Cause::State(_) | Cause::DeadLetters(_) if cause.fault() == Fault::External => any_sink(|_| true),
            Cause::Source { source, .. } if source.retryable() => any_sink(|_| true),
            _ => None,
        }
    }
}

/// The longest retry of the sinks of a kind.
fn any_sink(plan: &Plan, of: fn(&SinkConfig) -> bool) -> Option<Retry> {
    let sinks = plan.sinks.iter().filter(move |sink| of(&sink.config));
    sinks.filter_map(|sink| sink.retry).max_by_key(|retry| retry.times_max)
}

/// How often an opening that failed is to be tried again. What fails before the sinks (a state folder in use) is not.
fn retry_of_opening(plan: &Plan, error: &BuildError) -> Option<Retry> {
    if !error.retryable() {
        return None;
    }
    match error {
        BuildError::Sink { name, .. } => match plan.sinks.iter().find(|sink| *sink.name == **name) {
            Some(sink) => sink.retry,
            None => any_sink(plan, |_| true),
        },
        BuildError::Transaction(_) => any_sink(plan, |config| matches!(config, SinkConfig::Kafka(_))),
        BuildError::DeadLetters(_) | BuildError::Source { .. } => any_sink(plan, |_| true),
        _ => None,
    }
}

/// Whether a broker refused a record for what it is.
fn is_broker_refusal(cause: &Cause) -> bool {
    match cause {
        Cause::Sink { source, .. } | Cause::DeadLetters(DeadLetterError::Sink(source)) => source.is_broker_refusal(),
        Cause::Transaction(TransactionError::Aborted { source }) => source.is_refusal(),
        _ => false,
    }
}

/// A query whose modules are not compiled, and whose sources and sinks are not open. Whatever becomes of it, its handles
/// say so.
pub struct Starting(Query);

impl Starting {
    /// See [`Query::traced`].
    #[must_use]
    pub fn traced(self, tracing: Tracing) -> Starting {
        Starting(self.0.traced(tracing))
    }

    /// See [`Query::logged`].
    #[must_use]
    pub fn logged(self, exporter: Arc<dyn LogExporter>) -> Starting {
        Starting(self.0.logged(exporter))
    }

    /// See [`Query::within`].
    #[must_use]
    pub fn within(self, grace: Duration) -> Starting {
        Starting(self.0.within(grace))
    }

    /// See [`Query::plan`].
    pub fn plan(&self) -> &Plan {
        self.0.plan()
    }

    /// See [`Query::handle`].
    pub fn handle(&self) -> QueryHandle {
        self.0.handle()
    }

    /// See [`Query::build`].
    ///
    /// # Errors
    ///
    /// As [`Query::build`], and [`BuildError::Stopped`] where it is stopped meanwhile.
    pub async fn build(self, engine: &Engine) -> Result<Query, BuildError> {
        self.build_with(engine, SinkOverrides::new()).await
    }

    async fn build_with(mut self, engine: &Engine, sinks: SinkOverrides) -> Result<Query, BuildError> {
        let counters = Arc::clone(&self.0.counters);
        let mut stop = self.0.stop.subscribe();
        let built = tokio::select! {
            biased;
            built = self.open(engine, sinks) => built,
            // Its own sender is held by `self`: the channel cannot close.
            _ = stop.wait_for(|stop| *stop) => Err(BuildError::Stopped),
        };
        match built {
            Ok(()) => Ok(self.0),
            Err(error) => {
                counters.set_state(if matches!(error, BuildError::Stopped) { State::Ended } else { State::Failed });
                Err(error)
            }
        }
    }

    async fn open(&mut self, engine: &Engine, mut sinks: SinkOverrides) -> Result<(), BuildError> {
        let query = &mut self.0;
        take_slot(&query.plan).await?;
        query.modules = admit(&query.plan, engine).await?;
        query.given = !sinks.is_empty();
        let mut attempts = 0;
        query.opened = loop {
            match Opened::open(&query.plan, &mut sinks, Some(&mut query.metrics), &[]).await {
                // One that wants more than there are gives its own back meanwhile.
                Err(error) if error.is_out_of_files() && !query.given && attempts < OUT_OF_FILES_ATTEMPTS => {
                    attempts += 1;
                    tokio::time::sleep(OUT_OF_FILES_PAUSE * attempts).await;
                }
                Err(error) if !query.given && retry_of_opening(&query.plan, &error).is_some() => {
                    query.unopened = Some(error);
                    return Ok(());
                }
                opened => break opened?,
            }
        };
        restarted(&query.plan, &query.opened.positions, &query.counters)
    }
}

/// The cause, or why the producer was fenced, where that is what happened.
fn why_fenced(cause: Cause, transactions: &KafkaTransactions) -> Cause {
    let reason = match &cause {
        Cause::Transaction(TransactionError::Fenced { reason, .. }) => reason.clone(),
        Cause::Sink { source: SinkError::Kafka { source: KafkaProblem::Fenced(code), .. }, .. } => code.to_string(),
        _ => return cause,
    };
    Cause::Transaction(transactions.why_fenced(reason))
}

/// How long an ending by force waits for others.
const LAST_STEPS: Duration = Duration::from_millis(200);

/// Comes back when the query was told to stop and its grace time is over.
async fn overdue(stop: &watch::Sender<bool>, grace: Option<Duration>) -> Duration {
    let Some(grace) = grace else { return std::future::pending().await };
    let mut stop = stop.subscribe();
    if stop.wait_for(|stop| *stop).await.is_err() {
        return std::future::pending().await;
    }
    tokio::time::sleep(grace).await;
    grace
}

/// How an attempt ended, and the metrics as of its last commit.
struct Attempt {
    ended: Result<Ending, Cause>,
    metrics: MetricRegistry,
    // Of how many batches each stage's function may have kept something.
    kept: Vec<u64>,
}

/// Counts what functions lost that go on where an earlier process was; an error where one must not lose it.
fn restarted(plan: &Plan, positions: &[Positions], counters: &Counters) -> Result<(), BuildError> {
    for (source, _) in positions.iter().enumerate().filter(|(_, positions)| !positions.is_empty()) {
        for index in plan.stages_reached(source) {
            let (Some(stage), Some(counters)) = (plan.stages.get(index), counters.stages.get(index)) else { continue };
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
                "what the function kept in its memory in an earlier run is lost: it goes on with a new instance"
            );
        }
    }
    Ok(())
}
