//! Every way of getting a query file wrong: key, line and mend.

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
            "late.toml:1: name: `Late flights` cannot be a name; use at most 64 of a-z, 0-9, `_` and `-`, a letter or digit first"
        ],
    );
}

#[test]
fn a_tenant_that_is_none() {
    check_edit(
        r#"tenant = "demo""#,
        r#"tenant = "../demo""#,
        &expect![
            "late.toml:2: tenant: `../demo` cannot be a tenant: use 1 to 63 of a-z, 0-9, `_` and `-`, a letter or digit first"
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
fn an_unknown_source_kind() {
    check_edit(
        "kind = \"file\"\npath = \"flights.csv\"",
        "kind = \"flie\"\npath = \"flights.csv\"",
        &expect!["late.toml:5: sources.flights.kind: `flie` is not known here; did you mean `file`?"],
    );
}

#[test]
fn a_source_file_that_is_not_there() {
    check_edit(
        r#"path = "flights.csv""#,
        r#"path = "flihgts.csv""#,
        &expect!["late.toml:6: sources.flights.path: there is no file `flihgts.csv`; did you mean `flights.csv`?"],
    );
}

#[test]
fn a_source_that_is_a_folder() {
    check_edit(
        r#"path = "flights.csv""#,
        "path = \".\"\nformat = \"csv\"",
        &expect!["late.toml:6: sources.flights.path: `.` is not a file; name a file"],
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
        &expect!["late.toml:7: sources.flights.paths: `path` is given as well; leave out one of them"],
    );
}

#[test]
fn an_unknown_format() {
    check_edit(
        r#"path = "flights.csv""#,
        "path = \"flights.csv\"\nformat = \"cvs\"",
        &expect!["late.toml:7: sources.flights.format: `cvs` is not known here; did you mean `csv`?"],
    );
}

#[test]
fn a_format_that_cannot_be_read() {
    check_edit(
        r#"path = "flights.csv""#,
        r#"path = "bids.bincode""#,
        &expect![
            "late.toml:6: sources.flights.path: bincode files can be written but not read; use one of `json_lines`, `csv`, `parquet`, `arrow_ipc`"
        ],
    );
}

#[test]
fn a_suffix_that_tells_no_format() {
    check_edit(
        r#"path = "flights.csv""#,
        r#"path = "flights.wasm""#,
        &expect![
            "late.toml:6: sources.flights.path: the suffix of `flights.wasm` does not tell the format; add `format`, one of `json_lines`, `csv`, `parquet`, `arrow_ipc`"
        ],
    );
}

#[test]
fn a_schema_that_is_missing() {
    check_edit(
        "schema = { date = \"timestamp\", delay = \"i64\", distance = \"i64?\", origin = \"utf8\", destination = \"utf8\" }\n",
        "",
        &expect![[
            r#"late.toml:4: sources.flights.schema: missing: csv files carry no schema; declare it, for example `schema = { delay = "i64", origin = "utf8?" }`, or set `infer = true`"#
        ]],
    );
}

#[test]
fn schema_types_that_are_none() {
    check_edit(
        r#"{ date = "timestamp", delay = "i64", distance = "i64?""#,
        r#"{ date = "datetime", delay = "i46", distance = 64"#,
        &expect![[r#"
        late.toml:7: sources.flights.schema.date: `datetime` is not a type; use `timestamp`
        late.toml:7: sources.flights.schema.delay: `i46` is not a type; did you mean `i16`?
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
            "late.toml:7: sources.flights.schema._distance: `_distance` cannot be a field's name: names that begin with `_` are the system's"
        ],
    );
}

#[test]
fn infer_beside_a_schema() {
    check_edit(
        r#"path = "flights.csv""#,
        "path = \"flights.csv\"\ninfer = true",
        &expect!["late.toml:7: sources.flights.infer: the schema is declared as well; leave out `infer` or `schema`"],
    );
}

#[test]
fn a_module_that_is_not_there() {
    check_edit(
        r#"module = "flights.wasm""#,
        r#"module = "flight.wasm""#,
        &expect!["late.toml:11: stages.late.module: there is no file `flight.wasm`; did you mean `flights.wasm`?"],
    );
}

#[test]
fn a_module_that_is_text() {
    check_edit(
        r#"module = "flights.wasm""#,
        r#"module = "text.wasm""#,
        &expect![
            "late.toml:11: stages.late.module: `text.wasm` is refused (wasm_text): WebAssembly text: upload the binary form, as `wat2wasm` makes it"
        ],
    );
}

#[test]
fn a_module_without_a_manifest() {
    check_edit(
        r#"module = "flights.wasm""#,
        r#"module = "empty.wasm""#,
        &expect![
            "late.toml:11: stages.late.module: `empty.wasm` is refused (no_manifest): no custom section `weir.manifest`: build the module with the SDK, or see the contract for the section"
        ],
    );
}

#[test]
fn a_module_that_is_too_large() {
    check_edit(
        "memory_bytes_max = 1048576",
        "module_bytes_max = 100",
        &expect![
            "late.toml:11: stages.late.module: `flights.wasm` has more than the 100 bytes that `limits.module_bytes_max` allows"
        ],
    );
}

#[test]
fn an_unknown_function() {
    check_edit(
        r#"function = "late""#,
        r#"function = "lat""#,
        &expect!["late.toml:12: stages.late.function: `flights.wasm` has no function `lat`; did you mean `late`?"],
    );
}

#[test]
fn a_function_that_is_far_from_any() {
    check_edit(
        r#"function = "late""#,
        r#"function = "wordcount""#,
        &expect![
            "late.toml:12: stages.late.function: `flights.wasm` has no function `wordcount`; it has `late`, `is_late`, `scaled`, `delays`"
        ],
    );
}

#[test]
fn a_stage_without_a_function() {
    check_edit(
        "function = \"late\"\n",
        "",
        &expect![
            "late.toml:9: stages.late.function: missing; name a function of the module: `weir inspect` lists them"
        ],
    );
}

#[test]
fn a_stage_without_a_name() {
    check_edit(
        "name = \"late\"\n",
        "",
        &expect![
            "late.toml:9: stages[0].name: missing; give the stage a name, which sinks and later stages call it by"
        ],
    );
}

#[test]
fn an_input_that_does_not_exist() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"input = "flight""#,
        &expect!["late.toml:14: stages.late.input: there is no source or stage `flight`; did you mean `flights`?"],
    );
}

#[test]
fn an_input_of_its_own() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"input = "late""#,
        &expect![
            "late.toml:14: stages.late.input: a stage cannot read its own output; name a source or an earlier stage"
        ],
    );
}

