//! Why a stage cannot go on.

use weir_sandbox::{CallError, Fault};

use super::record_place::RecordPlace;
use weir_letters::DeadLetterError;

/// A stage that cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StageError {
    /// The guest ended, or was ended, and no record is to blame.
    #[error(transparent)]
    Call(Box<CallError>),
    /// One record alone ended a fresh instance of the guest, and the policy is `fail`.
    #[error("{place} ends the function: {source}; to continue, set `on_error = \"skip\"` or `\"dead_letter\"`")]
    Record {
        /// Where the record came from.
        place: Box<RecordPlace>,
        /// How the guest ended.
        source: Box<CallError>,
    },
    /// The function refused a record, and the policy is `fail`.
    #[error("{place} fails: {code}: {message}; to continue, set `on_error = \"skip\"` or `\"dead_letter\"`")]
    Row {
        /// Where the record came from.
        place: Box<RecordPlace>,
        /// `null_input`, or the guest's code.
        code: String,
        /// The guest's message.
        message: String,
    },
    /// Such a share of the records of one batch ended the guest that the function is to blame.
    #[error(
        "{records} of {rows} records in one batch ended the function, but `trapped_percent_max = {percent}` allows only {limit}: the function is probably broken; fix it, or raise `trapped_percent_max` of the stage (100 never fails the query); the last was {place}: {last}"
    )]
    TooManyTraps {
        /// Records that ended the guest, each alone.
        records: usize,
        /// Records of the batch.
        rows: usize,
        /// The most that may.
        limit: usize,
        /// The setting.
        percent: u32,
        /// The last of them.
        place: Box<RecordPlace>,
        /// How it ended the guest.
        last: Box<CallError>,
    },
    /// What the function kept in its memory was lost, and the policy is `fail`.
    #[error(
        "state_lost: function `{function}` has lost its state from {} ({cause}); to continue without it, set `on_state_loss = \"warn\"`",
        match batches {
            0 => "an earlier run".to_owned(),
            1 => "1 batch".to_owned(),
            many => format!("{many} batches"),
        }
    )]
    StateLost {
        /// The function.
        function: String,
        /// Batches that the lost instance had answered.
        batches: u64,
        /// Why, with a code.
        cause: String,
    },
    /// A function keeps state that its module does not declare.
    #[error(
        "hidden_state: function `{function}` gave another result for batch {batch} on a new instance: {difference}; it keeps state that its module does not declare. Declare the state (`#[transform]` on an `impl`, or `\"state\":\"kept\"` in the \
         manifest), or set `on_state_loss` for a module that declares nothing, or `verify_every_batches = 0`"
    )]
    HiddenState {
        /// The function.
        function: String,
        /// The batch, counted from 1 since the query was opened.
        batch: u64,
        /// What differs.
        difference: String,
    },
    /// A failed record could not be kept.
    #[error(transparent)]
    DeadLetters(#[from] DeadLetterError),
    /// A batch could not be divided.
    #[error(transparent)]
    Batch(#[from] weir_batch::BatchError),
}

impl StageError {
    /// Whether the same batch may go through at another time.
    pub fn retryable(&self) -> bool {
        match self {
            StageError::Call(error) | StageError::Record { source: error, .. } => error.retryable(),
            StageError::DeadLetters(error) => error.retryable(),
            StageError::Row { .. }
            | StageError::TooManyTraps { .. }
            | StageError::StateLost { .. }
            | StageError::HiddenState { .. }
            | StageError::Batch(_) => false,
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            StageError::Call(error) => error.fault(),
            StageError::Record { .. }
            | StageError::Row { .. }
            | StageError::TooManyTraps { .. }
            | StageError::StateLost { .. }
            | StageError::HiddenState { .. } => Fault::Tenant,
            StageError::DeadLetters(error) => error.fault(),
            StageError::Batch(_) => Fault::Internal,
        }
    }
}
