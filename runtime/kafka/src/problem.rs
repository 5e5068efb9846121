//! What Kafka answers.

use std::time::Duration;

use weir_batch::Fault;

use crate::ErrorCode;

/// Why a topic cannot be written to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaProblem {
    /// No broker answered in time.
    #[error("no broker answered within {} ms: {reason}", after.as_millis())]
    Unreachable {
        /// How long it was waited for.
        after: Duration,
        /// What the last try met with.
        reason: String,
    },
    /// There is no such topic, or none that this user may see.
    #[error("the topic does not exist")]
    UnknownTopic,
    /// The user may not do this, or is not who it claims to be.
    #[error("not authorised: {0}")]
    NotAuthorised(ErrorCode),
    /// A record is larger than the client or the broker takes.
    #[error("a record is too large: {0}")]
    MessageTooLarge(ErrorCode),
    /// The broker's rules for the topic refuse the record.
    #[error("the broker refused the record: {0}")]
    Refused(ErrorCode),
    /// Records were not delivered in time.
    #[error("a record was not delivered in time: {0}")]
    TimedOut(ErrorCode),
    /// Another producer with the same transactional id has taken over.
    #[error("another producer has taken over: {0}")]
    Fenced(ErrorCode),
    /// The group has moved on: the positions in the transaction are another member's to keep.
    #[error("another member of the group has taken over: {0}")]
    OtherMember(ErrorCode),
    /// The producer met an error after which it is of no use.
    #[error("the producer failed permanently: {0}")]
    Fatal(ErrorCode),
    /// The transaction that the sink writes in failed before.
    #[error("its transaction has failed before")]
    AfterError,
    /// A sink failed or was dropped before all of its records were written.
    #[error("a sink failed or was dropped before all of its records were written")]
    Abandoned,
    /// No client can be made of these settings.
    #[error("librdkafka does not accept the settings: {0}")]
    Settings(String),
    /// Any other answer.
    #[error("{0}")]
    Other(ErrorCode),
}

impl KafkaProblem {
    /// Whether a broker refused a record for what it is, and would take others.
    pub fn is_refusal(&self) -> bool {
        matches!(self, KafkaProblem::MessageTooLarge(_) | KafkaProblem::Refused(_))
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            KafkaProblem::UnknownTopic
            | KafkaProblem::NotAuthorised(_)
            | KafkaProblem::MessageTooLarge(_)
            | KafkaProblem::Refused(_)
            | KafkaProblem::Settings(_) => Fault::Tenant,
            KafkaProblem::AfterError | KafkaProblem::Abandoned => Fault::Internal,
            KafkaProblem::Unreachable { .. }
            | KafkaProblem::TimedOut(_)
            | KafkaProblem::Fenced(_)
            | KafkaProblem::OtherMember(_)
            | KafkaProblem::Fatal(_)
            | KafkaProblem::Other(_) => Fault::External,
        }
    }

    /// Whether a new producer may succeed with the same records.
    pub fn retryable(&self) -> bool {
        match self {
            KafkaProblem::Unreachable { .. } | KafkaProblem::TimedOut(_) => true,
            // A new producer has a new identity, and begins a new sequence.
            KafkaProblem::Fatal(_) => true,
            KafkaProblem::Other(code) => code.passes_for_producers(),
            _ => false,
        }
    }
}
