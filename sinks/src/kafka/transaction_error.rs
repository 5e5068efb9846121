//! How a transaction can fail.

use std::time::Duration;

use weir_batch::Fault;
use weir_kafka::KafkaProblem;

/// A transaction that did not go through, or about which that is not known. Whatever it is, the
/// [`crate::KafkaTransactions`] takes nothing more, and is to be opened again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransactionError {
    /// Settings that no transactional producer can be made of.
    #[error("{key}: {reason}")]
    Config {
        /// The setting.
        key: &'static str,
        /// What would be right.
        reason: String,
    },
    /// The producer could not be opened.
    #[error("cannot open the transactions of `{id}`: {source}")]
    Open {
        /// The transactional id.
        id: String,
        /// Why.
        source: KafkaProblem,
    },
    /// The broker allows only shorter transactions.
    #[error(
        "the broker does not allow the `transaction.timeout.ms` of {} ms of `{id}`: lower this option of the sink to at most the broker's `transaction.max.timeout.ms` (and keep it above the query's `commit_ms`), or raise the broker's setting",
        timeout.as_millis()
    )]
    TimeoutTooLong {
        /// The transactional id.
        id: String,
        /// How long a transaction was to be open at most.
        timeout: Duration,
    },
    /// Certainly nothing was committed: the commit was never asked for.
    #[error("the transaction is aborted: {source}")]
    Aborted {
        /// Why.
        source: KafkaProblem,
    },
    /// Another producer with the same transactional id has taken over. If this happens at the commit, the commit may
    /// have been done: the new producer's group positions tell.
    #[error(
        "another producer has taken over the transactions of `{id}`: {reason}; remove `transactional_id`, or give each process its own id"
    )]
    Fenced {
        /// The transactional id.
        id: String,
        /// What librdkafka says.
        reason: String,
    },
    /// The transaction was open for longer than the broker allows, because the process was stopped or its machine suspended:
    /// the broker has aborted it, and takes nothing more of its producer.
    #[error(
        "the broker has aborted a transaction of `{id}` that was open for {} s, longer than its `transaction.timeout.ms` allows",
        open_for.as_secs()
    )]
    TimedOut {
        /// The transactional id.
        id: String,
        /// How long it was open.
        open_for: Duration,
        /// How long it might be.
        timeout: Duration,
    },
    /// The commit was asked for, and it is not known whether it was done. The group's positions tell, after the
    /// transactions were opened again.
    #[error("it is not known whether the transaction was committed: {reason}")]
    Indeterminate {
        /// What librdkafka says.
        reason: String,
    },
    /// The producer met an error after which it cannot be used. If this happens at the commit, the commit may have been
    /// done.
    #[error("the transactional producer failed permanently: {reason}")]
    Fatal {
        /// What librdkafka says.
        reason: String,
        /// What it means.
        source: KafkaProblem,
    },
    /// The transactions failed before.
    #[error("the transactions have failed before and accept nothing more")]
    AfterError,
    /// The task that ran a step ended without an answer.
    #[error("the transactions' task ended without an answer")]
    Ended,
}

impl TransactionError {
    /// Whether nothing of the transaction can have been committed. `false` says that it is not known.
    pub fn certainly_not_committed(&self) -> bool {
        matches!(
            self,
            TransactionError::Aborted { .. }
                | TransactionError::Config { .. }
                | TransactionError::Open { .. }
                | TransactionError::TimeoutTooLong { .. }
        )
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            TransactionError::Config { .. } | TransactionError::TimeoutTooLong { .. } => Fault::Tenant,
            TransactionError::Open { source, .. }
            | TransactionError::Aborted { source }
            | TransactionError::Fatal { source, .. } => source.fault(),
            TransactionError::Fenced { .. }
            | TransactionError::TimedOut { .. }
            | TransactionError::Indeterminate { .. } => Fault::External,
            TransactionError::AfterError | TransactionError::Ended => Fault::Internal,
        }
    }

    /// Whether opening the transactions again may help. One that was fenced must not fence its successor in turn.
    pub fn retryable(&self) -> bool {
        match self {
            TransactionError::Open { source, .. }
            | TransactionError::Aborted { source }
            | TransactionError::Fatal { source, .. } => source.retryable(),
            TransactionError::Indeterminate { .. } | TransactionError::TimedOut { .. } => true,
            _ => false,
        }
    }
}
