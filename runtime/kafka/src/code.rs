//! Error codes of brokers and the client.

use std::fmt;

use rdkafka::error::RDKafkaErrorCode as Code;
use rdkafka::types::RDKafkaRespErr;

/// An error code of Kafka's protocol or of librdkafka.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ErrorCode(pub(crate) Code);

impl ErrorCode {
    /// Whether the error is temporary: for example a coordinator that moves, or a broker that is down.
    pub fn passes(self) -> bool {
        matches!(
            self.0,
            Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotCoordinator
                | Code::WaitingForCoordinator
                | Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::RequestTimedOut
                | Code::OperationTimedOut
                | Code::TimedOutQueue
                | Code::NetworkException
                | Code::Resolve
                | Code::ThrottlingQuotaExceeded
                | Code::UnstableOffsetCommit
        )
    }
}

impl ErrorCode {
    /// Whether a new producer may succeed with the same records.
    pub(crate) fn passes_for_producers(self) -> bool {
        matches!(
            self.0,
            Code::NotEnoughReplicas
                | Code::NotEnoughReplicasAfterAppend
                | Code::LeaderNotAvailable
                | Code::NotLeaderForPartition
                | Code::BrokerNotAvailable
                | Code::ReplicaNotAvailable
                | Code::CoordinatorNotAvailable
                | Code::CoordinatorLoadInProgress
                | Code::NotCoordinator
                | Code::ConcurrentTransactions
                | Code::NetworkException
                | Code::KafkaStorageError
                | Code::ThrottlingQuotaExceeded
                | Code::Resolve
        )
    }
}

impl ErrorCode {
    /// The error code with this number in librdkafka (`rd_kafka_resp_err_t`). A number that this version of librdkafka does not know
    /// is its `Unknown`.
    pub fn of_librdkafka(number: i32) -> ErrorCode {
        ErrorCode(RDKafkaRespErr::try_from(number).map_or(Code::Unknown, Code::from))
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
