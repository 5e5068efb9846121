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
//! # The nouns
//!
//! **[`Query`]**: a plan with its modules compiled and its sinks open. Owned by whoever runs it, used up by
//! [`Query::run`]. While it runs, each source and each sink has a task of its own behind a bounded queue, and one task
//! takes each batch through the stages: what is in memory is what is in the queues.
//!
//! **[`QueryHandle`]**: watches a query ([`Progress`], [`Details`], [`CommittedMetric`]) and asks it to stop; any number, from any thread.
//!
//! **[`Summary`]**: the closing account. For every stage, in + expanded = out + filtered + failed + dead.
//!
//! **[`MetricRegistry`]**: what guests recorded, staged with each batch and counted when it commits. An entry a series.
//!
//! **[`weir_trace::Tracing`]**: which batches of a query have spans, and the exporter that takes each span as it ends. Given to a
//! query by [`Query::traced`]; without it no span, id or clock is made, and records keep the `traceparent` that they came
//! with. How spans leave the process is the exporter's business: this crate has none.
//!
//! **[`GuestLine`]**: what a guest has said, escaped and within its tenant's limits, and at most a thousand a second of each
//! stage. It goes to `tracing`, with the target `guest`, and to the [`LogExporter`] that [`Query::logged`] was given.
//!
//! A commit makes dead letters durable, then every sink, and only then counts: metrics, and the records committed.

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
    RecordPlace, RunError, Series, SinkDetails, SinkOverrides, SinkProgress, SourceProgress, Speaker, StageDetails,
    StageError, StageProgress, Starting, StateError, Summary, TopColumn, read_manifest,
};
pub use weir_batch::Fault;
