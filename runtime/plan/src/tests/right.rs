//! Query files without mistakes, and the plans that they are.

use expect_test::expect;

use super::{GOOD, Plan, check_plan, edited};

#[test]
fn a_file_through_a_stage_into_two_sinks() {
    check_plan(
        GOOD,
        &expect![[r#"
        query late-flights of tenant demo
        source flights: csv flights.csv, schema declared
          gives date timestamp, delay i64, distance i64?, origin utf8, destination utf8
        stage late: filter-map `late` of flights.wasm, bad records are skipped
          with min_delay = 60
          from  flights: date timestamp, delay i64, distance i64?, origin utf8, destination utf8
          gives date timestamp, route utf8, minutes i64
        sink table: standard output, a table of up to 10 rows, queue of 4 batches
          takes late: date timestamp, route utf8, minutes i64
        sink archive: parquet out/late.parquet, queue of 4 batches
          takes late: date timestamp, route utf8, minutes i64
        delivery at least once, one commit at the end of the stream
        batches of up to 8192 records or 100 ms
    "#]],
    );
}

#[test]
fn everything_that_can_be_said() {
    check_plan(
        r#"
name = "all"

[sources.a]
kind = "file"
paths = ["flights.csv", "./flights.csv"]
format = "csv"
infer = true
on_error = "dead_letter"

[sources.b]
kind = "generator"
batches = 1_000

[sources.c]
kind = "nexmark"
stream = "bid"
events = 0x10

[[stages]]
name = "delays"
module = "flights.wasm"
function = "delays"
input = ["a"]
isolation = "fresh"

[[stages]]
name = "scaled"
module = "flights.wasm"
function = "scaled"
params = { factor = 2, unit = "mi" }
carry = "all"
on_error = "dead_letter"
limits = { fuel_batch_max = "none", deadline_ms_max = 50 }

[sinks.scaled]
kind = "file"
path = "out/scaled"
format = "bincode"
rotate_bytes_max = 1000000
rotate_ms_max = 60000
if_exists = "replace"
queue_batches_max = 16

[sinks.generated]
kind = "count"
input = "b"

[sinks.bids]
kind = "stdout"
format = "json_lines"
input = "c"

[delivery]
commit_ms = 5000

[batching]
records_max = 100
delay_ms_max = 20

[dead_letters]
path = "dead/letters.jsonl"
"#,
        &expect!["late.toml:36: sinks.scaled: the name `scaled` is already used by a stage; choose another name"],
    );
}

#[test]
fn the_smallest_query() {
    check_plan(
        r#"
name = "copy"
sources.flights = { kind = "file", path = "sample.parquet" }
sinks.out = { kind = "stdout" }
"#,
        &expect![[r#"
            query copy of tenant default
            source flights: parquet sample.parquet, schema of the file
              gives date timestamp?, delay i64?, distance i64?, origin utf8?, destination utf8?
            sink out: standard output, a table of up to 20 rows, queue of 4 batches
              takes flights: date timestamp?, delay i64?, distance i64?, origin utf8?, destination utf8?
            delivery at least once, one commit at the end of the stream
            batches of up to 8192 records or 100 ms
        "#]],
    );
}

#[test]
fn a_parquet_file_of_which_some_columns_are_declared() {
    check_plan(
        r#"
name = "columns"
sources.flights = { kind = "file", path = "sample.parquet", schema = { origin = "utf8", delay = "i64" } }
stages = [{ name = "is-late", module = "flights.wasm", function = "is_late" }]
sinks.out = { kind = "stdout" }
"#,
        &expect![[r#"
            query columns of tenant default
            source flights: parquet sample.parquet, schema declared
              gives origin utf8, delay i64
            stage is-late: filter `is_late` of flights.wasm
              from  flights: origin utf8, delay i64
              gives origin utf8, delay i64
            sink out: standard output, a table of up to 20 rows, queue of 4 batches
              takes is-late: origin utf8, delay i64
            delivery at least once, one commit at the end of the stream
            batches of up to 8192 records or 100 ms
        "#]],
    );
}

#[test]
fn what_is_odd_is_a_warning() {
    let more = r#"
[[stages]]
name = "unread"
module = "flights.wasm"
function = "is_late"
input = "flights"

[sinks.again]
kind = "stdout"
input = "late"
"#;
    check_plan(
        &(edited("rows_max = 10", "input = \"late\"")
            .replace("[sinks.archive]\n", "[sinks.archive]\ninput = \"late\"\n")
            + more),
        &expect![[r#"
        query late-flights of tenant demo
        source flights: csv flights.csv, schema declared
          gives date timestamp, delay i64, distance i64?, origin utf8, destination utf8
        stage late: filter-map `late` of flights.wasm, bad records are skipped
          with min_delay = 60
          from  flights: date timestamp, delay i64, distance i64?, origin utf8, destination utf8
          gives date timestamp, route utf8, minutes i64
        stage unread: filter `is_late` of flights.wasm
          from  flights: date timestamp, delay i64, distance i64?, origin utf8, destination utf8
          gives date timestamp, delay i64, distance i64?, origin utf8, destination utf8
        sink table: standard output, a table of up to 20 rows, queue of 4 batches
          takes late: date timestamp, route utf8, minutes i64
        sink archive: parquet out/late.parquet, queue of 4 batches
          takes late: date timestamp, route utf8, minutes i64
        sink again: standard output, a table of up to 20 rows, queue of 4 batches
          takes late: date timestamp, route utf8, minutes i64
        delivery at least once, one commit at the end of the stream
        batches of up to 8192 records or 100 ms
        warning, line 35: stages.unread: its output does not reach a sink; add `unread` to the `input` of a sink, or remove the stage
        warning, line 41: sinks.again: `table` also writes to standard output: their lines will be mixed; write one of them to a file
    "#]],
    );
}

#[test]
fn what_will_not_work_as_it_looks_is_a_warning() {
    check_plan(
        r#"
name = "copy"
sources.flights = { kind = "file", path = "sample.parquet" }

[sinks.there]
kind = "file"
path = "flights.jsonl"

[sinks.numbered]
kind = "file"
path = "out.csv"
rotate_ms_max = 1
if_exists = "replace"
"#,
        &expect![[r#"
            query copy of tenant default
            source flights: parquet sample.parquet, schema of the file
              gives date timestamp?, delay i64?, distance i64?, origin utf8?, destination utf8?
            sink there: json_lines flights.jsonl, queue of 4 batches
              takes flights: date timestamp?, delay i64?, distance i64?, origin utf8?, destination utf8?
            sink numbered: csv out.csv, a new file after 1 ms, numbered, queue of 4 batches
              takes flights: date timestamp?, delay i64?, distance i64?, origin utf8?, destination utf8?
            delivery at least once, one commit at the end of the stream
            batches of up to 8192 records or 100 ms
            warning, line 7: sinks.there.path: `flights.jsonl` already exists, so a run will fail; remove it, or set `if_exists = "replace"`
            warning, line 13: sinks.numbered.if_exists: files are numbered because they rotate or the query commits before its end, so none is replaced; new files continue after the highest number
        "#]],
    );
}

#[test]
fn a_device_of_a_declared_schema() {
    check_plan(
        r#"
name = "device"
sources.nothing = { kind = "file", path = "/dev/null", format = "csv", schema = { id = "i64" } }
sinks.count = { kind = "count" }
"#,
        &expect![[r#"
            query device of tenant default
            source nothing: csv null, schema declared
              gives id i64
            sink count: counts and drops, queue of 4 batches
              takes nothing: id i64
            delivery at least once, one commit at the end of the stream
            batches of up to 8192 records or 100 ms
        "#]],
    );
}

#[test]
fn csv_files() {
    // Doubled and odd names are no matter where they are not declared; an empty file is no matter at all.
    check_plan(
        r##"
name = "csv"
sinks.a = { kind = "count", input = "declared" }
sinks.b = { kind = "count", input = "inferred" }
sinks.c = { kind = "count", input = "tabs" }
sinks.d = { kind = "count", input = "bare" }

[sources.declared]
kind = "file"
paths = ["odd.csv", "nothing.csv", "odd-too.csv"]
schema = { delay = "f64", origin = "utf8", code = "utf8" }
nulls = ["", "NULL", "\\N"]
comment = "#"

[sources.inferred]
kind = "file"
paths = ["odd.csv", "nothing.csv"]
infer = true

[sources.tabs]
kind = "file"
path = "tabs.tsv"
infer = true

[sources.bare]
kind = "file"
path = "odd-too.csv"
header = false
quote = "none"
schema = { delay = "f64?", origin = "utf8?", code = "utf8?" }
"##,
        &expect![[r#"
            query csv of tenant default
            source declared: csv odd.csv, nothing.csv, odd-too.csv, schema declared
              gives delay f64, origin utf8, code utf8
            source inferred: csv odd.csv, nothing.csv, schema of the file
              gives delay i64?, origin utf8?, code utf8?
            source tabs: csv tabs.tsv, schema of the file
              gives delay i64?, origin utf8?, code i64?
            source bare: csv odd-too.csv, schema declared
              gives delay f64?, origin utf8?, code utf8?
            sink a: counts and drops, queue of 4 batches
              takes declared: delay f64, origin utf8, code utf8
            sink b: counts and drops, queue of 4 batches
              takes inferred: delay i64?, origin utf8?, code utf8?
            sink c: counts and drops, queue of 4 batches
              takes tabs: delay i64?, origin utf8?, code i64?
            sink d: counts and drops, queue of 4 batches
              takes bare: delay f64?, origin utf8?, code utf8?
            delivery at least once, one commit at the end of the stream
            batches of up to 8192 records or 100 ms
            warning, line 17: sources.inferred.paths[0]: column `` of `odd.csv` is left out: invalid field name ``: it is empty
            warning, line 17: sources.inferred.paths[0]: column `_x` of `odd.csv` is left out: invalid field name `_x`: names that begin with `_` are reserved
            warning, line 17: sources.inferred.paths[0]: column `twice` of `odd.csv` is left out: it occurs in the header more than once
            warning, line 17: sources.inferred.paths[0]: column `twice` of `odd.csv` is left out: it occurs in the header more than once
        "#]],
    );
    check_plan(
        r#"
name = "csv"
sinks.count = { kind = "count" }
sources.both = { kind = "file", paths = ["odd-too.csv", "tabs.tsv"], infer = true }
"#,
        &expect![
            "late.toml:4: sources.both.paths[1]: `tabs.tsv` and the first file use different delimiters, according to their suffixes; use a separate source for it, or set `delimiter` for all files"
        ],
    );
    check_plan(
        r#"
name = "csv"
sinks.count = { kind = "count" }
sources.both = { kind = "file", paths = ["odd.csv"], schema = { delay = "i64", twice = "i64", more = "utf8" } }
"#,
        &expect![[r#"
            late.toml:4: sources.both.schema.twice: `odd.csv` has more than one column of this name; remove it, or rename one of them in the file
            late.toml:4: sources.both.schema.more: `odd.csv` has no such field; did you mean `code`?"#]],
    );
    check_plan(
        r#"
name = "csv"
sinks.count = { kind = "count" }
sources.empty = { kind = "file", path = "nothing.csv", infer = true }
sources.bare = { kind = "file", path = "tabs.tsv", header = false, infer = true }
sources.wrong = { kind = "file", path = "flights.jsonl", delimiter = ";", schema = { delay = "i64" } }
"#,
        &expect![[r#"
            late.toml:4: sources.empty.path: `nothing.csv` is empty, so its fields are unknown; declare `schema`
            late.toml:5: sources.bare.schema: missing: the file has no header, so `schema` must name the fields; declare every field, in the order of the file
            late.toml:6: sources.wrong.delimiter: `delimiter` applies only to csv, but the format is json_lines; remove `delimiter`"#]],
    );
}

/// What files of these contents are read as where nobody says it.
fn inferred(files: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let paths: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    let text = format!(
        "name = \"several\"\nsources.a = {{ kind = \"file\", paths = {paths:?}, infer = true }}\nsinks.b.kind = \"count\"\n"
    );
    match Plan::parse(&text, folder.path()) {
        Ok(plan) => plan.sources[0].schema.to_string(),
        Err(problems) => problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

#[test]
fn several_files_are_inferred_as_one() {
    let csv = |one: &str, two: &str| inferred(&[("a.csv", &format!("x\n{one}\n")), ("b.csv", &format!("x\n{two}\n"))]);
    for (one, two, expected) in [
        ("1", "2", "x i64?"),
        ("1", "0.5", "x f64?"),
        // No double holds the first: as one file they would be text, too.
        ("9007199254740993", "0.5", "x utf8?"),
        ("-9223372036854775807", "1e3", "x utf8?"),
        ("9007199254740992", "0.5", "x f64?"),
        ("1", "007", "x utf8?"),
        ("true", "1", "x utf8?"),
        ("2001-01-31", "2001-01-31T10:00Z", "x timestamp?"),
        ("2001-01-31", "5", "x utf8?"),
        ("NaN", "1", "x f64?"),
        // A header alone, or a column without values, says nothing.
        ("", "2", "x i64?"),
        ("\n\n", "true", "x bool?"),
        ("", "", "x utf8?"),
    ] {
        assert_eq!((csv(one, two), csv(two, one)), (expected.to_owned(), expected.to_owned()), "{one:?} and {two:?}");
    }
    let json = |one: &str, two: &str| inferred(&[("a.jsonl", one), ("b.jsonl", two)]);
    assert_eq!(json("{\"x\":1}", "{\"x\":0.5}"), "x f64?");
    assert_eq!(json("{\"x\":9007199254740993}", "{\"x\":0.5}"), "x utf8?");
    assert_eq!(json("{\"x\":null}", "{\"x\":true}"), "x bool?");
    assert_eq!(json("{\"x\":\"a\"}", "{\"x\":true}"), "x utf8?");
    assert_eq!(inferred(&[("a.jsonl", "{\"x\":1}"), ("b.jsonl", ""), ("c.jsonl", "{\"x\":2.5}")]), "x f64?");
    assert_eq!(inferred(&[("a.csv", "x\n"), ("b.csv", ""), ("c.csv", "x\n1\n"), ("d.csv", "x\n.5\n")]), "x f64?");
    let other = inferred(&[("a.csv", "x\n1\n"), ("b.csv", "y\n1\n")]);
    assert!(other.contains("files of one source need the same fields: declare `schema`"), "{other}");
}