#[test]
fn an_input_that_comes_later() {
    check(
        &(super::edited(r#"carry = ["date"]"#, r#"input = ["flights", "later"]"#)
            + "\n[[stages]]\nname = \"later\"\nmodule = \"flights.wasm\"\nfunction = \"is_late\"\ninput = \"flights\"\n"),
        &expect![
            "late.toml:14: stages.late.input[1]: the stage `later` comes later; a stage reads sources and earlier stages: move it below that one"
        ],
    );
}

#[test]
fn an_input_that_is_a_sink() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"input = "table""#,
        &expect![
            "late.toml:14: stages.late.input: `table` is a sink, from which nothing can be read; name what that sink reads"
        ],
    );
}

#[test]
fn an_input_that_is_named_twice() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"input = ["flights", "flights"]"#,
        &expect!["late.toml:14: stages.late.input[1]: `flights` is named twice; name each input once"],
    );
}

#[test]
fn an_input_list_that_is_empty() {
    check_edit(
        r#"carry = ["date"]"#,
        "input = []",
        &expect!["late.toml:14: stages.late.input: an empty list; name at least one"],
    );
}

#[test]
fn inputs_of_different_schemas() {
    check_edit(
        "rows_max = 10",
        r#"input = ["flights", "late"]"#,
        &expect![
            "late.toml:22: sinks.table.input[1]: `flights` gives (date timestamp, delay i64, distance i64?, origin utf8, destination utf8), and `late` gives (date timestamp, route utf8, minutes i64); what is read together needs the same fields in the same order"
        ],
    );
}

