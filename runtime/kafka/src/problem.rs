//! Errors of writing to Kafka.

use std::time::Duration;

use weir_batch::Fault;

use crate::ErrorCode;

/// Why writing to a topic failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KafkaProblem {
    /// No broker responded in time.
    #[error("no broker answered within {} ms: {reason}", after.as_millis())]
    Unreachable {
        /// How long the client waited.
        after: Duration,
        /// The error of the last attempt.
        reason: String,
    },
    /// The topic does not exist, or this user may not see it.
    #[error("the topic does not exist")]
    UnknownTopic,
    /// The user lacks a permission, or could not be authenticated.
    #[error("not authorised: {0}")]
    NotAuthorised(ErrorCode),
    /// A record is larger than the client or the broker accepts.
    #[error("a record is too large: {0}")]
    MessageTooLarge(ErrorCode),
    /// The broker refused the record because of the topic's rules.
    #[error("the broker refused the record: {0}")]
    Refused(ErrorCode),
    /// Records were not delivered in time.
    #[error("a record was not delivered in time: {0}")]
    TimedOut(ErrorCode),
    /// Another producer with the same transactional id has taken over.
    #[error("another producer has taken over: {0}")]
    Fenced(ErrorCode),
    /// Another member of the group now owns the partitions, so this transaction cannot commit their positions.
    #[error("another member of the group has taken over: {0}")]
    OtherMember(ErrorCode),
    /// The producer failed permanently.
    #[error("the producer failed permanently: {0}")]
    Fatal(ErrorCode),
    /// The transaction of the sink has failed before.
    #[error("its transaction has failed before")]
    AfterError,
    /// A sink failed or was dropped before all of its records were written.
    #[error("a sink failed or was dropped before all of its records were written")]
    Abandoned,
    /// No client can be created with these settings.
    #[error("librdkafka does not accept the settings: {0}")]
    Settings(String),
    /// Any other error.
    #[error("{0}")]
    Other(ErrorCode),
}

impl KafkaProblem {
    /// Whether a broker refused the record because of its content, and would accept others.
    pub fn is_refusal(&self) -> bool {
        matches!(self, KafkaProblem::MessageTooLarge(_) | KafkaProblem::Refused(_))
    }

    /// Who has to act.
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
            // A new producer has a new identity, and starts a new sequence.
            KafkaProblem::Fatal(_) => true,
            KafkaProblem::Other(code) => code.passes_for_producers(),
            _ => false,
        }
    }
}
