//! Settings that no sink can be made of.

use std::time::Duration;

use expect_test::{Expect, expect};
use weir_batch::Fault;
use weir_batch::{DataType, Field, Schema};
use weir_kafka::KafkaConnection;
use weir_sinks::{KafkaKey, KafkaPartitioner, KafkaSinkConfig, KafkaTimestamp, KafkaValue, SinkConfig};

fn check(change: impl FnOnce(&mut KafkaSinkConfig), expect: Expect) {
    let schema = Schema::new(vec![Field::new("ratio", DataType::F64), Field::new("name", DataType::Utf8)]).unwrap();
    let mut config = KafkaSinkConfig::new(KafkaConnection::new("localhost:9092"), "out");
    assert!(config.validate(&schema).is_ok());
    change(&mut config);
    let error = config.validate(&schema).unwrap_err();
    assert_eq!((error.fault(), error.retryable()), (Fault::Tenant, false));
    expect.assert_eq(&error.to_string());
}

#[test]
fn errors_name_the_setting() {
    check(|config| config.topic.clear(), expect!["topic: must not be empty"]);
    check(|config| config.topic = "..".to_owned(), expect!["topic: must not be `.` or `..`"]);
    check(
        |config| config.topic = "a/b".to_owned(),
        expect!["topic: may contain only letters, digits, `.`, `_` and `-`"],
    );
    check(|config| config.topic = "a".repeat(250), expect!["topic: must not be longer than 249 bytes"]);
    check(|config| config.connection.brokers.clear(), expect!["brokers: must name at least one broker, as host:port"]);
    check(|config| config.delivery_timeout = Some(Duration::ZERO), expect!["delivery_timeout_ms: must be at least 1"]);
    check(|config| config.open_timeout = Duration::MAX, expect!["open_timeout_ms: must be at most 2147483647"]);
    check(
        |config| {
            config.delivery_timeout = Some(Duration::from_secs(1));
            config.connection = config.connection.clone().with("message.timeout.ms", "5");
        },
        expect!["delivery_timeout_ms: the option `message.timeout.ms` has the same meaning: set one of them"],
    );
    check(
        |config| config.headers = vec![("a\nb".to_owned(), "name".to_owned())],
        expect!["headers: a header name must have 1 to 255 bytes and no control characters"],
    );
    check(
        |config| config.headers = vec![("a".to_owned(), "nam".to_owned())],
        expect!["headers: column `nam` does not exist"],
    );
    check(
        |config| config.key = KafkaKey::Column("ratio".to_owned()),
        expect!["key: column `ratio` is f64: it must be one of binary, utf8, i8, i16, i32, i64"],
    );
    check(
        |config| config.value = KafkaValue::Raw { column: "ratio".to_owned() },
        expect!["value: column `ratio` is f64: it must be one of binary, utf8"],
    );
    check(
        |config| config.timestamp = KafkaTimestamp::Column("name".to_owned()),
        expect!["timestamp: column `name` is utf8: it must be one of timestamp"],
    );
}

#[test]
fn any_sink_s_settings_can_be_a_topic_s() {
    let config = KafkaSinkConfig::new(KafkaConnection::new("localhost:9092"), "");
    assert_eq!(SinkConfig::Kafka(Box::new(config)).validate().unwrap_err().to_string(), "topic: must not be empty");
}

#[test]
fn names_are_librdkafka_s() {
    for partitioner in KafkaPartitioner::ALL.into_iter().filter(|partitioner| *partitioner != KafkaPartitioner::Keep) {
        let config = rdkafka::ClientConfig::new().set("partitioner", partitioner.name()).create_native_config();
        assert!(config.is_ok(), "{partitioner:?}");
    }
}
