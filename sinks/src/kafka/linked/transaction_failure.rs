//! What an error of the transactional producer means.

use rdkafka::error::KafkaError;
use weir_kafka::KafkaProblem;
use weir_text::brief;

use super::TransactionError;

/// Where a transaction stood when librdkafka's call failed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// The broker was not asked to commit.
    BeforeCommit,
    /// It was, perhaps.
    AtCommit,
}

impl TransactionError {
    /// What an error of a transactional call means at this moment.
    pub(super) fn of(id: &str, error: &KafkaError, moment: Moment) -> TransactionError {
        let source = KafkaProblem::of_error(error);
        let reason = brief(&error.to_string());
        let fatal = matches!(error, KafkaError::Transaction(error) if error.is_fatal());
        match (&source, moment) {
            (KafkaProblem::Fenced(_), _) => TransactionError::Fenced { id: id.to_owned(), reason },
            (KafkaProblem::Fatal(_), _) => TransactionError::Fatal { reason, source },
            _ if fatal => TransactionError::Fatal { reason, source },
            (_, Moment::BeforeCommit) => TransactionError::Aborted { source },
            // An abortable error too: librdkafka may give a transaction up whose commit is on its way.
            (_, Moment::AtCommit) => TransactionError::Indeterminate { reason },
        }
    }

    /// A record of the transaction was lost, or could not be written at all.
    pub(super) fn lost(id: &str, source: KafkaProblem) -> TransactionError {
        match source {
            KafkaProblem::Fenced(code) => TransactionError::Fenced { id: id.to_owned(), reason: code.to_string() },
            KafkaProblem::Fatal(code) => TransactionError::Fatal { reason: code.to_string(), source },
            source => TransactionError::Aborted { source },
        }
    }
}
