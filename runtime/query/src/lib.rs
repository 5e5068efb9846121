//! Queries: one TOML file says sources, stages and sinks; it is checked as a whole, and then run.
//!
//! ```
//! use weir_query::Plan;
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
//! input = "sed"
//! "#;
//! let problems = Plan::parse(file, std::path::Path::new(".")).unwrap_err();
//! assert_eq!(
//!     format!("line {}: {}", problems[0].line, problems[0]),
//!     "line 10: sinks.count.input: there is no source or stage `sed`; did you mean `seed`?"
//! );
//! ```
//!
//! # The nouns
//!
//! **[`Plan`]**: a query file that was found right: names resolved, modules read, every function bound to the schema
//! that reaches it. Made once by [`Plan::load`]; nothing runs before it is there. Costs the bytes of its modules.
//!
//! **[`QueryFileError`]**: everything that is wrong with a query file, each [`Problem`] with its key, line and mend.

mod file;
mod run;
mod source;

pub use file::{
    Batching, Delivery, ErrorPolicy, Guarantee, NexmarkStream, Node, Plan, Problem, QueryFileError, SinkPlan,
    SourceKind, SourcePlan, StagePlan,
};
pub use run::{
    BuildError, Cause, DeadLetterError, Ending, MetricRegistry, Progress, Query, QueryHandle, Reading, RunError,
    Series, SinkOverrides, SinkProgress, SourceProgress, StageError, StageProgress, Summary,
};
pub use source::{
    FileSource, SEED_BATCH_ROWS, Source, SourceBatch, SourceError, nexmark_schema, seed_batch, seed_schema,
};
