//! The options that a query file may set.

use expect_test::{Expect, expect};

use crate::{KafkaConnection, KafkaSide};

fn refused(name: &str, value: &str) -> String {
    let connection = KafkaConnection::new("localhost:9092").with(name, value);
    let error = connection.validate().expect_err(name);
    assert!(error.option.is_some());
    error.to_string()
}

fn check(name: &str, value: &str, expect: Expect) {
    expect.assert_eq(&refused(name, value));
}

/// All options that read a file, run a command, load code, call a URL, reveal secrets, or weaken delivery guarantees.
#[test]
fn what_reaches_beyond_the_connection_is_refused() {
    for name in [
        "acks",
        "allow.auto.create.topics",
        "auto.commit.enable",
        "bootstrap.servers",
        "debug",
        "delivery.report.only.error",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.gapless.guarantee",
        "enable.idempotence",
        "enable.metrics.push",
        "enable.sasl.oauthbearer.unsecure.jwt",
        "enable.ssl.certificate.verification",
        "group.id",
        "https.ca.location",
        "https.ca.pem",
        "interceptors",
        "isolation.level",
        "log.queue",
        "log_level",
        "max.in.flight.requests.per.connection",
        "metadata.broker.list",
        "offset.store.path",
        "plugin.library.paths",
        "request.required.acks",
        "retries",
        "sasl.kerberos.keytab",
        "sasl.kerberos.kinit.cmd",
        "sasl.kerberos.principal",
        "sasl.oauthbearer.assertion.file",
        "sasl.oauthbearer.assertion.private.key.file",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.method",
        "sasl.oauthbearer.token.endpoint.url",
        "ssl.ca.certificate.stores",
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.crl.location",
        "ssl.endpoint.identification.algorithm",
        "ssl.engine.id",
        "ssl.engine.location",
        "ssl.key.location",
        "ssl.keystore.location",
        "ssl.providers",
        "statistics.interval.ms",
        "test.mock.num.brokers",
        "transactional.id",
        // librdkafka treats names with other case or spaces as different names, and so does this list.
        "LINGER.MS",
        " linger.ms",
        "linger.ms\0",
        "{topic}.acks",
    ] {
        let text = refused(name, "1");
        assert!(text.contains("cannot be set"), "{text}");
        // Without validation, the option still does not reach librdkafka.
        let config = KafkaConnection::new("localhost:9092").with(name, "sneaked in").settings(KafkaSide::Both);
        assert!(!config.iter().any(|(_, value)| value == "sneaked in"), "{name}");
    }
}

/// Checks names by pattern, in case a new version of librdkafka has more options.
#[test]
fn the_list_holds_nothing_of_the_kind() {
    let options = KafkaConnection::allowed_options();
    for option in options {
        let name = option.name;
        for part in ["location", "cmd", "keytab", "path", "file", "plugin", "engine", "provider", "oauth", "url", "log"]
        {
            assert!(!name.contains(part), "{name}");
        }
        assert_eq!(option.secret, name.contains("password") || name.contains("key.pem"), "{name}");
    }
    assert!(options.iter().any(|option| option.side == KafkaSide::Consumer && option.name == "session.timeout.ms"));
    assert!(options.iter().any(|option| option.side == KafkaSide::Producer && option.name == "linger.ms"));
    assert!(options.iter().any(|option| option.side == KafkaSide::Both && option.name == "sasl.username"));
}

#[test]
fn errors_name_the_option_and_a_better_one() {
    check("ssl.ca.location", "/etc/passwd", expect!["options: `ssl.ca.location` cannot be set"]);
    check("linger.sm", "5", expect!["options: `linger.sm` cannot be set: did you mean `linger.ms`?"]);
    check("plugin.library.paths", "/tmp/evil.so", expect!["options: `plugin.library.paths` cannot be set"]);
    check("linger.ms", "soon", expect!["options: librdkafka does not accept this value of `linger.ms`"]);
    for value in ["0x7530", "60s", "60 000", " 7", "7 MARKER", "", "1e3"] {
        let said = refused("metadata.max.age.ms", value);
        assert!(value.is_empty() || !said.contains(value), "{said}");
    }
    check(
        "message.max.bytes",
        "1_000_000",
        expect![
            "options: librdkafka does not accept this value of `message.max.bytes`: the allowed range is 1000..1000000000"
        ],
    );
    check("linger.ms", "0.5s", expect!["options: `linger.ms` must be a decimal number without a unit"]);
    KafkaConnection::new("b:1").with("linger.ms", "0.5").with("compression.level", "-1").validate().unwrap();
    check(
        "broker.address.family",
        "v5",
        expect!["options: librdkafka does not accept this value of `broker.address.family`"],
    );
    check(
        "security.protocol",
        "SASL_PLAINTEXT",
        expect!["options: `sasl.mechanism` is missing: set one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"],
    );
    check("client.id", "a\nb", expect!["options: `client.id` contains a control character"]);
    check("client.id", "a\0b", expect!["options: `client.id` contains a control character"]);
    check("sasl.password", "a\0b", expect!["options: `sasl.password` contains a control character"]);
    check(
        "sasl.mechanism",
        "GSSAPI",
        expect!["options: `sasl.mechanism` must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"],
    );
    check(
        "sasl.mechanism",
        "OAUTHBEARER",
        expect!["options: `sasl.mechanism` must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"],
    );
    check(
        "security.protocol",
        "sasl_plaintext",
        expect!["options: `sasl.mechanism` is missing: set one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"],
    );
}

