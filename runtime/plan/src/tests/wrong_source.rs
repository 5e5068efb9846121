//! Ways of getting a source wrong.

use expect_test::expect;

use super::{GOOD, check, check_edit};

#[test]
fn an_unknown_source_kind() {
    check_edit(
        "kind = \"file\"\npath = \"flights.csv\"",
        "kind = \"flie\"\npath = \"flights.csv\"",
        &expect!["late.toml:5: sources.flights.kind: unknown value `flie`; did you mean `file`?"],
    );
}

#[test]
fn a_source_file_that_is_not_there() {
    check_edit(
        r#"path = "flights.csv""#,
        r#"path = "flihgts.csv""#,
        &expect!["late.toml:6: sources.flights.path: file `flihgts.csv` does not exist; did you mean `flights.csv`?"],
    );
}

#[test]
fn a_source_that_is_a_folder() {
    check_edit(
        r#"path = "flights.csv""#,
        "path = \".\"\nformat = \"csv\"",
        &expect!["late.toml:6: sources.flights.path: `.` is a folder; name a file"],
    );
}

#[test]
fn a_source_without_a_path() {
    check_edit(
        "path = \"flights.csv\"\n",
        "",
        &expect![[
            r#"late.toml:4: sources.flights.path: missing; name the file, or several as `paths = ["a.csv", "b.csv"]`"#
        ]],
    );
}

#[test]
fn both_path_and_paths() {
    check_edit(
        r#"path = "flights.csv""#,
        "path = \"flights.csv\"\npaths = [\"flights.csv\"]",
        &expect!["late.toml:7: sources.flights.paths: `path` is also set; remove one of them"],
    );
}

