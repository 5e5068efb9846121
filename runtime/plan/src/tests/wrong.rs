//! Ways of getting a query file wrong: key, line and mend. The query as a whole, and its settings.

use expect_test::expect;

use super::{check, check_edit};

#[test]
fn a_query_without_a_name() {
    check_edit(
        "name = \"late-flights\"\n",
        "",
        &expect![[r#"late.toml:1: name: missing; give the query a name, for example `name = "late-flights"`"#]],
    );
}

#[test]
fn a_name_that_is_none() {
    check_edit(
        r#"name = "late-flights""#,
        r#"name = "Late flights""#,
        &expect![
            "late.toml:1: name: invalid name `Late flights`; use at most 64 of a-z, 0-9, `_` and `-`, a letter or digit first"
        ],
    );
}

#[test]
fn a_tenant_that_is_none() {
    check_edit(
        r#"tenant = "demo""#,
        r#"tenant = "../demo""#,
        &expect![
            "late.toml:2: tenant: invalid tenant `../demo`: use 1 to 63 of a-z, 0-9, `_` and `-`, a letter or digit first"
        ],
    );
}

#[test]
fn an_unknown_key() {
    check_edit(
        r#"tenant = "demo""#,
        r#"tennant = "demo""#,
        &expect!["late.toml:2: tennant: a query has no such key; did you mean `tenant`?"],
    );
}

#[test]
fn an_unknown_section() {
    check_edit(
        "[batching]",
        "[batchng]",
        &expect!["late.toml:31: batchng: a query has no such key; did you mean `batching`?"],
    );
}

#[test]
fn a_wrong_toml_type() {
    check_edit(
        r#"name = "late-flights""#,
        "name = 7",
        &expect!["late.toml:1: name: expected a string, found an integer"],
    );
}

#[test]
fn exactly_once() {
    check_edit(
        r#""at_least_once""#,
        r#""exactly_once""#,
        &expect![[r#"
            late.toml:20: sinks.table: `exactly_once` is impossible here: standard output cannot take back records; write to a file or a topic, or use `at_least_once`
            late.toml:29: delivery.guarantee: `exactly_once` needs a `state` folder for the manifest of its files; add, for example, `state = "state/late"`, a folder for this query only"#]],
    );
}

#[test]
fn a_commit_interval_out_of_range() {
    check_edit(
        r#"guarantee = "at_least_once""#,
        "commit_ms = 0",
        &expect!["late.toml:29: delivery.commit_ms: 0 is out of range; use a number from 1 to 86400000"],
    );
}

#[test]
fn batches_out_of_range() {
    check_edit(
        "records_max = 8192",
        "records_max = 2_000_000\ndelay_ms_max = 1.5",
        &expect![[r#"
        late.toml:32: batching.records_max: 2000000 is out of range; use a number from 1 to 1000000
        late.toml:33: batching.delay_ms_max: expected an integer, found a float"#]],
    );
}

#[test]
fn batches_of_bytes_out_of_range() {
    check_edit(
        "records_max = 8192",
        "bytes_max = 1024\nrecord_bytes_max = 4_000_000_000",
        &expect![[r#"
            late.toml:32: batching.bytes_max: 1024 is out of range; use a number from 65536 to 1073741824
            late.toml:33: batching.record_bytes_max: 4000000000 is out of range; use a number from 65536 to 1073741824"#]],
    );
}

#[test]
fn dead_letters_into_a_sink() {
    check_edit(
        "[batching]",
        "[dead_letters]\npath = \"out/late.parquet\"\n\n[batching]",
        &expect!["late.toml:32: dead_letters.path: `sinks.archive.path` also writes this file; use another file"],
    );
}

#[test]
fn dead_letters_over_a_module() {
    check_edit(
        "[delivery]",
        "[dead_letters]\npath = \"flights.wasm\"\n\n[delivery]",
        &expect!["late.toml:29: dead_letters.path: `stages.late.module` reads this file; use another file"],
    );
}

#[test]
fn toml_that_is_none() {
    check_edit(
        "name = \"late\"\n",
        "name = late\nname = \"late\n",
        &expect![[r#"
        late.toml:10: not valid TOML: string values must be quoted, expected literal string
        late.toml:11: not valid TOML: duplicate key
        late.toml:11: not valid TOML: invalid basic string, expected `"`"#]],
    );
}

#[test]
fn a_key_given_twice() {
    check_edit(
        r#"tenant = "demo""#,
        "tenant = \"demo\"\ntenant = \"other\"",
        &expect!["late.toml:3: not valid TOML: duplicate key"],
    );
}

#[test]
fn nothing_at_all() {
    check(
        "",
        &expect![[r#"
        late.toml:1: name: missing; give the query a name, for example `name = "late-flights"`
        late.toml:1: sources: missing; write for example `[sources.flights]` with `kind = "file"` and `path = "flights.parquet"`
        late.toml:1: sinks: missing; write for example `[sinks.table]` with `kind = "stdout"`"#]],
    );
}

#[test]
fn sections_that_are_empty_or_no_tables() {
    check(
        r#"
name = "empty"
sources = {}
stages = "late"
sinks = []
batching = 3
"#,
        &expect![[r#"
            late.toml:3: sources: a query needs at least one source; write for example `[sources.flights]` with `kind = "file"` and `path = "flights.parquet"`
            late.toml:4: stages: expected a list of tables, found a string
            late.toml:5: sinks: expected a table, found a list
            late.toml:6: batching: expected a table, found an integer"#]],
    );
}

/// What is found does not depend on what else is wrong: ten mistakes, ten lines.
#[test]
fn ten_mistakes_at_once() {
    check(
        r#"name = "Ten"
tenant = "demo"
colour = "red"

[sources.flights]
kind = "file"
path = "flights.csv"
schema = { delay = "i65", origin = "utf8" }

[[stages]]
name = "late"
module = "flights.wasm"
function = "late"
params = { min_delai = 60 }
input = "flihgts"

[[stages]]
name = "gone"
module = "gone.wasm"
function = "gone"
on_error = "dead_letter"

[sinks.table]
kind = "stdout"
rows_max = "many"

[sinks.archive]
kind = "file"
path = "late.xlsx"

[delivery]
guarantee = "exactly_once"
"#,
        &expect![[r#"
            late.toml:1: name: invalid name `Ten`; use at most 64 of a-z, 0-9, `_` and `-`, a letter or digit first
            late.toml:3: colour: a query has no such key; its keys are `name`, `tenant`, `sources`, `stages`, `delivery`, `sinks`, `batching`, `dead_letters`
            late.toml:8: sources.flights.schema.delay: unknown type `i65`; did you mean `i64`?
            late.toml:14: stages.late.params.min_delai: `late` has no parameter `min_delai` (did you mean `min_delay`?): it has `min_delay`
            late.toml:15: stages.late.input: source or stage `flihgts` does not exist; did you mean `flights`?
            late.toml:19: stages.gone.module: file `gone.wasm` does not exist; paths are relative to the folder of the query file
            late.toml:21: stages.gone.on_error: the query has no destination for dead letters; add `[dead_letters]` with `path = "dead/letters.jsonl"`
            late.toml:23: sinks.table: `exactly_once` is impossible here: standard output cannot take back records; write to a file or a topic, or use `at_least_once`
            late.toml:25: sinks.table.rows_max: expected an integer, found a string
            late.toml:29: sinks.archive.path: the format cannot be determined from the suffix of `late.xlsx`; add `format`, one of `json_lines`, `csv`, `parquet`, `arrow_ipc`, `bincode`
            late.toml:32: delivery.guarantee: `exactly_once` needs a `state` folder for the manifest of its files; add, for example, `state = "state/late"`, a folder for this query only"#]],
    );
}

#[test]
fn another_language_gets_one_message() {
    let json = format!("{{\n{}}}", "  \"name\": [\"late\"],\n".repeat(200));
    check(
        &json,
        &expect![[
            r#"late.toml:1: this is JSON, but the file must be TOML; write `name = "…"`, and a header such as `[sources.flights]` for each part"#
        ]],
    );
    check(
        "---\nname: late\nsources:\n  flights:\n    kind: file\n",
        &expect![[
            r#"late.toml:1: this is YAML, but the file must be TOML; write `name = "…"`, and a header such as `[sources.flights]` for each part"#
        ]],
    );
}

#[test]
fn of_many_mistakes_of_toml_the_first_are_listed() {
    let text = "name = \n".repeat(100);
    let folder = super::folder();
    let problems = super::Plan::parse(&text, folder.path()).unwrap_err();
    assert_eq!(problems.len(), 21);
    expect!["179 more TOML mistakes are not listed; fix the first ones"].assert_eq(&problems[20].to_string());
}

#[test]
fn one_bracket_instead_of_two() {
    check_edit(
        "[[stages]]",
        "[stages]",
        &expect![
            "late.toml:9: stages: expected a list of tables, found a table; begin each with `[[stages]]` (two brackets)"
        ],
    );
}

#[test]
fn numbers_with_units() {
    check_edit(
        "records_max = 8192",
        "records_max = \"8_192\"\ndelay_ms_max = \"10s\"",
        &expect![[r#"
        late.toml:32: batching.records_max: expected an integer, found a string; write the number without quotes: 8192
        late.toml:33: batching.delay_ms_max: expected an integer, found a string; write the number without quotes: 10000"#]],
    );
    check_edit(
        "memory_bytes_max = 1048576",
        "memory_bytes_max = \"64MB\"",
        &expect![
            "late.toml:18: stages.late.limits.memory_bytes_max: expected an integer, found a string; write the number without quotes: 64000000"
        ],
    );
}

#[test]
fn paths_that_are_no_paths() {
    for (path, expect) in [
        (
            "s3://bucket/flights.csv",
            expect![
                "late.toml:6: sources.flights.path: `s3://` is a URL: this key needs the path of a local file; download the object to a local file, and use its path"
            ],
        ),
        (
            "*.csv",
            expect![[
                r#"late.toml:6: sources.flights.path: file `*.csv` does not exist; patterns are not expanded: name each file, `paths = ["a.jsonl", "b.jsonl"]`"#
            ]],
        ),
        (
            "-",
            expect![[r#"
            late.toml:6: sources.flights.path: the format cannot be determined from the suffix of `-`; add `format`, one of `json_lines`, `csv`, `parquet`, `arrow_ipc`
            late.toml:6: sources.flights.path: `-` does not mean standard input in a file source; write `path = "/dev/stdin"`, with `format` and `schema`"#]],
        ),
        (
            "~/flights.csv",
            expect!["late.toml:6: sources.flights.path: `~` is not expanded in a query file; write the full path"],
        ),
    ] {
        check_edit("path = \"flights.csv\"", &format!("path = \"{path}\""), &expect);
    }
    for (path, expect) in [
        (
            "s3://bucket/late.parquet",
            expect![
                "late.toml:26: sinks.archive.path: `s3://` is a URL: this key needs the path of a local file; write to a local file, and upload it from there"
            ],
        ),
        (
            "-",
            expect![[r#"
        late.toml:26: sinks.archive.path: the format cannot be determined from the suffix of `-`; add `format`, one of `json_lines`, `csv`, `parquet`, `arrow_ipc`, `bincode`
        late.toml:26: sinks.archive.path: `-` does not mean standard output in a sink; use a sink of `kind = "stdout"`"#]],
        ),
    ] {
        check_edit("path = \"out/late.parquet\"", &format!("path = \"{path}\""), &expect);
    }
}
