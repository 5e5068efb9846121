//! A query file read in one process and resolved in another.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use expect_test::{Expect, expect};

use crate::{LimitsFile, Plan, QueryNeeds, QueryReading, TenantLimits, clashes};

const RIGHT: &str = r#"
name = "seed"
tenant = "acme"
[sources.seed]
kind = "generator"
batches = 10
[sinks.out]
kind = "file"
path = { env = "OUT" }
"#;

/// What becomes of a text that is read by one process and resolved by another one: the draft goes between them as bytes.
fn way(text: &str, limits: &LimitsFile, variables: &[(&str, &str)]) -> Result<Plan, String> {
    let path = Path::new("/queries/q.toml");
    let lines = |problems: Vec<crate::Problem>| {
        problems.iter().map(|problem| format!("{}: {problem}", problem.line)).collect::<Vec<_>>().join("\n")
    };
    let variables: BTreeMap<String, OsString> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
    let reading = QueryReading::of(text, path, limits, &variables).map_err(lines)?;
    let sent = serde_json::to_vec(&reading).unwrap();
    let got = serde_json::from_slice(&sent).unwrap();
    Plan::of_draft(got, path, limits).map_err(|error| lines(error.problems))
}

fn acme(env: &str) -> LimitsFile {
    let text = format!("[tenants.acme]\n{env}");
    let all = LimitsFile::parse(&text, Path::new(".")).unwrap();
    let limits: TenantLimits = all.of(&"acme".parse().unwrap()).unwrap().clone();
    let sent = serde_json::to_vec(&limits).unwrap();
    LimitsFile::of_one("acme".parse().unwrap(), serde_json::from_slice(&sent).unwrap(), None)
}

#[test]
fn a_draft_of_another_process_becomes_the_same_plan_or_the_same_problems() {
    let check = |text: &str, limits: &LimitsFile, expect: Expect| {
        let said = match way(text, limits, &[("OUT", "/tmp/out.csv")]) {
            Ok(plan) => format!("{} of {}: {:?}", plan.name, plan.tenant, plan.sinks[0].config),
            Err(problems) => problems,
        };
        expect.assert_eq(&said);
    };
    let may = acme("env = [\"OUT\"]");
    check(
        RIGHT,
        &may,
        expect![[
            r#"seed of acme: File(FileSinkConfig { path: "/tmp/out.csv", beneath: None, format: Csv, csv: CsvOptions { delimiter: 44, quote: Some(34), header: true, nulls: [""], comment: None }, rotate_bytes_max: None, rotate_after: None, numbered: false, held_until_flush: false, number_min: 1, if_exists: Fail })"#
        ]],
    );
    check(
        RIGHT,
        &acme(""),
        expect![
            "9: sinks.out.path.env: `OUT` is not an allowed variable of tenant `acme`; add it to the tenant's `env` in the limits file"
        ],
    );
    check(
        RIGHT,
        &LimitsFile::of_nobody(),
        expect![
            "3: tenant: this file may not use the tenant `acme`; set the tenant of the query, and keep the file in a folder of that tenant; the operator lists these folders in the limits file (`[tenants.NAME]`, `queries`; `unknown_tenants`)"
        ],
    );
    check(
        &RIGHT.replace("acme", "other"),
        &may,
        expect![
            "3: tenant: this file may not use the tenant `other`; set the tenant of the query, and keep the file in a folder of that tenant; the operator lists these folders in the limits file (`[tenants.NAME]`, `queries`; `unknown_tenants`)"
        ],
    );
    check(
        &RIGHT.replace("acme", "No Tenant"),
        &may,
        expect!["3: tenant: invalid tenant `No Tenant`: use 1 to 63 of a-z, 0-9, `_` and `-`, a letter or digit first"],
    );
    check(
        &RIGHT.replace("batches", "batchs"),
        &may,
        expect![[r#"
        4: sources.seed.batches: missing; set the number of batches of 1000 records
        6: sources.seed.batchs: a generator source has no such key; did you mean `batches`?"#]],
    );
    check("name = ", &may, expect!["1: not valid TOML: string values must be quoted, expected literal string"]);
}

#[test]
fn what_a_text_needs_before_it_is_read() {
    let check =
        |text: &str, expect: Expect| expect.assert_eq(&format!("{:?}", QueryNeeds::of(text).map_err(|it| it.len())));
    check(RIGHT, expect![[r#"Ok(QueryNeeds { tenant: Some("acme"), variables: ["OUT"] })"#]]);
    check("name = \"x\"", expect![[r#"Ok(QueryNeeds { tenant: Some("default"), variables: [] })"#]]);
    check(
        "tenant = 7\n[sinks.a]\npath = { env = 7 }\n[sinks.b]\npath = { env = \"B\" }",
        expect![[r#"Ok(QueryNeeds { tenant: None, variables: ["B"] })"#]],
    );
    check("tenant = ", expect!["Err(1)"]);
}

#[test]
fn a_draft_that_was_forged_is_resolved_within_the_limits_of_its_reader_only() {
    // The process that read the file says another tenant than the file does.
    let limits = acme("env = [\"OUT\"]");
    let reading = QueryReading::of(RIGHT, Path::new("q.toml"), &limits, &BTreeMap::new()).unwrap();
    let mut forged = serde_json::to_value(&reading).unwrap();
    forged["draft"]["tenant"]["value"] = "victim".into();
    let error = Plan::of_draft(serde_json::from_value(forged).unwrap(), Path::new("q.toml"), &limits).unwrap_err();
    expect![[r#"
        q.toml:3: tenant: this file may not use the tenant `victim`; set the tenant of the query, and keep the file in a folder of that tenant; the operator lists these folders in the limits file (`[tenants.NAME]`, `queries`; `unknown_tenants`)
        q.toml:9: sinks.out.path.env: the environment variable `OUT` is not set; set it before you start weir"#]].assert_eq(&error.to_string());
}

#[test]
fn claims_are_compared_after_they_were_sent() {
    let limits = acme("env = [\"OUT\"]");
    let plan = way(RIGHT, &limits, &[("OUT", "/tmp/out.csv")]).unwrap();
    let config = bincode::config::standard().with_limit::<65536>();
    let sent = bincode::encode_to_vec(plan.claims(), config).unwrap();
    let (mut got, _): (crate::Claims, usize) = bincode::decode_from_slice(&sent, config).unwrap();
    assert!(clashes(&[&got]).iter().all(Vec::is_empty));
    got.tenant = "other".to_owned();
    let found = clashes(&[&plan.claims(), &got]);
    expect![[r#"[[], ["sinks.out.path: a query of another tenant in this run writes this file; use separate files for each query"]]"#]].assert_eq(&format!(
        "{:?}",
        found.iter().map(|it| it.iter().map(ToString::to_string).collect::<Vec<_>>()).collect::<Vec<_>>()
    ));
}
