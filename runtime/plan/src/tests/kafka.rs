//! Kafka sources, sinks and dead letters, right and wrong.

use expect_test::expect;

use super::{check, check_plan};

/// A query from a topic to a topic; the rest of each is given.
fn query(source: &str, sink: &str) -> String {
    let source = format!("[sources.in]\nkind = \"kafka\"\nbrokers = \"kafka-1:9092\"\n{source}\n");
    format!(
        "name = \"copy\"\ntenant = \"acme\"\n{source}[sinks.out]\nkind = \"kafka\"\nbrokers = \"kafka-1:9092\"\n{sink}\n"
    )
}

const TOPIC: &str = "topic = \"flights\"\nschema = { delay = \"i64\", origin = \"utf8?\", at = \"timestamp\" }";

const OUT: &str = "topic = \"late\"";

#[test]
fn the_least_that_has_to_be_said() {
    check_plan(
        &query(TOPIC, OUT),
        &expect![[r#"
            query copy of tenant acme
            source in: kafka flights at kafka-1:9092, json_lines, group acme.copy, from the earliest record, without end
              gives delay i64, origin utf8?, at timestamp
            sink out: kafka late at kafka-1:9092, json_lines, queue of 4 batches
              takes in: delay i64, origin utf8?, at timestamp
            delivery at least once, committed every 1000 ms
            batches of up to 8192 records or 100 ms
        "#]],
    );
}

#[test]
fn everything_that_can_be_said() {
    let source = r#"
topics = ["flights", "flights.more"]
group = "acme.reader"
partitions = [2, 0]
start = "2024-01-31T00:00:00Z"
until = "end"
format = "raw"
schema = { payload = "utf8" }
tombstones = "skip"
isolation = "read_uncommitted"
options = { "fetch.min.bytes" = 1000, "security.protocol" = "plaintext", "socket.keepalive.enable" = true }
on_error = "dead_letter""#;
    let sink = r#"
topic = "late"
format = "raw"
value = "payload"
key = "payload"
partitioner = "murmur2"
headers = { origin = "payload" }
timestamp = "now"
compression = "zstd"
delivery_timeout_ms = 5000
options = { "linger.ms" = 5 }
[dead_letters]
kind = "kafka"
brokers = ["kafka-1:9092", "kafka-2:9092"]
topic = "dead"
compression = "gzip""#;
    check_plan(
        &query(source, sink),
        &expect![[r#"
        query copy of tenant acme
        source in: kafka flights, flights.more at kafka-1:9092, raw, group acme.reader, partitions 0, 2, from 1706659200000 ms since 1970, uncommitted records too, tombstones are skipped, to the end, bad records go to the dead letters
          gives payload utf8
        sink out: kafka late at kafka-1:9092, the bytes of `payload`, key of `payload`, partitioner murmur2, header origin of `payload`, time of writing as timestamp, zstd, queue of 4 batches
          takes in: payload utf8
        delivery at least once, one commit at the end of the stream
        batches of up to 8192 records or 100 ms
        dead letters to kafka dead at kafka-1:9092,kafka-2:9092
    "#]],
    );
}

#[test]
fn a_raw_value_needs_no_schema() {
    check_plan(
        &query(
            "topic = \"flights\"\nformat = \"raw\"\npartitions = \"all\"\nstart = \"latest\"",
            "topic = \"late\"\nkey = \"none\"\nheaders = false",
        ),
        &expect![[r#"
            query copy of tenant acme
            source in: kafka flights at kafka-1:9092, raw, group acme.copy, all partitions, from the next record, without end
              gives value binary?
            sink out: kafka late at kafka-1:9092, json_lines, no key, without input headers, queue of 4 batches
              takes in: value binary?
            delivery at least once, committed every 1000 ms
            batches of up to 8192 records or 100 ms
        "#]],
    );
}

#[test]
fn what_is_missing() {
    check(
        r#"
name = "missing"
[sources.in]
kind = "kafka"
[sinks.out]
kind = "kafka"
format = "raw"
[dead_letters]
kind = "kafka"
"#,
        &expect![[r#"
            late.toml:3: sources.in.brokers: missing; name at least one, for example `brokers = "localhost:9092"`
            late.toml:3: sources.in.topic: missing; name the topic, or several as `topics = ["a", "b"]`
            late.toml:3: sources.in.schema: missing: records of a topic have no schema; declare the fields, for example `schema = { delay = "i64", origin = "utf8?" }`
            late.toml:5: sinks.out.brokers: missing; name at least one, for example `brokers = "localhost:9092"`
            late.toml:5: sinks.out.topic: missing; name an existing topic
            late.toml:5: sinks.out.value: missing; name the column (binary or utf8) to write, for example `value = "payload"`
            late.toml:8: dead_letters.brokers: missing; name at least one, for example `brokers = "localhost:9092"`
            late.toml:8: dead_letters.topic: missing; name an existing topic"#]],
    );
}

#[test]
fn wrong_settings_of_a_source() {
    let source = r#"
topics = ["flights", "no topic", "..", "flights"]
group = ""
partitions = [1, -1]
start = "yesterday"
until = "tomorrow"
format = "parquet"
schema = { delay = "int" }
tombstones = "drop"
isolation = "committed"
topc = "x""#;
    check(
        &query(source, OUT),
        &expect![[r#"
            late.toml:7: sources.in.topics[1]: invalid topic `no topic`: it may contain only letters, digits, `.`, `_` and `-`
            late.toml:7: sources.in.topics[2]: invalid topic `..`: it must not be `.` or `..`
            late.toml:7: sources.in.topics[3]: `flights` is listed twice; remove one of them
            late.toml:8: sources.in.group: must not be empty
            late.toml:9: sources.in.partitions: is not a list of distinct partitions; use "group", "all", or a list of numbers from 0 such as [0, 1]
            late.toml:10: sources.in.start: invalid start `yesterday`; use `earliest`, `latest`, or a time such as `2024-01-31T00:00:00Z`
            late.toml:11: sources.in.until: unknown value `tomorrow`; use one of `end`
            late.toml:12: sources.in.format: unknown value `parquet`; use one of `json_lines`, `csv`, `bincode`, `raw`
            late.toml:13: sources.in.schema.delay: unknown type `int`; use `i64`
            late.toml:14: sources.in.tombstones: unknown value `drop`; use one of `keep`, `skip`
            late.toml:15: sources.in.isolation: unknown value `committed`; use one of `read_committed`, `read_uncommitted`
            late.toml:16: sources.in.topc: a kafka source has no such key; did you mean `topic`?"#]],
    );
    check(
        &query(&format!("{TOPIC}\ntopics = [\"a\"]\npartitions = 3"), OUT),
        &expect![[r#"
        late.toml:8: sources.in.topics: `topic` is also set; remove one of them
        late.toml:9: sources.in.partitions: expected "group", "all", or a list of numbers from 0 such as [0, 1], found an integer"#]],
    );
    check(
        &query(&format!("{TOPIC}\nformat = \"raw\""), OUT),
        &expect![[
            r#"late.toml:7: sources.in.schema: a raw value has one field, but 3 are declared; write, for example, `schema = { value = "binary?" }`, or remove it"#
        ]],
    );
    check(
        &query(&format!("topic = \"{}\"\nformat = \"raw\"", "a".repeat(250)), OUT),
        &expect![
            "late.toml:6: sources.in.topic: invalid topic `aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...`: it must not be longer than 249 bytes"
        ],
    );
}

#[test]
fn wrong_settings_of_a_sink() {
    let sink = r#"
topic = "late/er"
format = "json"
key = 5
partitioner = "murmur"
headers = { "" = "origin", ok = 3 }
timestamp = false
compression = "lz5"
delivery_timeout_ms = 0"#;
    check(
        &query(TOPIC, sink),
        &expect![[r#"
        late.toml:12: sinks.out.topic: invalid topic `late/er`: it may contain only letters, digits, `.`, `_` and `-`
        late.toml:13: sinks.out.format: unknown value `json`; did you mean `json_lines`?
        late.toml:14: sinks.out.key: expected a string, found an integer
        late.toml:15: sinks.out.partitioner: unknown value `murmur`; did you mean `murmur2`?
        late.toml:16: sinks.out.headers."": a header name must have 1 to 255 bytes and no control characters
        late.toml:16: sinks.out.headers.ok: expected a string, found an integer
        late.toml:17: sinks.out.timestamp: expected a string, found a boolean
        late.toml:18: sinks.out.compression: unknown value `lz5`; did you mean `lz4`?
        late.toml:19: sinks.out.delivery_timeout_ms: 0 is out of range; use a number from 1 to 86400000"#]],
    );
    check(
        &query(TOPIC, "topic = \"late\"\nvalue = \"origin\"\nheaders = \"yes\""),
        &expect![[r#"
        late.toml:12: sinks.out.value: `value` applies only to `format = "raw"`; remove `value`, or use `format = "raw"`
        late.toml:13: sinks.out.headers: expected true, false, or a table such as { origin = "column" }, found a string"#]],
    );
}

#[test]
fn columns_that_are_missing_or_of_another_type() {
    let sink = r#"
topic = "late"
format = "raw"
value = "delay"
key = "origen"
headers = { from = "origin", when = "at", none = "nothing" }
timestamp = "origin""#;
    check(
        &query(TOPIC, sink),
        &expect![[r#"
        late.toml:14: sinks.out.value: column `delay` is i64: it must be one of binary, utf8
        late.toml:15: sinks.out.key: the input of the sink has no column `origen`; did you mean `origin`?
        late.toml:16: sinks.out.headers.when: column `at` is timestamp: it must be one of binary, utf8, i8, i16, i32, i64
        late.toml:16: sinks.out.headers.none: the input of the sink has no column `nothing`; it is given `delay`, `origin`, `at`
        late.toml:17: sinks.out.timestamp: column `origin` is utf8: it must be one of timestamp"#]],
    );
}

#[test]
fn options_that_cannot_be_set() {
    let options = r#"
[sources.in.options]
"fetch.min.byte" = 1
"plugin.library.paths" = "/tmp/evil.so"
"enable.auto.commit" = true
"linger.ms" = 5
"fetch.wait.max.ms" = "soon"
"client.id" = [1]
"ssl.ca.location" = { env = "HOME" }
security.protocol = "ssl"
"sasl.password" = { env = "WEIR_TEST_NO_SUCH_VARIABLE" }
"sasl.username" = { evn = "X" }"#;
    check(
        &query(&format!("{TOPIC}\n{options}"), OUT),
        &expect![[r#"
            late.toml:10: sources.in.options."fetch.min.byte": option `fetch.min.byte` cannot be set here; did you mean `fetch.min.bytes`?
            late.toml:11: sources.in.options."plugin.library.paths": option `plugin.library.paths` cannot be set here; see QUERY.md for the allowed options
            late.toml:12: sources.in.options."enable.auto.commit": option `enable.auto.commit` cannot be set here; see QUERY.md for the allowed options
            late.toml:13: sources.in.options."linger.ms": option `linger.ms` is for sinks; remove it
            late.toml:14: sources.in.options."fetch.wait.max.ms": librdkafka does not accept this value of `fetch.wait.max.ms`
            late.toml:15: sources.in.options."client.id": expected a string, a number, true or false, or `{ env = "NAME" }`, found a list
            late.toml:16: sources.in.options."ssl.ca.location": option `ssl.ca.location` cannot be set here; did you mean `ssl.ca.pem`?
            late.toml:17: sources.in.options.security: option `security` cannot be set here; write the whole option name in quotes, for example `"security.protocol" = "SSL"`
            late.toml:18: sources.in.options."sasl.password".env: the environment variable `WEIR_TEST_NO_SUCH_VARIABLE` is not set; set it before you start weir
            late.toml:19: sources.in.options."sasl.username": expected a string, a number, true or false, or `{ env = "NAME" }`, found a table; did you mean `{ env = "NAME" }`?"#]],
    );
}

#[test]
fn logins() {
    let login = |more: &str| {
        let options = format!(
            "options = {{ \"security.protocol\" = \"SASL_PLAINTEXT\", \"sasl.username\" = \"u\", \"sasl.password\" = \"p\"{more} }}"
        );
        query(&format!("{TOPIC}\n{options}"), &format!("{OUT}\n{options}"))
    };
    check(&login(", \"sasl.mechanism\" = \"PLAIN\""), &expect![[""]]);
    check(
        &login(""),
        &expect![[r#"
        late.toml:8: sources.in.options: `sasl.mechanism` is missing: set one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
        late.toml:13: sinks.out.options: `sasl.mechanism` is missing: set one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"#]],
    );
    check(
        &login(", \"sasl.mechanism\" = \"GSSAPI\""),
        &expect![[r#"
        late.toml:8: sources.in.options: `sasl.mechanism` must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
        late.toml:13: sinks.out.options: `sasl.mechanism` must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"#]],
    );
}

#[test]
fn brokers_that_are_none() {
    let text = query(TOPIC, OUT).replacen("\"kafka-1:9092\"", "[\"kafka-1:9092,\", \"http://kafka\"]", 1);
    check(
        &text,
        &expect![[r#"
        late.toml:5: sources.in.brokers[0]: must name at least one broker, as host:port; write for example `localhost:9092`
        late.toml:5: sources.in.brokers[1]: `http://kafka` is not host:port; write for example `localhost:9092`"#]],
    );
}

#[test]
fn secrets_of_the_environment_are_taken_and_never_shown() {
    // Whatever the environment of a test has: this is set in every one.
    let secret = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let source = format!("{TOPIC}\noptions = {{ \"sasl.password\" = {{ env = \"CARGO_MANIFEST_DIR\" }} }}");
    let plan = super::super::Plan::parse(&query(&source, OUT), std::path::Path::new(".")).unwrap();
    let super::super::SourceKind::Kafka(config) = &plan.sources[0].kind else { panic!("{plan}") };
    assert_eq!(config.connection.options["sasl.password"], secret);
    assert!(!plan.to_string().contains(&secret) && !format!("{plan:?}").contains(&format!("\"{secret}\"")), "{plan:?}");
    // Neither where the option refuses it, nor what is written out.
    let source = source.replace("sasl.password", "fetch.min.bytes");
    check(
        &query(&source, OUT),
        &expect![[
            r#"late.toml:8: sources.in.options."fetch.min.bytes": librdkafka does not accept this value of `fetch.min.bytes`"#
        ]],
    );
    for literal in ["\"1 MARKER\"", "-77123", "77123456789", "\"marker\\nMARKER\""] {
        let source = format!("{TOPIC}\noptions = {{ \"fetch.min.bytes\" = {literal} }}");
        let problems = super::super::Plan::parse(&query(&source, OUT), std::path::Path::new(".")).unwrap_err();
        let said = format!("{problems:?}");
        assert!(problems.len() == 1 && problems[0].line == 8, "{said}");
        assert!(!said.contains("MARKER") && !said.contains("77123"), "{said}");
    }
}

#[test]
fn a_sink_that_feeds_its_own_source() {
    check(
        &query(TOPIC, "topic = \"flights\""),
        &expect![
            "late.toml:11: sinks.out.topic: `sources.in.topic` reads this topic, so it would read the output again; write to another topic"
        ],
    );
    // At other brokers it is another topic.
    let other = query(TOPIC, "topic = \"flights\"").replacen("kafka-1", "kafka-2", 1);
    check(&other, &expect![""]);
    let letters =
        format!("{OUT}\n[dead_letters]\nkind = \"kafka\"\nbrokers = \"b:1,KAFKA-1:9092\"\ntopic = \"flights\"");
    check(
        &query(TOPIC, &letters),
        &expect![
            "late.toml:15: dead_letters.topic: `sources.in.topic` reads this topic, so it would read the output again; write to another topic"
        ],
    );
}

#[test]
fn two_sources_of_one_group() {
    let more = format!(
        "{OUT}\ninput = [\"in\", \"more\"]\n[sources.more]\nkind = \"kafka\"\nbrokers = \"kafka-1:9092\"\n{TOPIC}"
    );
    check(
        &query(TOPIC, &more),
        &expect![[
            r#"late.toml:13: sources.more: `sources.in` also uses group `acme.copy`, so each source would get only half of the records; use another group, for example `group = "acme.copy.2"`"#
        ]],
    );
    check(&query(TOPIC, &format!("{more}\ngroup = \"acme.copy.2\"")), &expect![""]);
}

#[test]
fn records_of_csv_have_their_own_rules_on_both_sides() {
    let csv = "format = \"csv\"\ndelimiter = \";\"\nquote = \"none\"\nnulls = [\"NULL\"]";
    let plan = |source: &str, sink: &str| {
        let text = query(&format!("{TOPIC}\n{source}"), &format!("{OUT}\n{sink}"));
        crate::Plan::parse(&text, std::path::Path::new(".")).expect("a plan")
    };
    let of = plan(csv, csv);
    let expected = weir_formats::CsvOptions::default().with(|it| {
        it.delimiter = b';';
        it.quote = None;
        it.nulls = vec!["NULL".to_owned()];
    });
    let crate::SourceKind::Kafka(source) = &of.sources[0].kind else { panic!("a topic") };
    let weir_sinks::SinkConfig::Kafka(sink) = &of.sinks[0].config else { panic!("a topic") };
    assert_eq!((&source.csv, &sink.csv), (&expected, &expected));
    // What is about whole files, and what is about another format.
    let wrong = "format = \"csv\"\nheader = true\ncomment = \"#\"\ndelimiter = \";;\"";
    check(
        &query(&format!("{TOPIC}\n{wrong}"), &format!("{OUT}\nformat = \"csv\"\ndelimiter = \"\\\"\"\nheader = false")),
        &expect![[r#"
            late.toml:9: sources.in.header: each message of a topic is one CSV record, without a header; remove `header`: fields are in the order of `schema`
            late.toml:10: sources.in.comment: each message of a topic is one CSV record, without comment lines; remove `comment`: skip such records by `on_error`
            late.toml:11: sources.in.delimiter: `;;` is not one ASCII character; write one character, for example `";"` or `"\t"`
            late.toml:12: sinks.out: `"` is also the delimiter
            late.toml:18: sinks.out.header: each message of a topic is one CSV record, without a header; remove `header`: fields are in the order of `schema`"#]],
    );
    check(
        &query(&format!("{TOPIC}\ndelimiter = \";\""), &format!("{OUT}\nnulls = [\"\"]")),
        &expect![[r#"
            late.toml:8: sources.in.delimiter: `delimiter` applies only to csv, but the format is json_lines; remove `delimiter`
            late.toml:13: sinks.out.nulls: `nulls` applies only to csv, but the format is json_lines; remove `nulls`"#]],
    );
}

#[test]
fn bounds_of_memory_are_kept() {
    for bytes in ["0", "1", "1048575", "-1", "9223372036854775807", "1_000_000_000_000_000", "\"64MB\"", "1.5"] {
        let text = query(&format!("{TOPIC}\nmemory_bytes_max = {bytes}"), OUT);
        let problems = crate::Plan::parse(&text, std::path::Path::new(".")).expect_err("refused");
        let said = problems.iter().map(|problem| format!("{}: {problem}", problem.line)).collect::<Vec<_>>().join("\n");
        assert!(said.starts_with("8: sources.in.memory_bytes_max: "), "{said}");
        assert!(
            said.contains("use a number from 1048576 to 1099511627776") || said.contains("expected an integer"),
            "{said}"
        );
    }
    // More than an integer of TOML holds.
    let text = query(&format!("{TOPIC}\nmemory_bytes_max = 9223372036854775808"), OUT);
    check(
        &text,
        &expect![[
            r#"late.toml:8: sources.in.memory_bytes_max: 9223372036854775808 is out of range; use a number from 1048576 to 1099511627776"#
        ]],
    );
    for bytes in ["1048576", "1099511627776"] {
        let text = query(&format!("{TOPIC}\nmemory_bytes_max = {bytes}"), OUT);
        let plan = crate::Plan::parse(&text, std::path::Path::new(".")).expect("a plan");
        let crate::SourceKind::Kafka(source) = &plan.sources[0].kind else { panic!("a topic") };
        assert_eq!(source.memory_bytes_max.to_string(), bytes);
    }
}
