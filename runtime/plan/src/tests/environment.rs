//! Strings that the environment gives. What a test's own environment holds is the same everywhere: `CARGO_PKG_NAME` is
//! `weir-plan`. Other values are tried by the tests of the command, which can set some.

use expect_test::{Expect, expect};

use super::super::{LimitsFile, Plan};
use super::{GOOD, check, check_plan, edited, folder};

const NAME: &str = "{ env = \"CARGO_PKG_NAME\" }";

fn check_limited(limits: &str, text: &str, expect: &Expect) {
    let folder = folder();
    let limits = LimitsFile::parse(limits, folder.path()).unwrap();
    let problems = Plan::parse_with(text, folder.path(), &limits).err().unwrap_or_default();
    let said: String = problems.iter().map(|problem| format!("{}: {problem}\n", problem.line)).collect();
    expect.assert_eq(&said);
}

#[test]
fn names_of_things_and_code_are_written_out() {
    for (written, key) in [
        ("name = \"late-flights\"", "name"),
        ("tenant = \"demo\"", "tenant"),
        ("module = \"flights.wasm\"", "module"),
        ("function = \"late\"", "function"),
        ("name = \"late\"\n", "name"),
    ] {
        let end = if written.ends_with('\n') { "\n" } else { "" };
        let text = edited(written, &format!("{key} = {NAME}{end}"));
        let problems = Plan::parse(&text, folder().path()).unwrap_err();
        let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(said.contains("an environment variable cannot be used here"), "{key}: {said}");
        assert!(!said.contains("weir-plan"), "{key}: {said}");
    }
}

#[test]
fn what_is_wrong_with_a_variable_is_said_once_and_at_its_line() {
    let text = edited("path = \"flights.csv\"", "paths = [\"flights.csv\", { env = \"WEIR_NOT_SET\" }]")
        .replace("on_error = \"skip\"", "on_error = { env = \"\" }")
        .replace("carry = [\"date\"]", "carry = { env = \"A=B\" }")
        .replace(
            "path = \"out/late.parquet\"",
            "path = { env = 7 }\nformat = { env = \"CARGO_PKG_NAME\", default = \"csv\" }",
        )
        .replace(
            "guarantee = \"at_least_once\"",
            "guarantee = { evn = \"HOME\" }\ncommit_ms = { env = \"CARGO_PKG_NAME\" }",
        )
        .replace("rows_max = 10", "rows_max = 10\nformat = { env = \"CARGO_PKG_NAME\" }");
    check(
        &text,
        &expect![[r#"
            late.toml:6: sources.flights.paths[1].env: the environment variable `WEIR_NOT_SET` is not set; set it before you start weir
            late.toml:14: stages.late.carry.env: `A=B` is not a valid variable name
            late.toml:15: stages.late.on_error.env: `` is not a valid variable name
            late.toml:23: sinks.table.format: unknown value `weir-plan`; use one of `table`, `json_lines`, `csv`
            late.toml:27: sinks.archive.path.env: expected the name of an environment variable; write `{ env = "NAME" }`
            late.toml:28: sinks.archive.format.default: unknown key in an environment value; write only `{ env = "NAME" }`
            late.toml:31: delivery.guarantee: expected a string, found a table; did you mean `{ env = "NAME" }`?
            late.toml:32: delivery.commit_ms: expected an integer, found a string; an environment variable is text: write the number in the file"#]],
    );
}

#[test]
fn tables_whose_keys_are_names_may_have_one_that_is_called_env() {
    check_plan(
        "name = \"q\"\n[sources.env]\nkind = \"kafka\"\nbrokers = \"b:1\"\ntopic = \"t\"\nschema = { env = \"utf8\" }\n\
         [sinks.out]\nkind = \"kafka\"\nbrokers = \"b:1\"\ntopic = { env = \"CARGO_PKG_NAME\" }\nheaders = { env = \"env\" }\n",
        &expect![[r#"
            query q of tenant default
            source env: kafka t at b:1, json_lines, group default.q, from the earliest record, without end
              gives env utf8
            sink out: kafka weir-plan at b:1, json_lines, header env of `env`, queue of 4 batches
              takes env: env utf8
            delivery at least once, committed every 1000 ms
            batches of up to 8192 records or 100 ms
        "#]],
    );
}

#[test]
fn parameters_of_the_environment_are_not_shown() {
    let text = GOOD
        .replace("function = \"late\"", "function = \"scaled\"")
        .replace("params = { min_delay = 60 }", &format!("params = {{ factor = 2.0, unit = {NAME} }}"));
    let folder = folder();
    let plan = Plan::parse(&text, folder.path()).unwrap();
    let said = plan.to_string();
    assert!(said.contains("with unit from the environment") && !said.contains("weir-plan"), "{said}");
}

#[test]
fn a_tenant_takes_what_the_limits_file_gives_it() {
    let text = edited("path = \"out/late.parquet\"", &format!("path = {NAME}\nformat = \"csv\""));
    check_limited("[tenants.demo]\nenv = [\"CARGO_PKG_*\"]", &text, &expect![""]);
    check_limited(
        "[tenants.demo]\nenv = [\"DEMO_*\"]",
        &text,
        &expect![[r#"
        26: sinks.archive.path.env: `CARGO_PKG_NAME` is not an allowed variable of tenant `demo`; use DEMO_*
    "#]],
    );
    check_limited(
        "[tenants.demo]",
        &text,
        &expect![[r#"
        26: sinks.archive.path.env: `CARGO_PKG_NAME` is not an allowed variable of tenant `demo`; add it to the tenant's `env` in the limits file
    "#]],
    );
    // Whoever may not speak for a tenant learns nothing of the environment.
    check_limited(
        "[tenants.other]",
        &text.replace("CARGO_PKG_NAME", "WEIR_NOT_SET"),
        &expect![[r#"
        2: tenant: this file may not use the tenant `demo`; set the tenant of the query, and keep the file in a folder of that tenant; the operator lists these folders in the limits file (`[tenants.NAME]`, `queries`; `unknown_tenants`)
    "#]],
    );
}

#[test]
fn a_variable_is_text_where_a_number_or_truth_is_wanted() {
    for (from, to, expected) in [
        ("rows_max = 10", format!("rows_max = {NAME}"), "expected an integer, found a string"),
        ("schema = {", format!("header = {NAME}\nschema = {{"), "expected true or false, found a string"),
    ] {
        let problems = Plan::parse(&edited(from, &to), folder().path()).unwrap_err();
        let said = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        assert!(said.contains(&format!("{expected}; an environment variable is text: write the")), "{said}");
    }
}
