//! A query, built from its plan and run to its end.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use weir_batch::CopyOnWrite;
use weir_batch::format::Fill;
use weir_sandbox::Engine;
use weir_sinks::{Sink, SinkConfig};

use super::build::build_stages;
use super::chain::{Chain, Parts};
use super::counters::{Counters, Progress};
use super::dead_letters::DeadLetters;
use super::error::{BuildError, RunError};
use super::sink_task::SinkTask;
use super::stage::StageRunner;
use super::summary::{Ending, Summary};
use crate::file::{DeadLettersPlan, Denied, Folders, Plan, SinkPlan, SourceKind};
use crate::source::{FileSource, GeneratorSource, KafkaSource, NexmarkSource, Source};

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
        let sources = plan.sources.iter().enumerate().map(|(index, source)| {
            let records_max = plan.batching.records_max;
            let built: Box<dyn Source> = match &source.kind {
                SourceKind::File { paths, format, .. } => {
                    let fill = Fill { records_max, delay_max: Some(plan.batching.delay_max) };
                    let source = FileSource::new(paths.clone(), *format, Arc::clone(&source.schema), fill);
                    Box::new(source.within(plan.folders.clone()))
                }
                SourceKind::Kafka(config) => {
                    let built = KafkaSource::new(plan.kafka_source(index, config), Arc::clone(&source.schema));
                    let named = |error| BuildError::Source { name: source.name.to_string(), source: error };
                    Box::new(built.map_err(named)?)
                }
                SourceKind::Generator { batches } => Box::new(GeneratorSource::new(*batches)?),
                SourceKind::Nexmark { stream, events } => Box::new(NexmarkSource::new(*stream, *events, records_max)?),
            };
            Ok(built)
        });
        let sources = sources.collect::<Result<Vec<_>, BuildError>>()?;
        let stages = build_stages(&plan, engine).await?;
        let dead_letters = match &plan.dead_letters {
            None => None,
            Some(DeadLettersPlan::File(path)) => Some(path.as_path()),
            Some(DeadLettersPlan::Kafka(config)) => {
                return Err(BuildError::DeadLettersToKafka { topic: config.topic.clone() });
            }
        };
        let dead_letters = dead_letters.map(|path| {
            still_within(&plan.folders, path, || "dead_letters".to_owned())?;
            DeadLetters::open(path, &plan.folders).map_err(BuildError::from)
        });
        let dead_letters = dead_letters.transpose()?;
        let mut sinks = Vec::with_capacity(plan.sinks.len());
        for sink in &plan.sinks {
            sinks.push(match given.remove(&*sink.name) {
                Some(sink) => sink,
                None => open_sink(sink, &plan.folders).await?,
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
        let sinks = sinks.collect();
        let parts = Parts {
            plan,
            stages,
            sinks,
            dead_letters,
            counters: Arc::clone(&counters),
            copy_on_write: Arc::clone(&copy_on_write),
            stop,
        };
        let mut chain = Chain::new(parts);
        // A sink that fails ends the query wherever it waits just then: for a record, a guest, or another sink.
        let ended = tokio::select! {
            biased;
            ended = chain.run_to_end(sources) => ended,
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

/// Opens a sink. A file sink's folder is looked at before and after its first hidden file is made in it.
async fn open_sink(sink: &SinkPlan, folders: &Folders) -> Result<Box<dyn Sink>, BuildError> {
    let within = || match &sink.config {
        SinkConfig::File(config) => still_within(folders, &config.path, || format!("sinks.{}", sink.name)),
        SinkConfig::Stdout(_) | SinkConfig::Kafka(_) | SinkConfig::Memory(_) | SinkConfig::Count => Ok(()),
    };
    within()?;
    let opened = sink.config.build(&sink.schema).await;
    let opened = opened.map_err(|source| BuildError::Sink { name: sink.name.to_string(), source })?;
    within()?;
    Ok(opened)
}

/// Whether a file that is to be written still lies where the check of the query file found it.
fn still_within(folders: &Folders, path: &Path, place: impl FnOnce() -> String) -> Result<(), BuildError> {
    let denied = match folders.output(path) {
        Ok(real) if real == path => return Ok(()),
        Ok(_) => Denied::Outside,
        Err(denied) => denied,
    };
    Err(BuildError::Denied { place: place(), source: denied })
}
