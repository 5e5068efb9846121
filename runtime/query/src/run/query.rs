//! A query, built from its plan and run to its end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use weir_batch::format::{BadRecord, Fill};
use weir_batch::{Batch, CopyOnWrite};
use weir_sandbox::{Engine, Instance, Module};
use weir_sinks::Sink;

use super::counters::{Counters, Progress};
use super::dead_letters::{DeadLetters, Sender};
use super::error::{BuildError, Cause, RunError};
use super::metrics::MetricRegistry;
use super::sink_task::{SinkFailure, SinkTask};
use super::stage::{StageRunner, Workplace};
use super::summary::{Ending, Summary};
use super::trace_ids::TraceIds;
use crate::file::{ErrorPolicy, Node, Plan, SourceKind};
use crate::source::{FileSource, GeneratorSource, NexmarkSource, Origin, Source, SourceBatch, SourceError};

/// Sources, stages and sinks, ready to run.
pub struct Query {
    plan: Plan,
    sources: Vec<Box<dyn Source>>,
    stages: Vec<StageRunner>,
    sinks: Vec<Box<dyn Sink>>,
    dead_letters: Option<DeadLetters>,
    counters: Arc<Counters>,
    copy_on_write: Arc<CopyOnWrite>,
    stop: watch::Sender<bool>,
}

/// Watches a query and stops it, from any thread; outlives it.
#[derive(Clone)]
pub struct QueryHandle {
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
}

impl QueryHandle {
    /// What the query has done so far.
    pub fn progress(&self) -> Progress {
        self.counters.progress()
    }

    /// Asks the query to take in no more, to finish what it has, to commit and to end.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// Sinks that stand in for those a plan names, by name: for tests and benches.
pub type SinkOverrides = HashMap<String, Box<dyn Sink>>;

impl Query {
    /// Admits and compiles the modules, and opens sinks and dead letters. Nothing runs yet.
    ///
    /// # Errors
    ///
    /// A refused module, or a sink or file that cannot be opened.
    pub async fn build(plan: Plan, engine: &Engine) -> Result<Query, BuildError> {
        Query::build_with(plan, engine, SinkOverrides::new()).await
    }

    /// As [`Query::build`], with some sinks given.
    ///
    /// # Errors
    ///
    /// As [`Query::build`].
    pub async fn build_with(plan: Plan, engine: &Engine, mut given: SinkOverrides) -> Result<Query, BuildError> {
        let sources = plan.sources.iter().map(|source| {
            let records_max = plan.batching.records_max;
            let built: Box<dyn Source> = match &source.kind {
                SourceKind::File { paths, format, .. } => {
                    let fill = Fill { records_max, delay_max: Some(plan.batching.delay_max) };
                    Box::new(FileSource::new(paths.clone(), *format, Arc::clone(&source.schema), fill))
                }
                SourceKind::Generator { batches } => Box::new(GeneratorSource::new(*batches)?),
                SourceKind::Nexmark { stream, events } => Box::new(NexmarkSource::new(*stream, *events, records_max)?),
            };
            Ok(built)
        });
        let sources = sources.collect::<Result<Vec<_>, BuildError>>()?;
        let stages = build_stages(&plan, engine).await?;
        let dead_letters = plan.dead_letters.as_deref().map(DeadLetters::open).transpose()?;
        let mut sinks = Vec::with_capacity(plan.sinks.len());
        for sink in &plan.sinks {
            sinks.push(match given.remove(&*sink.name) {
                Some(sink) => sink,
                None => sink
                    .config
                    .build(&sink.schema)
                    .await
                    .map_err(|source| BuildError::Sink { name: sink.name.to_string(), source })?,
            });
        }
        let names = |names: Vec<&Arc<str>>| names.into_iter().map(Arc::clone).collect::<Vec<_>>();
        let counters = Counters::new(
            &names(plan.sources.iter().map(|source| &source.name).collect()),
            &names(plan.stages.iter().map(|stage| &stage.name).collect()),
            &names(plan.sinks.iter().map(|sink| &sink.name).collect()),
        );
        Ok(Query {
            plan,
            sources,
            stages,
            sinks,
            dead_letters,
            counters: Arc::new(counters),
            copy_on_write: Arc::new(CopyOnWrite::default()),
            stop: watch::Sender::new(false),
        })
    }

