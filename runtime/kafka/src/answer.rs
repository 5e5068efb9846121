//! Maps errors of the client to [`KafkaProblem`].

use std::error::Error;

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use weir_text::brief;

use crate::{ErrorCode, HiddenValues, KafkaConnection, KafkaProblem};

impl KafkaProblem {
    /// The meaning of an error code of librdkafka for a producer.
    pub fn of(code: ErrorCode) -> KafkaProblem {
        match code.0 {
            Code::UnknownTopic | Code::UnknownTopicOrPartition | Code::UnknownTopicId | Code::InvalidTopic => {
                KafkaProblem::UnknownTopic
            }
            Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::ClusterAuthorizationFailed
            | Code::TransactionalIdAuthorizationFailed
            | Code::SaslAuthenticationFailed
            | Code::UnsupportedSASLMechanism
            | Code::Authentication => KafkaProblem::NotAuthorised(code),
            // A broker without a limit of its own for the topic sends `InvalidMessageSize`.
            Code::MessageSizeTooLarge | Code::MessageBatchTooLarge | Code::InvalidMessageSize => {
                KafkaProblem::MessageTooLarge(code)
            }
            Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::PolicyViolation
            | Code::InvalidMessage
            | Code::UnknownPartition => KafkaProblem::Refused(code),
            Code::MessageTimedOut
            | Code::OperationTimedOut
            | Code::TimedOutQueue
            | Code::RequestTimedOut
            | Code::BrokerTransportFailure
            | Code::AllBrokersDown => KafkaProblem::TimedOut(code),
            Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch | Code::TransactionCoordinatorFenced => {
                KafkaProblem::Fenced(code)
            }
            Code::IllegalGeneration | Code::UnknownMemberId | Code::RebalanceInProgress | Code::FencedInstanceId => {
                KafkaProblem::OtherMember(code)
            }
            Code::Fatal | Code::OutOfOrderSequenceNumber | Code::UnknownProducerId | Code::DuplicateSequenceNumber => {
                KafkaProblem::Fatal(code)
            }
            _ => KafkaProblem::Other(code),
        }
    }

    /// The meaning of an error of the client.
    pub fn of_error(error: &(dyn Error + 'static)) -> KafkaProblem {
        let known: Option<&KafkaError> = error.downcast_ref();
        match (known, known.and_then(KafkaError::rdkafka_error_code)) {
            (_, Some(code)) => KafkaProblem::of(ErrorCode(code)),
            // The text would contain the value, which may be a secret.
            (Some(KafkaError::ClientConfig(_, _, name, _)), None) => {
                KafkaProblem::Settings(format!("`{}`", brief(name)))
            }
            (_, None) => KafkaProblem::Settings(brief(&error.to_string())),
        }
    }

    /// The meaning of an error from creating a client for a connection.
    pub fn of_settings(connection: &KafkaConnection, error: &(dyn Error + 'static)) -> KafkaProblem {
        match KafkaProblem::of_error(error) {
            KafkaProblem::Settings(_) => KafkaProblem::Settings(connection.hidden().explain(error)),
            problem => problem,
        }
    }
}

impl HiddenValues {
    /// The text of a client's error, without values of options and without control characters.
    pub fn explain(&self, error: &(dyn Error + 'static)) -> String {
        match error.downcast_ref() {
            // The text would contain the value, which may be secret.
            Some(KafkaError::ClientConfig(_, _, name, _)) => {
                format!("librdkafka does not accept the value of `{}`", brief(name))
            }
            _ => brief(&self.hide(&error.to_string())),
        }
    }
}
