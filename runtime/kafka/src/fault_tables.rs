//! Whose fault each error is, and whether it is retryable.

use std::time::Duration;

use expect_test::expect;
use rdkafka::error::RDKafkaErrorCode as Code;
use weir_fault::table;

use crate::{ErrorCode, KafkaConnectionError, KafkaProblem};

#[test]
fn of_kafka() {
    let code = || ErrorCode(Code::Unknown);
    let table = table![
        KafkaProblem::Unreachable { after: Duration::ZERO, reason: String::new() },
        KafkaProblem::UnknownTopic,
        KafkaProblem::NotAuthorised(code()),
        KafkaProblem::MessageTooLarge(code()),
        KafkaProblem::Refused(code()),
        KafkaProblem::TimedOut(code()),
        KafkaProblem::Fenced(code()),
        KafkaProblem::OtherMember(code()),
        KafkaProblem::Fatal(code()),
        KafkaProblem::AfterError,
        KafkaProblem::Abandoned,
        KafkaProblem::Settings(String::new()),
        KafkaProblem::Other(code()),
        KafkaProblem::Other(ErrorCode(Code::NotCoordinator)),
        KafkaConnectionError { key: "brokers", option: None, reason: String::new() },
    ];
    expect![[r#"
        Unreachable: external, retryable
        UnknownTopic: tenant
        NotAuthorised: tenant
        MessageTooLarge: tenant
        Refused: tenant
        TimedOut: external, retryable
        Fenced: external
        OtherMember: external
        Fatal: external, retryable
        AfterError: internal
        Abandoned: internal
        Settings: tenant
        Other: external
        Other: external, retryable
        KafkaConnectionError: tenant
    "#]]
    .assert_eq(&table);
}
