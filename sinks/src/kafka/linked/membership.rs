//! A sink's part in the transactions of its query.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLockReadGuard};

use rdkafka::error::RDKafkaErrorCode;

use super::TransactionError;
use super::client::code_of;
use super::producer::Producer;
use super::transactional::{Shared, Transaction, TransactionState};
use weir_kafka::KafkaProblem;

/// A sink's part in the transactions.
pub(super) struct Membership {
    shared: Arc<Shared>,
    // The transaction that the sink last wrote in, ended or not.
    transaction: Option<Arc<Transaction>>,
}

/// A write under way. Unless it says that all was written, the transaction is torn.
pub(super) struct Writing<'a> {
    shared: &'a Shared,
    _no_commit: RwLockReadGuard<'a, TransactionState>,
    transaction: Arc<Transaction>,
    whole: bool,
}

impl Membership {
    pub(super) fn new(shared: Arc<Shared>) -> Membership {
        Membership { shared, transaction: None }
    }

    pub(super) fn producer(&self) -> &Producer {
        &self.shared.producer
    }

    /// Begins to write, in a new transaction if none is open.
    pub(super) fn enter(&mut self) -> Result<Writing<'_>, KafkaProblem> {
        let (guard, transaction) = self.shared.enter().map_err(|error| match error {
            TransactionError::Aborted { source } | TransactionError::Fatal { source, .. } => source,
            TransactionError::Fenced { .. } => KafkaProblem::Fenced(code_of(RDKafkaErrorCode::Fenced)),
            _ => KafkaProblem::AfterError,
        })?;
        if transaction.torn.load(Ordering::Acquire) {
            return Err(KafkaProblem::AfterError);
        }
        self.transaction = Some(Arc::clone(&transaction));
        self.shared.written.store(true, Ordering::Release);
        Ok(Writing { shared: &self.shared, _no_commit: guard, transaction, whole: false })
    }

    /// Fails where the transactions failed.
    pub(super) fn check(&self) -> Result<(), KafkaProblem> {
        let state = self.shared.state.read().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            TransactionState::Failed => Err(KafkaProblem::AfterError),
            TransactionState::Open(transaction) if transaction.torn.load(Ordering::Acquire) => {
                Err(KafkaProblem::AfterError)
            }
            TransactionState::Open(_) | TransactionState::Idle => Ok(()),
        }
    }

    /// Ends in good order: what was written may be committed.
    pub(super) fn leave(mut self) {
        self.transaction = None;
    }
}

impl Drop for Membership {
    fn drop(&mut self) {
        // If that transaction has ended, this changes nothing.
        if let Some(transaction) = &self.transaction {
            transaction.torn.store(true, Ordering::Release);
        }
    }
}

impl Writing<'_> {
    pub(super) fn producer(&self) -> &Producer {
        &self.shared.producer
    }

    pub(super) fn all_written(mut self) {
        self.whole = true;
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.whole {
            self.transaction.torn.store(true, Ordering::Release);
        }
    }
}
