//! Output and positions are in one transaction of Kafka's.

use std::time::Duration;

use async_trait::async_trait;
use weir_kafka::KafkaProblem;
use weir_sinks::{KafkaTransactions, SinkError, TransactionError};

use super::{Commit, Work, flush_all, vouch};
use crate::run::error::Cause;
use crate::run::failpoint::failpoint;

/// The broker's commit of the transaction is the commit.
pub(in crate::run) struct TransactionCommit {
    transactions: KafkaTransactions,
}

impl TransactionCommit {
    pub(in crate::run) fn new(transactions: KafkaTransactions) -> TransactionCommit {
        TransactionCommit { transactions }
    }
}

#[async_trait]
impl Commit for TransactionCommit {
    async fn commit(&mut self, work: Work<'_, '_>) -> Result<(), Cause> {
        let vouched = vouch(work.sources);
        flush_all(work.sinks).await?;
        vouched.done().await?;
        failpoint("commit.sinks");
        let mut offsets = Vec::new();
        for source in work.sources.iter() {
            let Some(keeper) = source.keeper.as_ref().filter(|_| !source.positions.is_empty()) else { continue };
            offsets.push(keeper.of_transaction(&source.positions).map_err(|error| match error.is_lost() {
                true => Cause::Lost {
                    name: source.plan.name.to_string(),
                    partitions: source.positions.iter().map(|(partition, _)| partition.clone()).collect(),
                },
                false => source.failure(error),
            })?);
        }
        failpoint("commit.offsets");
        self.transactions.commit(offsets).await?;
        failpoint("commit.transaction");
        Ok(())
    }

    /// Their records are in the transaction, and their positions cannot be: the other reader has them.
    fn is_one_step_with_positions(&self) -> bool {
        true
    }

    /// Says why the producer was fenced, where that is what happened.
    fn explain(&self, cause: Cause) -> Cause {
        let reason = match &cause {
            Cause::Transaction(TransactionError::Fenced { reason, .. }) => reason.clone(),
            Cause::Sink { source: SinkError::Kafka { source: KafkaProblem::Fenced(code), .. }, .. } => code.to_string(),
            _ => return cause,
        };
        Cause::Transaction(self.transactions.why_fenced(reason))
    }

    /// Readers need not wait for it to time out. If it fails, the next opening aborts it, or the time-out.
    async fn abort(&mut self, at_most: Duration) {
        match tokio::time::timeout(at_most, self.transactions.abort()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("could not abort the transaction: {error}"),
            Err(_elapsed) => tracing::debug!("the transaction was not aborted in time"),
        }
    }
}
