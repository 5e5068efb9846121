//! Queries: a plan at work, from its sources to its sinks.
//!
//! ```
//! use weir_plan::Plan;
//! use weir_query::Query;
//! use weir_sandbox::{Engine, EngineConfig};
//!
//! let file = r#"
//! name = "seed"
//!
//! [sources.seed]
//! kind = "generator"
//! batches = 10
//!
//! [sinks.count]
//! kind = "count"
//! "#;
//! let plan = Plan::parse(file, std::path::Path::new(".")).unwrap();
//! let runtime = tokio::runtime::Runtime::new().unwrap();
//! runtime.block_on(async {
//!     let engine = Engine::new(&EngineConfig::default()).unwrap();
//!     let summary = Query::build(plan, &engine).await.unwrap().run().await.unwrap();
//!     assert_eq!(summary.records_read(), 10_000);
//! });
//! ```
//!
//! # The main types
//!
//! **[`Query`]** is a plan with compiled modules and open sinks. [`Query::run`] consumes it. While it runs, each source and each
//! sink has its own task behind a bounded queue, and one task takes each batch through the stages. The queues hold all batches that
//! are in memory.
//!
//! **[`QueryHandle`]** observes a query ([`Progress`], [`Details`], [`CommittedMetric`]) and asks it to pause or stop. Any number of
//! handles can be used from any thread.
//!
//! **[`Summary`]** is the final account. For every stage, in + expanded = out + filtered + failed + dead.
//!
//! **[`MetricRegistry`]** holds what guests recorded, one entry for each series. Values are staged with each batch and counted when
//! the batch commits.
//!
//! **[`weir_trace::Tracing`]** decides which batches of a query have spans, and passes each finished span to an exporter. Set it with
//! [`Query::traced`]. Without it, the query makes no spans and reads no clock for them, and records keep their own `traceparent`.
//! This crate contains no exporter.
//!
//! **[`GuestLine`]** is a log line of a guest, escaped, within its tenant's limits, and at most a thousand lines a second for each
//! stage. It goes to `tracing` with the target `guest`, and to the [`LogExporter`] set with [`Query::logged`].
//!
//! A commit first stores dead letters, then flushes every sink, and only then counts metrics and committed records.

#[cfg(test)]
mod fault_tables;
mod replay;
mod run;

pub use replay::{
    LetterFilter, NotReplayed, OtherVersion, Replay, ReplayError, Replayed, Replaying, TopicLetters, TopicLettersError,
};
pub use run::{
    BuildError, Cause, CommittedMetric, CommittedSeries, CounterKind, CounterSpec, Details, Durations, Ending, Extent,
    GuestLine, LogExporter, MetricRegistry, PartitionProgress, Progress, Query, QueryHandle, QueryState, Reading,
    RecordPlace, RunError, RunningQuery, Series, SinkDetails, SinkOverrides, SinkProgress, SourceProgress, Speaker,
    StageDetails, StageError, StageProgress, Starting, StateError, Summary, TopColumn, read_manifest,
};
pub use weir_batch::Fault;
