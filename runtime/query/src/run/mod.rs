//! Running a plan.

mod again;
mod attempt;
mod breaker;
mod budget;
mod build;
mod byte_count;
mod bytes;
mod chain;
mod commit;
mod counters;
mod dead_letters;
mod details;
mod error;
mod extent;
mod failpoint;
mod failures;
mod fit;
mod guest_log;
mod handle;
mod intake;
mod metric_state;
mod metrics;
mod narrow;
mod number;
mod open;
mod progress;
mod query;
mod reader;
mod record_place;
mod refused;
mod room;
mod shared;
mod sink_task;
mod slot;
mod stage;
mod stage_error;
mod starting;
mod state;
mod state_guard;
mod summary;
mod timing;
mod turn;
mod waiting;

pub use byte_count::ByteCount;
pub use dead_letters::DeadLetterError;
pub(crate) use dead_letters::{Locked, lock};
#[cfg(test)]
pub(crate) use dead_letters::{Sender, Why, of_bad, of_row};
pub use details::{Details, SinkDetails, StageDetails};
pub use error::{BuildError, Cause, RunError};
pub use extent::Extent;
pub(crate) use failpoint::failpoint;
pub use guest_log::{GuestLine, LogExporter, Speaker};
pub use handle::QueryHandle;
pub use metrics::{CommittedMetric, CommittedSeries, MetricRegistry, Reading, Series};
pub use number::{Count, Rate};
pub use open::SinkOverrides;
pub use progress::{PartitionProgress, Progress, SinkProgress, SourceProgress, StageProgress, State};
pub use query::Query;
pub use record_place::RecordPlace;
pub(crate) use slot::Slot;
pub use slot::SlotError;
pub use stage_error::StageError;
pub use starting::Starting;
pub(crate) use state::StateFolder;
pub use state::{
    Manifest, ManifestError, NextNumber, PartitionPosition, PreparedFile, SourcePositions, StateError, StoredSeries,
    StoredValue,
};
pub use summary::{Ending, Summary};
pub use timing::Durations;
