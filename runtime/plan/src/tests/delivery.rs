//! What can be promised of which sources and sinks.

use expect_test::expect;

use super::{check, check_plan};

const NUMBERS: &str = "name = \"numbers\"\n";
const CSV: &str = "[sources.csv]\nkind = \"file\"\npath = \"flights.csv\"\ninfer = true\n";
const SEED: &str = "[sources.seed]\nkind = \"generator\"\nbatches = 1\n";
const TOPIC: &str = "[sources.topic]\nkind = \"kafka\"\nbrokers = \"one:9092, two:9092\"\ntopic = \"in\"\n\
                     schema = { id = \"i64\", name = \"utf8\", value = \"f64\" }\n";
const FILE: &str = "[sinks.file]\nkind = \"file\"\npath = \"out/a.csv\"\n";
const OUT: &str = "[sinks.out]\nkind = \"kafka\"\nbrokers = [\"two:9092\", \"one:9092\"]\ntopic = \"out\"\n";
const ONCE: &str = "[delivery]\nguarantee = \"exactly_once\"\n";
const STATE: &str = "state = \"state/numbers\"\n";

fn text(parts: &[&str]) -> String {
    format!("{NUMBERS}{}", parts.concat())
}

#[test]
fn any_source_to_files_by_a_manifest() {
    check_plan(
        &text(&[
            SEED,
            FILE,
            "[sinks.more]\nkind = \"file\"\npath = \"out/b.jsonl\"\nrotate_bytes_max = 1000\n",
            ONCE,
            STATE,
        ]),
        &expect![[r#"
            query numbers of tenant default
            source seed: generator, 1 batches
              gives id i64, name utf8, value f64
            sink file: csv out/a.csv, numbered, queue of 4 batches
              takes seed: id i64, name utf8, value f64
            sink more: json_lines out/b.jsonl, a new file after 1000 bytes, numbered, queue of 4 batches
              takes seed: id i64, name utf8, value f64
            delivery exactly once, one commit at the end of the stream
            state in state/numbers
            batches of up to 8192 records or 100 ms
        "#]],
    );
}

#[test]
fn topics_to_topics_by_a_transaction() {
    check_plan(
        &text(&[TOPIC, OUT, "[sinks.count]\nkind = \"count\"\n", ONCE, "transactional_id = \"mine\"\n"]),
        &expect![[r#"
            query numbers of tenant default
            source topic: kafka in at one:9092,two:9092, json_lines, group default.numbers, from the earliest record, without end
              gives id i64, name utf8, value f64
            sink out: kafka out at two:9092,one:9092, json_lines, queue of 4 batches
              takes topic: id i64, name utf8, value f64
            sink count: counts and drops, queue of 4 batches
              takes topic: id i64, name utf8, value f64
            delivery exactly once, committed every 1000 ms
            batches of up to 8192 records or 100 ms
        "#]],
    );
}

#[test]
fn time_outs_and_times_of_commits_that_cannot_be() {
    let with = |key: &str, value: &str| match key {
        "commit_ms" => text(&[TOPIC, OUT, ONCE, &format!("commit_ms = {value}\n")]),
        _ => text(&[
            TOPIC,
            OUT,
            &format!("options = {{ \"transaction.timeout.ms\" = {value} }}\n"),
            ONCE,
            "commit_ms = 500\n",
        ]),
    };
    let mut said = String::new();
    for key in ["commit_ms", "transaction.timeout.ms"] {
        for value in [
            "0",
            "1",
            "-1",
            "999",
            "1000",
            "60000",
            "2147483647",
            "2147483648",
            "9223372036854775807",
            "9223372036854775808",
            "1e3",
            "0x7530",
            "30_000",
            "true",
            "\"\"",
            "\"soon\"",
            "\"30000\"",
            "\"0x7530\"",
            "\" 30000\"",
            "\"30s\"",
            "[1]",
        ] {
            let problems =
                super::super::Plan::parse(&with(key, value), std::path::Path::new(".")).err().unwrap_or_default();
            assert!(problems.iter().all(|problem| problem.line > 0), "{problems:?}");
            // Without a sink that can be read, more is wrong.
            let of_key = problems.iter().filter(|problem| problem.key.contains(key));
            let problems: Vec<String> = of_key.map(ToString::to_string).collect();
            said.push_str(&format!(
                "{key} = {value}: {}\n",
                if problems.is_empty() { "right".to_owned() } else { problems.join(" / ") }
            ));
        }
    }
    expect![[r#"
        commit_ms = 0: delivery.commit_ms: 0 is out of range; use a number from 1 to 86400000
        commit_ms = 1: right
        commit_ms = -1: delivery.commit_ms: -1 is out of range; use a number from 1 to 86400000
        commit_ms = 999: right
        commit_ms = 1000: right
        commit_ms = 60000: delivery.commit_ms: the broker aborts a transaction after 60000 ms, but this query commits after 60000 ms; commit more often, or set the sink's option `"transaction.timeout.ms"` to a larger value
        commit_ms = 2147483647: delivery.commit_ms: 2147483647 is out of range; use a number from 1 to 86400000
        commit_ms = 2147483648: delivery.commit_ms: 2147483648 is out of range; use a number from 1 to 86400000
        commit_ms = 9223372036854775807: delivery.commit_ms: 9223372036854775807 is out of range; use a number from 1 to 86400000
        commit_ms = 9223372036854775808: delivery.commit_ms: 9223372036854775808 is out of range; use a number from 1 to 86400000
        commit_ms = 1e3: delivery.commit_ms: expected an integer, found a float
        commit_ms = 0x7530: right
        commit_ms = 30_000: right
        commit_ms = true: delivery.commit_ms: expected an integer, found a boolean
        commit_ms = "": delivery.commit_ms: expected an integer, found a string
        commit_ms = "soon": delivery.commit_ms: expected an integer, found a string
        commit_ms = "30000": delivery.commit_ms: expected an integer, found a string; write the number without quotes: 30000
        commit_ms = "0x7530": delivery.commit_ms: expected an integer, found a string
        commit_ms = " 30000": delivery.commit_ms: expected an integer, found a string; write the number without quotes: 30000
        commit_ms = "30s": delivery.commit_ms: expected an integer, found a string; write the number without quotes: 30000
        commit_ms = [1]: delivery.commit_ms: expected an integer, found a list
        transaction.timeout.ms = 0: sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`: the allowed range is 1000..2147483647
        transaction.timeout.ms = 1: sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`: the allowed range is 1000..2147483647
        transaction.timeout.ms = -1: sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`: the allowed range is 1000..2147483647
        transaction.timeout.ms = 999: sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`: the allowed range is 1000..2147483647
        transaction.timeout.ms = 1000: right
        transaction.timeout.ms = 60000: right
        transaction.timeout.ms = 2147483647: right
        transaction.timeout.ms = 2147483648: sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`: the allowed range is 1000..2147483647
        transaction.timeout.ms = 9223372036854775807: sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`: the allowed range is 1000..2147483647
        transaction.timeout.ms = 9223372036854775808: sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`: the allowed range is 1000..2147483647
        transaction.timeout.ms = 1e3: sinks.out.options."transaction.timeout.ms": expected a string, a number, true or false, or `{ env = "NAME" }`, found a float
        transaction.timeout.ms = 0x7530: right
        transaction.timeout.ms = 30_000: right
        transaction.timeout.ms = true: sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`
        transaction.timeout.ms = "": sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`
        transaction.timeout.ms = "soon": sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`
        transaction.timeout.ms = "30000": right
        transaction.timeout.ms = "0x7530": sinks.out.options."transaction.timeout.ms": `transaction.timeout.ms` must be a decimal number without a unit
        transaction.timeout.ms = " 30000": sinks.out.options."transaction.timeout.ms": `transaction.timeout.ms` must be a decimal number without a unit
        transaction.timeout.ms = "30s": sinks.out.options."transaction.timeout.ms": librdkafka does not accept this value of `transaction.timeout.ms`: the allowed range is 1000..2147483647
        transaction.timeout.ms = [1]: sinks.out.options."transaction.timeout.ms": expected a string, a number, true or false, or `{ env = "NAME" }`, found a list
    "#]].assert_eq(&said);
}

#[test]
fn files_without_a_place_for_the_manifest() {
    check(
        &text(&[SEED, FILE, ONCE]),
        &expect![[
            r#"late.toml:9: delivery.guarantee: `exactly_once` needs a `state` folder for the manifest of its files; add, for example, `state = "state/late"`, a folder for this query only"#
        ]],
    );
}

#[test]
fn a_group_shares_partitions_out_and_a_manifest_does_not() {
    check(
        &text(&[TOPIC, FILE, ONCE, STATE]),
        &expect![[
            r#"late.toml:2: sources.topic: `exactly_once` to files requires all partitions in this process: the manifest stores their positions, but the consumer group may assign partitions to others; set `partitions = "all"`, or a list of them"#
        ]],
    );
}

#[test]
fn a_topic_and_a_file_are_two_steps() {
    check(
        &text(&[TOPIC, OUT, FILE, ONCE]),
        &expect![
            "late.toml:11: sinks.file: `exactly_once` is impossible: this file and the topic of `out` are committed in two steps, and a crash may come between them; use two queries: one that writes the topic, and one that reads the topic and writes the file"
        ],
    );
}

#[test]
fn a_generator_is_in_no_transaction_and_the_terminal_in_none_either() {
    check(
        &text(&[SEED, OUT, "[sinks.table]\nkind = \"stdout\"\n", ONCE, STATE]),
        &expect![[r#"
            late.toml:2: sources.seed: `exactly_once` is impossible: its positions cannot be part of the Kafka transaction of `out`; use `at_least_once`, or write to files, whose manifest holds any source's positions
            late.toml:9: sinks.table: `exactly_once` is impossible here: standard output cannot take back records; write to a file or a topic, or use `at_least_once`
            late.toml:13: delivery.state: the consumer group stores the positions, in the transaction; remove `state`"#]],
    );
}

#[test]
fn clusters_do_not_share_transactions() {
    let other = "[sinks.other]\nkind = \"kafka\"\nbrokers = \"three:9092\"\ntopic = \"out\"\n";
    check(
        &text(&[TOPIC, OUT, other, ONCE]),
        &expect![
            "late.toml:11: sinks.other: `exactly_once` is impossible: a transaction is limited to one cluster, but `out` is on `two:9092,one:9092`; use a separate query for each cluster"
        ],
    );
    let from_other = TOPIC.replace("one:9092, two:9092", "three:9092");
    check(
        &text(&[&from_other, OUT, ONCE]),
        &expect![
            "late.toml:2: sources.topic: `exactly_once` is impossible: a transaction is limited to one cluster, but `out` is on `two:9092,one:9092`, this on `three:9092`; use the same brokers, or use `at_least_once`"
        ],
    );
}

#[test]
fn dead_letters_belong_to_the_same_step() {
    let file = "[dead_letters]\npath = \"dead.jsonl\"\n";
    let topic = "[dead_letters]\nkind = \"kafka\"\nbrokers = \"one:9092,two:9092\"\ntopic = \"dead\"\n";
    let skipped = TOPIC.replace("topic = \"in\"", "topic = \"in\"\non_error = \"dead_letter\"");
    check(
        &text(&[&skipped, OUT, ONCE, file]),
        &expect![
            "late.toml:14: dead_letters: `exactly_once` is impossible: these dead letters are not part of the transaction of the topics that the query writes; write them to a topic on `two:9092,one:9092`"
        ],
    );
    let csv = CSV.replace("infer", "on_error = \"dead_letter\"\ninfer");
    check(
        &text(&[&csv, FILE, ONCE, STATE, topic]),
        &expect![[
            r#"late.toml:13: dead_letters: `exactly_once` is impossible: a topic and the manifest of files are committed in two steps, and a crash may come between them; keep dead letters in a file: `path = "dead/letters.jsonl"`"#
        ]],
    );
    check_plan(
        &text(&[&skipped, OUT, ONCE, topic]),
        &expect![[r#"
        query numbers of tenant default
        source topic: kafka in at one:9092,two:9092, json_lines, group default.numbers, from the earliest record, without end, bad records go to the dead letters
          gives id i64, name utf8, value f64
        sink out: kafka out at two:9092,one:9092, json_lines, queue of 4 batches
          takes topic: id i64, name utf8, value f64
        delivery exactly once, committed every 1000 ms
        batches of up to 8192 records or 100 ms
        dead letters to kafka dead at one:9092,two:9092
    "#]],
    );
}

#[test]
fn one_transaction_has_one_producer() {
    let other =
        OUT.replace("[sinks.out]", "[sinks.other]") + "compression = \"zstd\"\noptions = { \"linger.ms\" = 1 }\n";
    check(
        &text(&[TOPIC, OUT, &other, ONCE]),
        &expect![[r#"
        late.toml:11: sinks.other.compression: all topics of a transaction share one producer, but `out` has another `compression`; set the same value in both, or in neither
        late.toml:11: sinks.other.options: all topics of a transaction share one producer, but `out` has another `options`; set the same value in both, or in neither"#]],
    );
}

#[test]
fn words_that_mean_nothing_at_least_once() {
    check(
        &text(&[SEED, FILE, "[delivery]\ntransactional_id = \"mine\"\n"]),
        &expect![[
            r#"late.toml:9: delivery.transactional_id: `at_least_once` uses no transactions; remove it, or set `guarantee = "exactly_once"`"#
        ]],
    );
}

#[test]
fn attempts_without_a_policy_and_policies_that_do_not_fit() {
    let retried = "[sinks.file]\nkind = \"file\"\npath = \"out/a.csv\"\nretry = { times_max = 3 }\n";
    check(
        &text(&[SEED, retried]),
        &expect![[
            r#"late.toml:8: sinks.file.retry: `retry` has no effect here; set `on_error = "retry"`, or remove `retry`"#
        ]],
    );
    let unknown =
        "[sinks.file]\nkind = \"file\"\npath = \"out/a.csv\"\non_error = \"retry\"\nretry = { later = \"skip\" }\n";
    check(
        &text(&[SEED, unknown]),
        &expect![
            "late.toml:9: sinks.file.retry.later: `retry` of a sink has no such key; its keys are `then`, `times_max`, `backoff_ms`"
        ],
    );
    // A record that a sink cannot take needs somewhere to go; a file takes every record.
    let nowhere = "[sinks.file]\nkind = \"file\"\npath = \"out/a.csv\"\non_error = \"dead_letter\"\n";
    check(
        &text(&[SEED, nowhere]),
        &expect![[
            r#"late.toml:8: sinks.file.on_error: the query has no destination for dead letters; add `[dead_letters]` with `path = "dead/letters.jsonl"`"#
        ]],
    );
    check(
        &text(&[&CSV.replace("infer", "on_error = \"retry\"\ninfer"), FILE]),
        &expect!["late.toml:5: sources.csv.on_error: unknown value `retry`; use one of `fail`, `skip`, `dead_letter`"],
    );
}

#[test]
fn a_transaction_that_the_broker_aborts_before_it_is_committed() {
    let slow = "commit_ms = 60000\n";
    check(
        &text(&[TOPIC, OUT, ONCE, slow]),
        &expect![[
            r#"late.toml:13: delivery.commit_ms: the broker aborts a transaction after 60000 ms, but this query commits after 60000 ms; commit more often, or set the sink's option `"transaction.timeout.ms"` to a larger value"#
        ]],
    );
    let longer = "options = { \"transaction.timeout.ms\" = 60001 }\n";
    check(&text(&[TOPIC, OUT, longer, ONCE, slow]), &expect![[""]]);
    let shorter = "options = { \"transaction.timeout.ms\" = 1000 }\n";
    check(
        &text(&[TOPIC, OUT, shorter, ONCE]),
        &expect![[
            r#"late.toml:1: delivery: the broker aborts a transaction after the time of `"transaction.timeout.ms"`, but this query commits after 1000 ms; commit more often, or set the sink's option `"transaction.timeout.ms"` to a larger value"#
        ]],
    );
}

#[test]
fn times_that_are_longer_than_the_transactions() {
    for (options, more) in [
        ("\"message.timeout.ms\" = 60001", ""),
        ("\"transaction.timeout.ms\" = 5000, \"socket.timeout.ms\" = 5101", ""),
        ("\"transaction.timeout.ms\" = 5000, \"socket.timeout.ms\" = 5100, \"message.timeout.ms\" = 5000", ""),
        ("\"transaction.timeout.ms\" = 5000", "delivery_timeout_ms = 5001\n"),
    ] {
        let text = text(&[TOPIC, OUT, more, &format!("options = {{ {options} }}\n"), ONCE]);
        let problems = super::super::Plan::parse(&text, std::path::Path::new(".")).err().unwrap_or_default();
        let said: Vec<String> = problems.iter().map(|problem| format!("{}: {}", problem.line, problem.key)).collect();
        let key = if more.is_empty() { "options" } else { "delivery_timeout_ms" };
        match options.contains("5100") {
            true => assert_eq!(said, [""; 0], "{problems:?}"),
            false => {
                assert_eq!(said, [format!("7: sinks.out.{key}")], "{problems:?}");
                assert!(problems[0].message.contains("longer than the transaction's"), "{problems:?}");
                assert!(!problems[0].to_string().contains("5001"), "{problems:?}");
            }
        }
    }
}

#[test]
fn letters_with_settings_that_the_producer_of_the_transaction_does_not_have() {
    let letters = "[dead_letters]\nkind = \"kafka\"\nbrokers = \"one:9092, two:9092\"\ntopic = \"dead\"\n";
    check(&text(&[TOPIC, OUT, ONCE, letters]), &expect![[""]]);
    let own = "compression = \"zstd\"\noptions = { \"linger.ms\" = 7 }\n";
    check(
        &text(&[TOPIC, OUT, ONCE, letters, own]),
        &expect![[r#"
        late.toml:13: dead_letters.options: the producer of the transaction writes these dead letters, but `out` has another `options`; remove it, or set the same value as in `out`
        late.toml:13: dead_letters.compression: the producer of the transaction writes these dead letters, but `out` has another `compression`; remove it, or set the same value as in `out`"#]],
    );
    check(&text(&[TOPIC, OUT, own, ONCE, letters, own]), &expect![[""]]);
}