    /// The plan that it was built from.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A handle to watch and stop it by.
    pub fn handle(&self) -> QueryHandle {
        QueryHandle { counters: Arc::clone(&self.counters), stop: self.stop.clone() }
    }

    /// Runs until the sources end, [`QueryHandle::stop`] is called, the reader of a sink goes away, or something fails.
    ///
    /// # Errors
    ///
    /// What failed first, with the summary up to there. Nothing written since the last commit is published then, but for
    /// files that rotated on their own.
    pub async fn run(self) -> Result<Summary, RunError> {
        let started = Instant::now();
        let Query { plan, sources, stages, sinks, dead_letters, counters, copy_on_write, stop } = self;
        let (failed, mut failures) = mpsc::unbounded_channel();
        let sinks = sinks.into_iter().zip(&plan.sinks).enumerate().map(|(index, (sink, plan))| {
            let (name, counters) = (Arc::clone(&plan.name), Arc::clone(&counters));
            SinkTask::spawn(name, sink, plan.queue_batches_max, counters, index, failed.clone())
        });
        let mut metrics = MetricRegistry::default();
        for stage in &plan.stages {
            metrics.add_stage(&stage.name, &stage.function, stage.limits.series_max);
        }
        let mut chain = Chain {
            sinks: sinks.collect(),
            stages,
            dead_letters,
            counters: Arc::clone(&counters),
            copy_on_write: Arc::clone(&copy_on_write),
            metrics,
            trace_ids: TraceIds::new(),
            uncommitted_records: 0,
            outputs: vec![Vec::new(); plan.stages.len()],
            plan,
        };
        // A sink that fails ends the query wherever it waits just then: for a record, a guest, or another sink.
        let ended = tokio::select! {
            biased;
            ended = chain.run_to_end(sources, &stop) => ended,
            Some(failed) = failures.recv() => Err(chain.why(failed).await),
        };
        if ended.is_err() {
            for sink in &mut chain.sinks {
                sink.abort().await;
            }
        }
        let summary = |ending| Summary {
            query: chain.plan.name.clone(),
            tenant: chain.plan.tenant.to_string(),
            ending,
            elapsed: started.elapsed(),
            progress: counters.progress(),
            metrics: chain.metrics.committed(),
            copy_on_write_free: copy_on_write.free(),
            copy_on_write_copied: copy_on_write.copied(),
        };
        match ended {
            Ok(ending) => Ok(summary(ending)),
            Err(cause) => Err(RunError { summary: Box::new(summary(Ending::Failed)), cause }),
        }
    }
}

async fn build_stages(plan: &Plan, engine: &Engine) -> Result<Vec<StageRunner>, BuildError> {
    // Stages of one module share its compiled code. A stage's limits may differ, and admission depends on them.
    let mut admitted: Vec<(usize, Arc<Module>)> = Vec::new();
    let mut stages = Vec::with_capacity(plan.stages.len());
    for (index, stage) in plan.stages.iter().enumerate() {
        let same = |other: &usize| {
            plan.stages.get(*other).is_some_and(|other| other.module == stage.module && other.limits == stage.limits)
        };
        let known = admitted.iter().find(|(other, _)| same(other)).map(|(_, module)| Arc::clone(module));
        let module = match known {
            Some(module) => module,
            None => {
                let (engine, tenant) = (engine.clone(), plan.tenant.clone());
                let (bytes, limits) = (Arc::clone(&stage.module), stage.limits.clone());
                // Compiling takes a core for milliseconds to seconds.
                let module = tokio::task::spawn_blocking(move || engine.admit(&tenant, &bytes, &limits))
                    .await
                    .map_err(|error| BuildError::Thread(error.to_string()))?
                    .map_err(|source| BuildError::Refused {
                        stage: stage.name.to_string(),
                        path: stage.module_path.clone(),
                        source: Box::new(source),
                    })?;
                admitted.push((index, Arc::clone(&module)));
                module
            }
        };
        let sender = Sender {
            query: plan.name.as_str().into(),
            tenant: plan.tenant.to_string().into(),
            place: Arc::clone(&stage.name),
            guest: Some((module.digest().to_string().into(), stage.function.name.as_str().into())),
        };
        let bound = Arc::new(stage.bound.clone());
        let instance = Instance::new(&module, &bound, &stage.limits).with_isolation(stage.isolation);
        stages.push(StageRunner { index, name: Arc::clone(&stage.name), instance, on_error: stage.on_error, sender });
    }
    Ok(stages)
}

/// What a source's task hands on.
type FromSource = (usize, Result<SourceBatch, SourceError>);

/// Batches that may wait between the sources and the stages, for each source.
const SOURCE_QUEUE_BATCHES: usize = 2;

/// A query while it runs: the one task that drives stages, commits and dead letters.
struct Chain {
    plan: Plan,
    stages: Vec<StageRunner>,
    sinks: Vec<SinkTask>,
    dead_letters: Option<DeadLetters>,
    counters: Arc<Counters>,
    copy_on_write: Arc<CopyOnWrite>,
    metrics: MetricRegistry,
    trace_ids: TraceIds,
    uncommitted_records: u64,
    // What each stage made of the batch at hand; kept to save allocations.
    outputs: Vec<Vec<Arc<Batch>>>,
}

impl Chain {
    async fn run_to_end(&mut self, sources: Vec<Box<dyn Source>>, stop: &watch::Sender<bool>) -> Result<Ending, Cause> {
        let (queue, mut batches) = mpsc::channel::<FromSource>(SOURCE_QUEUE_BATCHES * sources.len().max(1));
        let mut readers = Readers(Vec::new());
        for (index, source) in sources.into_iter().enumerate() {
            readers.0.push(tokio::spawn(read(index, source, queue.clone(), stop.subscribe())));
        }
        drop(queue);
        let commit_every = self.plan.delivery.commit_every;
        let mut next_commit = commit_every.map(|every| Instant::now() + every);
        loop {
            let message = match next_commit {
                None => batches.recv().await,
                Some(due) => match tokio::time::timeout_at(due.into(), batches.recv()).await {
                    Ok(message) => message,
                    Err(_elapsed) => {
                        self.commit().await?;
                        next_commit = commit_every.map(|every| Instant::now() + every);
                        continue;
                    }
                },
            };
            let Some((source, read)) = message else { break };
            let read = read.map_err(|error| Cause::Source { name: self.source_name(source), source: error })?;
            self.take_in(source, read).await?;
            // Under load a batch is always waiting, so that the time-out above never comes.
            if next_commit.is_some_and(|due| Instant::now() >= due) {
                self.commit().await?;
                next_commit = commit_every.map(|every| Instant::now() + every);
            }
            // Only after the turn: what was taken in has reached every sink that still takes something.
            if self.sinks.iter().any(SinkTask::reader_gone) {
                return self.finish(Ending::ReaderGone).await;
            }
        }
        // The queue ends when every reader has; one that panicked has not come to the end of its source.
        for (index, reader) in readers.0.iter_mut().enumerate() {
            reader.await.map_err(|error| Cause::Source {
                name: self.source_name(index),
                source: SourceError::Thread(error.to_string()),
            })?;
        }
        let stopped = *stop.borrow();
        self.finish(if stopped { Ending::Stopped } else { Ending::EndOfInput }).await
    }

