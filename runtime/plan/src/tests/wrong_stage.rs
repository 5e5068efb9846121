//! Ways of getting a stage wrong.

use expect_test::expect;

use super::{check, check_edit, edited};

#[test]
fn a_module_that_is_not_there() {
    check_edit(
        r#"module = "flights.wasm""#,
        r#"module = "flight.wasm""#,
        &expect!["late.toml:11: stages.late.module: file `flight.wasm` does not exist; did you mean `flights.wasm`?"],
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
            "late.toml:11: stages.late.module: `empty.wasm` is refused (no_manifest): no custom section `weir.manifest`: build the module with the SDK, or add the section as described in ABI.md"
        ],
    );
}

#[test]
fn a_module_that_is_too_large() {
    check_edit(
        "memory_bytes_max = 1048576",
        "module_bytes_max = 100",
        &expect![[
            r#"late.toml:11: stages.late.module: `flights.wasm` is refused (module_too_large): module size limit reached: limit 100 B, found 138 B; build with `opt-level = "s"` and `lto = true`, and leave out features of dependencies, or raise `module_bytes_max` in the limits file"#
        ]],
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
        &expect!["late.toml:9: stages[0].name: missing; give the stage a name; sinks and later stages refer to it"],
    );
}

#[test]
fn an_input_that_does_not_exist() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"input = "flight""#,
        &expect!["late.toml:14: stages.late.input: source or stage `flight` does not exist; did you mean `flights`?"],
    );
}

#[test]
fn an_input_of_its_own() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"input = "late""#,
        &expect![
            "late.toml:14: stages.late.input: a stage cannot read its own output; use a source or an earlier stage"
        ],
    );
}

#[test]
fn an_input_that_comes_later() {
    check(
        &(edited(r#"carry = ["date"]"#, r#"input = ["flights", "later"]"#)
            + "\n[[stages]]\nname = \"later\"\nmodule = \"flights.wasm\"\nfunction = \"is_late\"\ninput = \"flights\"\n"),
        &expect![
            "late.toml:14: stages.late.input[1]: the stage `later` comes later; a stage can read only sources and earlier stages: move it below that stage"
        ],
    );
}

#[test]
fn an_input_that_is_a_sink() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"input = "table""#,
        &expect![
            "late.toml:14: stages.late.input: `table` is a sink and cannot be read from; use the input of that sink instead"
        ],
    );
}

#[test]
fn an_input_that_is_named_twice() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"input = ["flights", "flights"]"#,
        &expect!["late.toml:14: stages.late.input[1]: `flights` is listed twice; list each input once"],
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
            "late.toml:22: sinks.table.input[1]: `flights` has the schema (date timestamp, delay i64, distance i64?, origin utf8, destination utf8), but `late` has (date timestamp, route utf8, minutes i64); inputs that are read together must have the same fields in the same order"
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
        late.toml:12: stages.late.function: `late` reads the field `delay`, which does not exist (did you mean `dellay`?): the stream has `date`, `dellay`, `distance`, `origin`, `destination`"#]],
    );
}

#[test]
fn a_field_of_another_type() {
    check_edit(
        r#"delay = "i64""#,
        r#"delay = "f64""#,
        &expect![
            "late.toml:12: stages.late.function: `late` reads `delay` as i64, but in the stream it is f64 (i8, i16 and i32 would be widened)"
        ],
    );
}

#[test]
fn an_unknown_parameter() {
    check_edit(
        "min_delay = 60",
        "min_delai = 60",
        &expect![
            "late.toml:13: stages.late.params.min_delai: `late` has no parameter `min_delai` (did you mean `min_delay`?): it has `min_delay`"
        ],
    );
}

#[test]
fn a_parameter_of_another_type() {
    check_edit(
        "min_delay = 60",
        r#"min_delay = "60""#,
        &expect![[
            r#"late.toml:13: stages.late.params.min_delay: parameter `min_delay` of `late` is i64, but "60" is utf8"#
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
            "late.toml:9: stages.late.params.factor: `scaled` requires the parameter `factor` (f64), which has no default"
        ],
    );
}

#[test]
fn carried_fields_that_are_none() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"carry = ["dat", "date", "date"]"#,
        &expect![[r#"
        late.toml:14: stages.late.carry[0]: carry names the field `dat`, which does not exist (did you mean `date`?): the stream has `date`, `delay`, `distance`, `origin`, `destination`
        late.toml:14: stages.late.carry[2]: carry names the field `date` twice"#]],
    );
}

#[test]
fn a_carry_that_is_no_list() {
    check_edit(
        r#"carry = ["date"]"#,
        r#"carry = "date""#,
        &expect![[
            r#"late.toml:14: stages.late.carry: unknown value `date`; use "all", or a list of fields: ["date"]"#
        ]],
    );
}

#[test]
fn an_error_policy_that_is_none() {
    check_edit(
        r#"on_error = "skip""#,
        r#"on_error = "ignore""#,
        &expect![
            "late.toml:15: stages.late.on_error: unknown value `ignore`; use one of `fail`, `skip`, `dead_letter`, `retry`"
        ],
    );
}

#[test]
fn dead_letters_without_a_place() {
    check_edit(
        r#"on_error = "skip""#,
        r#"on_error = "dead_letter""#,
        &expect![[
            r#"late.toml:15: stages.late.on_error: the query has no destination for dead letters; add `[dead_letters]` with `path = "dead/letters.jsonl"`"#
        ]],
    );
}

#[test]
fn an_isolation_that_is_none() {
    check_edit(
        r#"on_error = "skip""#,
        r#"isolation = "freshly""#,
        &expect!["late.toml:15: stages.late.isolation: unknown value `freshly`; did you mean `fresh`?"],
    );
}

#[test]
fn a_share_of_trapped_records_is_a_whole_percentage() {
    for percent in ["0", "1", "100"] {
        let text = edited(r#"on_error = "skip""#, &format!("trapped_percent_max = {percent}"));
        let plan = super::Plan::parse(&text, super::folder().path()).unwrap();
        assert_eq!(plan.stages[0].trapped_percent_max.to_string(), percent);
    }
    let expected = [
        (
            "101",
            expect!["late.toml:15: stages.late.trapped_percent_max: 101 is out of range; use a number from 0 to 100"],
        ),
        (
            "-1",
            expect!["late.toml:15: stages.late.trapped_percent_max: -1 is out of range; use a number from 0 to 100"],
        ),
        ("\"half\"", expect!["late.toml:15: stages.late.trapped_percent_max: expected an integer, found a string"]),
        ("1.5", expect!["late.toml:15: stages.late.trapped_percent_max: expected an integer, found a float"]),
        ("nan", expect!["late.toml:15: stages.late.trapped_percent_max: expected an integer, found a float"]),
    ];
    for (percent, expected) in expected {
        check_edit(r#"on_error = "skip""#, &format!("trapped_percent_max = {percent}"), &expected);
    }
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
fn a_stage_named_as_a_source() {
    check_edit(
        r#"name = "late""#,
        r#"name = "flights""#,
        &expect![
            "late.toml:10: stages.flights.name: the name `flights` is already used by a source; choose another name"
        ],
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
        &expect!["late.toml:13: stages.late.carry: `is_late` is a filter, which passes on all columns: remove carry"],
    );
}