#[test]
fn a_login_that_was_never_validated_is_not_the_librarys_own_and_without_one_none_is_named() {
    let mechanism = |connection: KafkaConnection| {
        let settings = connection.settings(KafkaSide::Both);
        settings.into_iter().find(|(name, _)| name == "sasl.mechanisms").map(|(_, value)| value)
    };
    let one = || KafkaConnection::new("localhost:9092");
    for protocol in ["sasl_plaintext", "SASL_SSL", "Sasl_Plaintext"] {
        assert_eq!(mechanism(one().with("security.protocol", protocol)).as_deref(), Some("PLAIN"), "{protocol}");
    }
    assert_eq!(mechanism(one()), None);
    assert_eq!(mechanism(one().with("security.protocol", "plaintext")), None);
}

/// librdkafka knows every option of the list.
#[test]
fn what_is_allowed_is_taken() {
    for option in KafkaConnection::allowed_options() {
        let values = ["1", "5000", "true", "any", "use_all_dns_ips", "PLAIN", "plaintext", "text"];
        // A librdkafka without TLS knows the names, but accepts no value.
        let needs_tls = option.name.starts_with("ssl.");
        let taken = values
            .iter()
            .any(|value| KafkaConnection::new("localhost:9092").with(option.name, *value).validate().is_ok());
        let known = needs_tls && !refused(option.name, "text").contains("cannot be set");
        assert!(taken || known, "{}", option.name);
    }
    let login = KafkaConnection::new("one:9092,two:9092,[::1]:9092")
        .with("security.protocol", "sasl_plaintext")
        .with("sasl.mechanism", "PLAIN")
        .with("sasl.username", "user")
        .with("sasl.password", "secret");
    assert_eq!(login.validate(), Ok(()));
}

#[test]
fn a_side_gets_its_own_options() {
    let connection =
        KafkaConnection::new("b:1").with("linger.ms", "7").with("fetch.min.bytes", "8").with("client.id", "c");
    let has = |side, name: &str| connection.settings(side).iter().any(|(found, _)| found == name);
    assert!(has(KafkaSide::Producer, "linger.ms") && !has(KafkaSide::Producer, "fetch.min.bytes"));
    assert!(has(KafkaSide::Consumer, "fetch.min.bytes") && !has(KafkaSide::Consumer, "linger.ms"));
    for side in [KafkaSide::Producer, KafkaSide::Consumer, KafkaSide::Both] {
        assert!(has(side, "client.id") && has(side, "bootstrap.servers"));
    }
}

#[test]
fn secrets_are_not_shown() {
    let connection = KafkaConnection::new("b:1")
        .with("sasl.password", "s3cret")
        .with("ssl.key.pem", "s3cret")
        .with("ssl.key.password", "s3cret")
        .with("sasl.pasword", "s3cret")
        .with("client.id", "s3cret");
    let shown = format!("{connection} {connection:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    assert!(shown.contains("client.id"));
    let error = connection.validate().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"));
    // A value that librdkafka refuses is not quoted either.
    assert!(!refused("ssl.key.pem", "s3cret\0").contains("s3cret"));
}

#[test]
fn brokers_are_hosts_and_ports() {
    for brokers in ["", ",", "a:1,", "SASL_SSL://a:1", "a:1\nb:2", "a 1", "/var/run/socket"] {
        let error = KafkaConnection::new(brokers).validate().unwrap_err();
        assert_eq!((error.key, error.option), ("brokers", None), "{brokers}");
    }
}