    /// Why the sink at this index failed.
    async fn why(&mut self, sink: usize) -> Cause {
        let outcome = match self.sinks.get_mut(sink) {
            Some(sink) => sink.outcome().await,
            None => Ok(()),
        };
        match outcome {
            Err(failure) => failure.into(),
            Ok(()) => Cause::Sink { name: String::new(), source: weir_sinks::SinkError::ended() },
        }
    }

    fn source_name(&self, index: usize) -> String {
        self.plan.sources.get(index).map(|source| source.name.to_string()).unwrap_or_default()
    }

    /// Takes one batch through every stage and into every sink's queue.
    async fn take_in(&mut self, source: usize, read: SourceBatch) -> Result<(), Cause> {
        let SourceBatch { batch, bad, bytes, origin } = read;
        if let Some(counters) = self.counters.sources.get(source) {
            counters.records.add((batch.rows() + bad.len()) as u64);
            counters.bytes.add(bytes);
            counters.batches.add(1);
        }
        self.uncommitted_records += (batch.rows() + bad.len()) as u64;
        self.refuse_bad(source, origin.as_ref(), &bad)?;
        if batch.is_empty() {
            return Ok(());
        }
        let mut batch = Arc::new(batch);
        if batch.trace().is_none() {
            let trace = self.trace_ids.next();
            self.copy_on_write.make_mut(&mut batch).set_trace(trace);
        }
        self.write_out(Node::Source(source), &batch).await?;
        for stage in 0..self.stages.len() {
            let inputs = self.inputs_of(stage, source, &batch);
            let mut made = Vec::new();
            for input in &inputs {
                let (Some(runner), Some(counters)) = (self.stages.get_mut(stage), self.counters.stages.get(stage))
                else {
                    continue;
                };
                let at = Workplace { counters, dead_letters: self.dead_letters.as_mut(), metrics: &mut self.metrics };
                let outputs = runner.run(input, at).await;
                let name = &runner.name;
                made.extend(outputs.map_err(|source| Cause::Stage { name: name.to_string(), source })?);
            }
            for output in &made {
                self.write_out(Node::Stage(stage), output).await?;
            }
            if let Some(outputs) = self.outputs.get_mut(stage) {
                *outputs = made;
            }
        }
        // Nothing holds a batch between turns: the sinks alone say how long it lives.
        self.outputs.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// The batches that a stage takes of this turn: at most one source has spoken.
    fn inputs_of(&self, stage: usize, source: usize, batch: &Arc<Batch>) -> Vec<Arc<Batch>> {
        let mut inputs = Vec::new();
        for node in self.plan.stages.get(stage).map(|stage| stage.inputs.as_slice()).unwrap_or_default() {
            match *node {
                Node::Source(index) if index == source => inputs.push(Arc::clone(batch)),
                Node::Source(_) => {}
                Node::Stage(index) => {
                    inputs.extend(self.outputs.get(index).into_iter().flatten().map(Arc::clone));
                }
            }
        }
        inputs
    }

    /// Queues a batch for every sink attached to this point.
    async fn write_out(&mut self, node: Node, batch: &Arc<Batch>) -> Result<(), Cause> {
        for (sink, plan) in self.sinks.iter_mut().zip(&self.plan.sinks) {
            if plan.inputs.contains(&node) {
                sink.write(Arc::clone(batch)).await?;
            }
        }
        Ok(())
    }

    /// Deals with records that did not decode by the source's policy.
    fn refuse_bad(&mut self, source: usize, origin: Option<&Origin>, bad: &[BadRecord]) -> Result<(), Cause> {
        let (Some(plan), Some(counters)) = (self.plan.sources.get(source), self.counters.sources.get(source)) else {
            return Ok(());
        };
        let partition = origin.map(|origin| origin.partition);
        for record in bad {
            match (plan.on_error, &mut self.dead_letters) {
                (ErrorPolicy::Fail, _) => {
                    return Err(Cause::Undecodable {
                        source_name: plan.name.to_string(),
                        file: origin.map(|origin| origin.path.clone()),
                        record: record.offset,
                        line: record.line,
                        message: record.message.clone(),
                    });
                }
                (ErrorPolicy::DeadLetter, Some(letters)) => {
                    let sender = Sender {
                        query: self.plan.name.as_str().into(),
                        tenant: self.plan.tenant.to_string().into(),
                        place: Arc::clone(&plan.name),
                        guest: None,
                    };
                    letters.add_bad(&sender, partition, record)?;
                    counters.dead.add(1);
                }
                (ErrorPolicy::Skip | ErrorPolicy::DeadLetter, _) => {
                    tracing::warn!(source = &*plan.name, offset = record.offset, "skipped: {}", record.message);
                    counters.failed.add(1);
                }
            }
        }
        Ok(())
    }

    /// Makes everything taken in durable, dead letters first, and then counts it: metrics fold, progress moves on.
    async fn commit(&mut self) -> Result<(), Cause> {
        if self.uncommitted_records == 0 {
            return Ok(());
        }
        if let Some(letters) = &mut self.dead_letters {
            letters.flush()?;
        }
        self.settle_sinks().await?;
        let mut flushed = Vec::with_capacity(self.sinks.len());
        for sink in &mut self.sinks {
            flushed.push(sink.flush().await?);
        }
        self.all_answer(flushed).await?;
        self.committed();
        Ok(())
    }

    /// As a commit, with every sink closed: the last one.
    async fn finish(&mut self, ending: Ending) -> Result<Ending, Cause> {
        if let Some(letters) = &mut self.dead_letters {
            letters.flush()?;
        }
        self.settle_sinks().await?;
        for sink in &mut self.sinks {
            sink.close().await?;
        }
        self.committed();
        // A reader may have gone at the very end.
        let gone = ending == Ending::EndOfInput && self.sinks.iter().any(SinkTask::reader_gone);
        Ok(if gone { Ending::ReaderGone } else { ending })
    }

    /// Waits until every sink has taken what is queued for it, so that none publishes while another fails on a batch.
    async fn settle_sinks(&mut self) -> Result<(), Cause> {
        let mut taken = Vec::with_capacity(self.sinks.len());
        for sink in &mut self.sinks {
            taken.push(sink.taken().await?);
        }
        self.all_answer(taken).await
    }

    /// Waits for an answer of every sink; one that does not answer has ended.
    async fn all_answer(&mut self, answers: Vec<oneshot::Receiver<()>>) -> Result<(), Cause> {
        for (sink, answer) in self.sinks.iter_mut().zip(answers) {
            if answer.await.is_err() {
                sink.outcome().await?;
            }
        }
        Ok(())
    }

    fn committed(&mut self) {
        self.metrics.commit();
        self.counters.committed_records.add(self.uncommitted_records);
        self.counters.commits.add(1);
        self.uncommitted_records = 0;
    }
}

impl From<SinkFailure> for Cause {
    fn from(failure: SinkFailure) -> Cause {
        Cause::Sink { name: failure.name.to_string(), source: failure.error }
    }
}

/// Reading tasks, ended with the query whichever way it ends.
struct Readers(Vec<JoinHandle<()>>);

impl Drop for Readers {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Reads a source to its end, or until it is told to stop, or until nobody listens.
async fn read(
    index: usize,
    mut source: Box<dyn Source>,
    queue: mpsc::Sender<FromSource>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        if *stop.borrow_and_update() {
            return;
        }
        let next = tokio::select! {
            next = source.next() => next,
            // A batch that is being read when the stop comes was not taken in: it will be read again.
            changed = stop.changed() => {
                if changed.is_err() { return }
                continue;
            }
        };
        let message = match next {
            Ok(None) => return,
            Ok(Some(batch)) => Ok(batch),
            Err(error) => Err(error),
        };
        let failed = message.is_err();
        if queue.send((index, message)).await.is_err() || failed {
            return;
        }
    }
}
