//! Running a plan.

mod breaker;
mod build;
mod byte_count;
mod bytes;
mod chain;
mod commit;
mod counters;
mod dead_letters;
mod details;
mod error;
mod failpoint;
mod guest_log;
mod handle;
mod metrics;
mod number;
mod open;
mod query;
mod reader;
mod sink_task;
mod stage;
mod state;
mod state_guard;
mod summary;
mod timing;
mod waiting;

pub use byte_count::ByteCount;
pub use counters::{PartitionProgress, Progress, SinkProgress, SourceProgress, StageProgress, State};
pub use dead_letters::DeadLetterError;
pub(crate) use dead_letters::{Locked, lock};
#[cfg(test)]
pub(crate) use dead_letters::{Sender, Why, of_bad, of_row};
pub use details::{Details, SinkDetails, StageDetails};
pub use error::{BuildError, Cause, RunError};
pub(crate) use failpoint::failpoint;
pub use guest_log::{GuestLine, LogExporter, Speaker};
pub use handle::QueryHandle;
pub use metrics::{CommittedMetric, CommittedSeries, MetricRegistry, Reading, Series};
pub use number::{Count, Rate};
pub use query::{Query, SinkOverrides};
pub use stage::StageError;
pub(crate) use state::StateFolder;
pub use state::{
    Manifest, ManifestError, NextNumber, PartitionPosition, PreparedFile, SourcePositions, StateError, StoredSeries,
    StoredValue,
};
pub use summary::{Ending, Summary};
pub use timing::Durations;
