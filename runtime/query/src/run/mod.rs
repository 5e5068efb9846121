//! Running a plan.

mod breaker;
mod build;
mod chain;
mod counters;
mod dead_letters;
mod error;
mod metrics;
mod query;
mod reader;
mod sink_task;
mod stage;
mod summary;
mod trace_ids;
mod waiting;

pub use counters::{Progress, SinkProgress, SourceProgress, StageProgress};
pub use dead_letters::DeadLetterError;
pub use error::{BuildError, Cause, RunError};
pub use metrics::{MetricRegistry, Reading, Series};
pub use query::{Query, QueryHandle, SinkOverrides};
pub use stage::StageError;
pub use summary::{Ending, Summary};