#[test]
fn a_field_that_the_function_needs() {
    check_edit(
        r#"delay = "i64""#,
        r#"dellay = "i64""#,
        &expect![[r#"
        late.toml:7: sources.flights.schema.dellay: `flights.csv` has no such field; did you mean `delay`?
        late.toml:12: stages.late.function: `late` reads the field `delay`, and there is none (did you mean `dellay`?): the stream has `date`, `dellay`, `distance`, `origin`, `destination`"#]],
    );
}

#[test]
fn a_field_of_another_type() {
    check_edit(
        r#"delay = "i64""#,
        r#"delay = "f64""#,
        &expect![
            "late.toml:12: stages.late.function: `late` reads `delay` as i64, and the stream's is f64 (i8, i16 and i32 would be widened)"
        ],
    );
}

#[test]
fn an_unknown_parameter() {
    check_edit(
        "min_delay = 60",
        "min_delai = 60",
        &expect![
            "late.toml:13: stages.late.params.min_delai: `late` has no param `min_delai` (did you mean `min_delay`?): it has `min_delay`"
        ],
    );
}

#[test]
fn a_parameter_of_another_type() {
    check_edit(
        "min_delay = 60",
        r#"min_delay = "60""#,
        &expect![[
            r#"late.toml:13: stages.late.params.min_delay: param `min_delay` of `late` is i64, and "60" is utf8"#
        ]],
    );
}

#[test]
fn a_parameter_that_is_a_list() {
    check_edit(
        "min_delay = 60",
        "min_delay = [60]",
        &expect![
            "late.toml:13: stages.late.params.min_delay: expected true or false, an integer, a float or a string, found a list"
        ],
    );
}

#[test]
fn a_parameter_that_is_missing() {
    check_edit(
        "function = \"late\"\nparams = { min_delay = 60 }",
        r#"function = "scaled""#,
        &expect![
            "late.toml:9: stages.late.params.factor: `scaled` needs the param `factor` (f64), which has no default"
        ],
    );
}

#[test]
fn carried_fields_that_are_none() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"carry = ["dat", "date", "date"]"#,
        &expect![[r#"
        late.toml:14: stages.late.carry[0]: carry names the field `dat`, and there is none (did you mean `date`?): the stream has `date`, `delay`, `distance`, `origin`, `destination`
        late.toml:14: stages.late.carry[2]: carry names the field `date` twice"#]],
    );
}

#[test]
fn a_carry_that_is_no_list() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"carry = "date""#,
        &expect![[
            r#"late.toml:14: stages.late.carry: `date` is not known here; use "all", or a list of fields: ["date"]"#
        ]],
    );
}

#[test]
fn an_error_policy_that_is_none() {
    check_edit(
        r#"on_error = "skip""#,
        r#"on_error = "ignore""#,
        &expect![
            "late.toml:15: stages.late.on_error: `ignore` is not known here; use one of `fail`, `skip`, `dead_letter`"
        ],
    );
}

#[test]
fn dead_letters_without_a_place() {
    check_edit(
        r#"on_error = "skip""#,
        r#"on_error = "dead_letter""#,
        &expect![[
            r#"late.toml:15: stages.late.on_error: there is nowhere for dead letters to go; add `[dead_letters]` with `path = "dead/letters.jsonl"`"#
        ]],
    );
}

#[test]
fn an_isolation_that_is_none() {
    check_edit(
        r#"on_error = "skip""#,
        r#"isolation = "freshly""#,
        &expect!["late.toml:15: stages.late.isolation: `freshly` is not known here; did you mean `fresh`?"],
    );
}