#[test]
fn units_of_timestamps() {
    check_edit(
        r#"date = "timestamp""#,
        r#"date = "timestamp(min)?""#,
        &expect![
            "late.toml:7: sources.flights.schema.date: unknown unit of time `min`; use one of `timestamp(s)`, `timestamp(ms)`, `timestamp(us)`, `timestamp(ns)`"
        ],
    );
    check_edit(
        r#"date = "timestamp""#,
        r#"date = "timestamp(ms""#,
        &expect!["late.toml:7: sources.flights.schema.date: unknown type `timestamp(ms`; did you mean `timestamp`?"],
    );
    check_edit(
        "path = \"flights.csv\"\nschema = { date = \"timestamp\"",
        "path = \"sample.parquet\"\nschema = { date = \"timestamp(ms)?\"",
        &expect![
            "late.toml:7: sources.flights.schema.date: `timestamp(ms)` (numbers with a unit) is not supported for parquet; write `timestamp`"
        ],
    );
    let folder = super::folder();
    let right = super::edited(r#"date = "timestamp""#, r#"date = "timestamp(ms)""#);
    let plan = super::super::Plan::parse(&right, folder.path()).unwrap();
    assert_eq!(plan.sources[0].schema.number_unit(0), Some(weir_batch::TimestampUnit::Millis));
}

#[test]
fn an_unknown_format() {
    check_edit(
        r#"path = "flights.csv""#,
        "path = \"flights.csv\"\nformat = \"cvs\"",
        &expect!["late.toml:7: sources.flights.format: unknown value `cvs`; did you mean `csv`?"],
    );
}

#[test]
fn a_format_that_cannot_be_read() {
    check_edit(
        r#"path = "flights.csv""#,
        r#"path = "bids.bincode""#,
        &expect![
            "late.toml:6: sources.flights.path: bincode files can only be written, not read; use one of `json_lines`, `csv`, `parquet`, `arrow_ipc`"
        ],
    );
}

#[test]
fn a_suffix_that_tells_no_format() {
    check_edit(
        r#"path = "flights.csv""#,
        r#"path = "flights.wasm""#,
        &expect![
            "late.toml:6: sources.flights.path: the format cannot be determined from the suffix of `flights.wasm`; add `format`, one of `json_lines`, `csv`, `parquet`, `arrow_ipc`"
        ],
    );
}

#[test]
fn a_schema_that_is_missing() {
    check_edit(
        "schema = { date = \"timestamp\", delay = \"i64\", distance = \"i64?\", origin = \"utf8\", destination = \"utf8\" }\n",
        "",
        &expect![[
            r#"late.toml:4: sources.flights.schema: missing: csv files have no schema; declare the fields, for example `schema = { delay = "i64", origin = "utf8?" }`, or set `infer = true`"#
        ]],
    );
}

#[test]
fn schema_types_that_are_none() {
    check_edit(
        r#"{ date = "timestamp", delay = "i64", distance = "i64?""#,
        r#"{ date = "datetime", delay = "i46", distance = 64"#,
        &expect![[r#"
            late.toml:7: sources.flights.schema.date: unknown type `datetime`; use `timestamp`
            late.toml:7: sources.flights.schema.delay: unknown type `i46`; did you mean `i16`?
            late.toml:7: sources.flights.schema.distance: expected a string, found an integer"#]],
    );
}

#[test]
fn a_field_that_the_file_lacks() {
    check_edit(
        r#"distance = "i64?""#,
        r#"distanse = "i64?""#,
        &expect![
            "late.toml:7: sources.flights.schema.distanse: `flights.csv` has no such field; did you mean `distance`?"
        ],
    );
}

#[test]
fn a_field_of_the_system() {
    check_edit(
        r#"distance = "i64?""#,
        r#"_distance = "i64?""#,
        &expect![
            "late.toml:7: sources.flights.schema._distance: invalid field name `_distance`: names that begin with `_` are reserved"
        ],
    );
}

#[test]
fn infer_beside_a_schema() {
    check_edit(
        r#"path = "flights.csv""#,
        "path = \"flights.csv\"\ninfer = true",
        &expect!["late.toml:7: sources.flights.infer: `schema` is also set; remove `infer` or `schema`"],
    );
}

#[test]
fn a_source_that_feeds_nothing() {
    check(
        r#"
name = "unread"

[sources.seed]
kind = "generator"
batches = 1

[sources.more]
kind = "generator"
batches = 1

[sinks.count]
kind = "count"
input = "seed"
"#,
        &expect![
            "late.toml:8: sources.more: is not read by any stage or sink; add `more` to the `input` of a stage or sink, or remove the source"
        ],
    );
}

#[test]
fn sources_of_different_schemas_that_nobody_chose_from() {
    check_edit(
        "[batching]",
        "[sources.more]\nkind = \"generator\"\nbatches = 1\n\n[batching]",
        &expect![
            "late.toml:9: stages.late.input: `flights` has the schema (date timestamp, delay i64, distance i64?, origin utf8, destination utf8), but `more` has (id i64, name utf8, value f64); without `input`, all sources are read: set `input` to one of them"
        ],
    );
}

#[test]
fn sources_of_other_kinds() {
    check(
        r#"
name = "kinds"

[sources.seed]
kind = "generator"
batches = 0
format = "csv"

[sources.bids]
kind = "nexmark"
stream = "bids"
seed = 4

[sources.old-name]
path = "x.csv"

[sinks.count]
kind = "count"
format = "csv"
input = ["seed", "bids"]
"#,
        &expect![[r#"
            late.toml:6: sources.seed.batches: 0 is out of range; use a number from 1 to 1000000000000
            late.toml:7: sources.seed.format: a generator source has no such key; its keys are `kind`, `on_error`, `batches`
            late.toml:9: sources.bids.events: missing; set the number of records
            late.toml:11: sources.bids.stream: unknown value `bids`; did you mean `bid`?
            late.toml:12: sources.bids.seed: a nexmark source has no such key; its keys are `kind`, `on_error`, `stream`, `events`
            late.toml:14: sources.old-name.kind: missing; use one of `file`, `kafka`, `generator`, `nexmark`, `custom`
            late.toml:14: sources.old-name: is not read by any stage or sink; add `old-name` to the `input` of a stage or sink, or remove the source
            late.toml:19: sinks.count.format: a count sink has no such key; its keys are `kind`, `input`, `on_error`, `retry`, `queue_batches_max`"#]],
    );
}

#[test]
fn a_declared_schema_that_differs_from_a_parquet_file() {
    check(
        r#"
name = "sample"

[sources.flights]
kind = "file"
path = "sample.parquet"

[sources.flights.schema]
delay = "utf8"
carrier = "utf8"
origin = "utf8"

[sinks.count]
kind = "count"
"#,
        &expect![[r#"
            late.toml:9: sources.flights.schema.delay: `sample.parquet` holds delay i64?; declare it as i64
            late.toml:10: sources.flights.schema.carrier: `sample.parquet` has no such field; it has `date`, `delay`, `distance`, `origin`, `destination`"#]],
    );
}

#[test]
fn files_that_do_not_belong_together() {
    check(
        r#"
name = "mixed"

[sources.flights]
kind = "file"
paths = ["flights.csv", "flights.jsonl"]
infer = true

[sources.broken]
kind = "file"
path = "text.wasm"
format = "parquet"

[sinks.count]
kind = "count"
input = ["flights", "broken"]
"#,
        &expect![[r#"
            late.toml:6: sources.flights.paths[1]: a json_lines file among csv files; use a separate source for each format
            late.toml:11: sources.broken.path: `text.wasm` cannot be read as parquet: invalid parquet file: 8 bytes are too few"#]],
    );
}

#[test]
fn a_schema_inferred_from_a_device() {
    check(
        r#"
name = "device"
sources.nothing = { kind = "file", path = "/dev/null", format = "json_lines", infer = true }
sinks.count = { kind = "count" }
"#,
        &expect![
            "late.toml:3: sources.nothing.path: `/dev/null` is not a regular file, so its schema cannot be inferred; declare `schema`"
        ],
    );
}

#[test]
fn options_of_csv() {
    let path = "path = \"flights.csv\"";
    let with = |keys: &str| format!("{path}\n{keys}");
    for (keys, expected) in [
        (
            "delimiter = \";;\"",
            &expect![[
                r#"late.toml:7: sources.flights.delimiter: `;;` is not one ASCII character; write one character, for example `";"` or `"\t"`"#
            ]],
        ),
        (
            "delimiter = \"é\"",
            &expect![[
                r#"late.toml:7: sources.flights.delimiter: `é` is not one ASCII character; write one character, for example `";"` or `"\t"`"#
            ]],
        ),
        ("delimiter = 5", &expect!["late.toml:7: sources.flights.delimiter: expected a string, found an integer"]),
        ("quote = \",\"", &expect!["late.toml:7: sources.flights.quote: `,` is also the delimiter"]),
        (
            "quote = \"\"",
            &expect![[
                r#"late.toml:7: sources.flights.quote: `` is not one ASCII character; write one character, or `"none"` if fields are never quoted"#
            ]],
        ),
        (
            "comment = \"\\n\"",
            &expect!["late.toml:7: sources.flights.comment: it must be one ASCII character other than a line end"],
        ),
        (
            "nulls = \"NULL\"",
            &expect!["late.toml:7: sources.flights.nulls: expected a list of strings, found a string"],
        ),
        (
            "nulls = [\"a,b\"]",
            &expect![
                "late.toml:7: sources.flights.nulls: `a,b` contains a delimiter, quote or line end, which an unquoted field cannot"
            ],
        ),
        (
            "nulls = [\"#\"]\ncomment = \"#\"",
            &expect!["late.toml:7: sources.flights.nulls: `#` begins with the comment character"],
        ),
        ("header = 1", &expect!["late.toml:7: sources.flights.header: expected true or false, found an integer"]),
        (
            "separator = \";\"",
            &expect![
                "late.toml:7: sources.flights.separator: a file source has no such key; its keys are `kind`, `on_error`, `schema`, `infer`, `on_change`, `path`, `paths`, `format`, `delimiter`, `quote`, `header`, `nulls`, `comment`"
            ],
        ),
    ] {
        check_edit(path, &with(keys), expected);
    }
}

#[test]
fn what_becomes_of_files_that_change() {
    let flights = "path = \"flights.csv\"";
    let state = |text: &str| {
        GOOD.replace(flights, &format!("{flights}\n{text}")).replace("[delivery]", "[delivery]\nstate = \"state\"")
    };
    check(
        &state("on_change = \"ignore\""),
        &expect!["late.toml:7: sources.flights.on_change: unknown value `ignore`; use one of `fail`, `follow`"],
    );
    check(
        &state("on_change = true"),
        &expect!["late.toml:7: sources.flights.on_change: expected a string, found a boolean"],
    );
    check(&state("on_change = \"follow\""), &expect![""]);
    check(&state("on_change = \"fail\""), &expect![""]);
    // Without a state nothing is kept that could be followed.
    check_edit(
        flights,
        "path = \"flights.csv\"\non_change = \"follow\"",
        &expect![[
            r#"late.toml:7: sources.flights.on_change: without a `state`, no position in the file is stored, so a change cannot be followed; add, for example, `state = "state/late"` to `[delivery]`, or remove `on_change`"#
        ]],
    );
    check_edit(flights, "path = \"flights.csv\"\non_change = \"fail\"", &expect![""]);
    let pipe = state("on_change = \"follow\"").replace("flights.csv", "/dev/null\"\nformat = \"csv");
    check(
        &pipe,
        &expect![
            "late.toml:8: sources.flights.on_change: `/dev/null` is not a regular file, so a change cannot be followed; remove `on_change`"
        ],
    );
}

#[test]
fn an_unknown_connector_hides_no_other_mistake() {
    check(
        r#"name = "custom"

[sources.feed]
kind = "custom"
on_error = "ignore"
options = { last = 1.5, since = 2024-01-01, list = [1], "a.b" = { env = 1 }, right = true }
connector = "fead"
path = "a.csv"

[sources.unnamed]
kind = "custom"
options = { last = 1.5 }

[sources.empty]
kind = "custom"
connector = ""
options = { last = 1.5 }

[sources.number]
kind = "custom"
connector = 7
options = 7

[sources.kindless]
kind = "costum"
on_error = "ignore"

[sinks.out]
kind = "custom"
connector = "nowhere"
input = ["feed", "unnamed", "empty", "number", "kindless", "nothing"]
on_error = "retry"
retry = { times_max = 0 }
queue_batches_max = "4"
options = { last = 1.5 }
colour = "red"
"#,
        &expect![[r#"
            late.toml:5: sources.feed.on_error: unknown value `ignore`; use one of `fail`, `skip`, `dead_letter`
            late.toml:6: sources.feed.options.last: expected a string, a number, true or false, or `{ env = "NAME" }`, found a float
            late.toml:6: sources.feed.options.since: expected a string, a number, true or false, or `{ env = "NAME" }`, found a date or time
            late.toml:6: sources.feed.options.list: expected a string, a number, true or false, or `{ env = "NAME" }`, found a list
            late.toml:6: sources.feed.options."a.b".env: expected the name of an environment variable; write `{ env = "NAME" }`
            late.toml:7: sources.feed.connector: no source is registered under the name `fead`; this program registers no sources: run the query in a program that does
            late.toml:8: sources.feed.path: a custom source has no such key; its keys are `kind`, `on_error`, `connector`, `options`
            late.toml:10: sources.unnamed.connector: missing; name a connector that the program registered, for example `connector = "feed"`
            late.toml:12: sources.unnamed.options.last: expected a string, a number, true or false, or `{ env = "NAME" }`, found a float
            late.toml:16: sources.empty.connector: must not be empty
            late.toml:17: sources.empty.options.last: expected a string, a number, true or false, or `{ env = "NAME" }`, found a float
            late.toml:21: sources.number.connector: expected a string, found an integer
            late.toml:22: sources.number.options: expected a table, found an integer
            late.toml:25: sources.kindless.kind: unknown value `costum`; did you mean `custom`?
            late.toml:26: sources.kindless.on_error: unknown value `ignore`; use one of `fail`, `skip`, `dead_letter`
            late.toml:30: sinks.out.connector: no sink is registered under the name `nowhere`; this program registers no sinks: run the query in a program that does
            late.toml:31: sinks.out.input[5]: source or stage `nothing` does not exist; there are `empty`, `feed`, `kindless`, `number`, `unnamed`
            late.toml:33: sinks.out.retry.times_max: 0 is out of range; use a number from 1 to 1000000
            late.toml:34: sinks.out.queue_batches_max: expected an integer, found a string; write the number without quotes: 4
            late.toml:35: sinks.out.options.last: expected a string, a number, true or false, or `{ env = "NAME" }`, found a float
            late.toml:36: sinks.out.colour: a custom sink has no such key; its keys are `kind`, `input`, `on_error`, `retry`, `queue_batches_max`, `connector`, `options`"#]],
    );
}