#[test]
fn limits_out_of_range() {
    check_edit(
        "memory_bytes_max = 1048576",
        "memory_bytes_max = 1\nfuel_batch_max = \"lots\"\ndeadline_ms_max = -1\nmemory_max = 3",
        &expect![[r#"
        late.toml:18: stages.late.limits.memory_bytes_max: 1 is out of range; use a number from 65536 to 4294967296
        late.toml:19: stages.late.limits.fuel_batch_max: expected an integer or "none", found a string
        late.toml:20: stages.late.limits.deadline_ms_max: -1 is out of range; use a number of at least 0
        late.toml:21: stages.late.limits.memory_max: `limits` has no such key; did you mean `memory_bytes_max`?"#]],
    );
}

#[test]
fn an_unknown_sink_kind() {
    check_edit(
        r#"kind = "stdout""#,
        r#"kind = "stdot""#,
        &expect!["late.toml:21: sinks.table.kind: `stdot` is not known here; did you mean `stdout`?"],
    );
}

#[test]
fn a_key_of_another_kind_of_sink() {
    check_edit(
        "rows_max = 10",
        "rotate_bytes_max = 10",
        &expect![
            "late.toml:22: sinks.table.rotate_bytes_max: a stdout sink has no such key; its keys are `kind`, `input`, `queue_batches_max`, `format`, `rows_max`"
        ],
    );
}

#[test]
fn rows_of_a_sink_that_shows_all() {
    check_edit(
        "rows_max = 10",
        "rows_max = 10\nformat = \"csv\"",
        &expect![[
            r#"late.toml:22: sinks.table.rows_max: only a table leaves rows out; leave out `rows_max`, or use `format = "table"`"#
        ]],
    );
}

#[test]
fn a_sink_over_its_source() {
    check_edit(
        r#"path = "out/late.parquet""#,
        r#"path = "out/../flights.csv""#,
        &expect!["late.toml:26: sinks.archive.path: `sources.flights.path` reads this file; write to another file"],
    );
}

#[test]
fn two_sinks_to_one_file() {
    check_edit(
        "rows_max = 10",
        "rows_max = 10\n\n[sinks.other]\nkind = \"file\"\npath = \"./out/late.parquet\"",
        &expect!["late.toml:30: sinks.archive.path: `sinks.other.path` writes this file too; write to another file"],
    );
}

#[test]
fn a_queue_out_of_range() {
    check_edit(
        "rows_max = 10",
        "queue_batches_max = 0",
        &expect!["late.toml:22: sinks.table.queue_batches_max: 0 is out of range; use a number from 1 to 1024"],
    );
}

#[test]
fn an_unknown_if_exists() {
    check_edit(
        r#"path = "out/late.parquet""#,
        "path = \"out/late.parquet\"\nif_exists = \"overwrite\"",
        &expect!["late.toml:27: sinks.archive.if_exists: `overwrite` is not known here; use one of `fail`, `replace`"],
    );
}

#[test]
fn exactly_once() {
    check_edit(
        r#""at_least_once""#,
        r#""exactly_once""#,
        &expect![
            "late.toml:29: delivery.guarantee: `exactly_once` is not supported for these sources and sinks: their positions and their output cannot be committed in one step; use `at_least_once`, under which a crash can repeat records but loses none"
        ],
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
fn dead_letters_into_a_sink() {
    check_edit(
        "[batching]",
        "[dead_letters]\npath = \"out/late.parquet\"\n\n[batching]",
        &expect!["late.toml:32: dead_letters.path: `sinks.archive.path` writes this file too; write to another file"],
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
            "late.toml:8: sources.more: feeds no stage and no sink; add `more` to the `input` of a stage or sink, or remove the source"
        ],
    );
}

#[test]
fn a_sink_whose_path_is_a_folder() {
    check_edit(
        r#"path = "out/late.parquet""#,
        "path = \"out/\"\nformat = \"csv\"",
        &expect!["late.toml:26: sinks.archive.path: must end in the name of a file"],
    );
}

#[test]
fn dead_letters_over_a_module() {
    check_edit(
        "[delivery]",
        "[dead_letters]\npath = \"flights.wasm\"\n\n[delivery]",
        &expect!["late.toml:29: dead_letters.path: `stages.late.module` reads this file; write to another file"],
    );
}

#[test]
fn sources_of_different_schemas_that_nobody_chose_from() {
    check_edit(
        "[batching]",
        "[sources.more]\nkind = \"generator\"\nbatches = 1\n\n[batching]",
        &expect![
            "late.toml:9: stages.late.input: `flights` gives (date timestamp, delay i64, distance i64?, origin utf8, destination utf8), and `more` gives (id i64, name utf8, value f64); both are read where no `input` says which: name one"
        ],
    );
}

#[test]
fn a_stage_named_as_a_source() {
    check_edit(
        r#"name = "late""#,
        r#"name = "flights""#,
        &expect!["late.toml:10: stages.flights.name: the name `flights` is taken by a source; choose another name"],
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
fn lists_that_are_too_long() {
    let list = vec!["\"flights\""; 1001].join(", ");
    check_edit(
        r#"carry = ["date"]"#,
        &format!("input = [{list}]"),
        &expect!["late.toml:14: stages.late.input: a list of 1001; name at most 1000"],
    );
    let stages = "[[stages]]\n".repeat(1001);
    check_edit(
        "[delivery]",
        &format!("[other]\n{stages}[delivery]"),
        &expect![[r#"
            late.toml:9: stages: a list of 1002; use at most 1000
            late.toml:28: other: a query has no such key; its keys are `name`, `tenant`, `sources`, `stages`, `delivery`, `sinks`, `batching`, `dead_letters`"#]],
    );
}

#[test]
fn an_integer_that_no_parameter_holds() {
    check_edit(
        "min_delay = 60",
        "min_delay = 9223372036854775808",
        &expect![
            "late.toml:13: stages.late.params.min_delay: 9223372036854775808 is out of range; an integer parameter has 64 bits and a sign"
        ],
    );
}

#[test]
fn a_carry_of_a_filter() {
    check_edit(
        "function = \"late\"\nparams = { min_delay = 60 }\ncarry = [\"date\"]",
        "function = \"is_late\"\ncarry = [\"date\"]",
        &expect![
            "late.toml:13: stages.late.carry: `is_late` is a filter: every column goes on as it is; leave carry out"
        ],
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

#[test]
fn sources_of_other_kinds() {
    check(
        r#"
name = "kinds"

[sources.seed]
kind = "generator"
batches = 0
on_error = "skip"

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
            late.toml:7: sources.seed.on_error: a generator source has no such key; its keys are `kind`, `batches`
            late.toml:9: sources.bids.events: missing; say how many records of the stream to make
            late.toml:11: sources.bids.stream: `bids` is not known here; did you mean `bid`?
            late.toml:12: sources.bids.seed: a nexmark source has no such key; its keys are `kind`, `stream`, `events`
            late.toml:14: sources.old-name.kind: missing; use one of `file`, `generator`, `nexmark`
            late.toml:14: sources.old-name: feeds no stage and no sink; add `old-name` to the `input` of a stage or sink, or remove the source
            late.toml:19: sinks.count.format: a count sink has no such key; its keys are `kind`, `input`, `queue_batches_max`"#]],
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
            late.toml:6: sources.flights.paths[1]: a json_lines file among csv files; make a source of its own for each format
            late.toml:11: sources.broken.path: `text.wasm` cannot be read as parquet: not a whole parquet file: Parquet error: Invalid Parquet file. Corrupt footer"#]],
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
            late.toml:1: name: `Ten` cannot be a name; use at most 64 of a-z, 0-9, `_` and `-`, a letter or digit first
            late.toml:3: colour: a query has no such key; its keys are `name`, `tenant`, `sources`, `stages`, `delivery`, `sinks`, `batching`, `dead_letters`
            late.toml:8: sources.flights.schema.delay: `i65` is not a type; did you mean `i64`?
            late.toml:14: stages.late.params.min_delai: `late` has no param `min_delai` (did you mean `min_delay`?): it has `min_delay`
            late.toml:15: stages.late.input: there is no source or stage `flihgts`; did you mean `flights`?
            late.toml:19: stages.gone.module: there is no file `gone.wasm`; paths are taken from the query file's folder
            late.toml:21: stages.gone.on_error: there is nowhere for dead letters to go; add `[dead_letters]` with `path = "dead/letters.jsonl"`
            late.toml:25: sinks.table.rows_max: expected an integer, found a string
            late.toml:29: sinks.archive.path: the suffix of `late.xlsx` does not tell the format; add `format`, one of `json_lines`, `csv`, `parquet`, `arrow_ipc`, `bincode`
            late.toml:32: delivery.guarantee: `exactly_once` is not supported for these sources and sinks: their positions and their output cannot be committed in one step; use `at_least_once`, under which a crash can repeat records but loses none"#]],
    );
}
