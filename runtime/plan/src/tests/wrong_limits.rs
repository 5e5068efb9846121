//! Ways of getting a limits file wrong, and of a query's asking for more than it says.

use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::super::{LimitsFile, Plan, QueryFileError};
use super::{GOOD, edited, folder, relative};

/// Compares what is wrong with a limits file.
fn check_limits(text: &str, expect: &Expect) {
    let folder = folder();
    let problems = LimitsFile::parse(text, folder.path()).err().unwrap_or_default();
    super::schema::compare_limits(text, &problems);
    let error = QueryFileError::new("limits.toml", problems);
    expect.assert_eq(&relative(&error.to_string(), folder.path()));
}

/// Compares what is wrong with a query under a limits file that is right.
fn check_under(limits: &str, text: &str, expect: &Expect) {
    let folder = folder();
    let limits = LimitsFile::parse(limits, folder.path()).unwrap();
    let problems = Plan::parse_with(text, folder.path(), &limits).err().unwrap_or_default();
    super::schema::compare_query(text, &problems);
    let error = QueryFileError::new("late.toml", problems);
    expect.assert_eq(&relative(&error.to_string(), folder.path()));
}

fn with_limits(limits: &str) -> String {
    edited("memory_bytes_max = 1048576", limits)
}

#[test]
fn every_mistake_has_its_line() {
    check_limits(
        r#"unknown_tenants = "refused"
[defaults]
memory_bytes_max = 1
hardened = 1
[tenants.acme]
cpu_percent_max = "all"
cpu_wieght = 5
cpu_weight = 0
fuel_batch_max = 0
instances_max = 99_999
[tenants."../beta"]
trap_pause_ms_max = "none"
[tenants]
gamma = 7
[tennants.delta]
"#,
        &expect![[r#"
            limits.toml:1: unknown_tenants: unknown value `refused`; did you mean `refuse`?
            limits.toml:3: defaults.memory_bytes_max: 1 is out of range; use a number from 65536 to 4294967296
            limits.toml:4: defaults.hardened: expected true or false, found an integer
            limits.toml:6: tenants.acme.cpu_percent_max: expected an integer or "none", found a string
            limits.toml:7: tenants.acme.cpu_wieght: a tenant has no such key; did you mean `cpu_weight`?
            limits.toml:8: tenants.acme.cpu_weight: 0 is out of range; use a number from 1 to 10000
            limits.toml:9: tenants.acme.fuel_batch_max: 0 is out of range; use a number from 1 to 9223372036854775807
            limits.toml:10: tenants.acme.instances_max: 99999 is out of range; use a number from 1 to 20000
            limits.toml:11: tenants."../beta": invalid tenant `../beta`: use 1 to 63 of a-z, 0-9, `_` and `-`, a letter or digit first
            limits.toml:12: tenants."../beta".trap_pause_ms_max: expected an integer, found a string
            limits.toml:14: tenants.gamma: expected a table, found an integer
            limits.toml:15: tennants: a limits file has no such key; did you mean `tenants`?"#]],
    );
}

#[test]
fn folders_that_cannot_be_kept_to() {
    check_limits(
        r#"[tenants.acme]
folders = ["missing", "flights.csv", "."]
[tenants.beta]
folders = []
[tenants.gamma]
folders = [7]
"#,
        &expect![[r#"
            limits.toml:2: tenants.acme.folders[0]: `missing` is not a usable folder: No such file or directory (os error 2); create the folder first; a folder that is created later could be a link to anywhere
            limits.toml:2: tenants.acme.folders[1]: `flights.csv` is not a usable folder: not a directory; create the folder first; a folder that is created later could be a link to anywhere
            limits.toml:4: tenants.beta.folders: an empty list; name at least one
            limits.toml:6: tenants.gamma.folders[0]: expected a string, found an integer"#]],
    );
}

#[test]
fn what_is_not_toml() {
    check_limits(
        "[tenants.acme\nhardened = yes",
        &expect!["limits.toml:1: not valid TOML: unclosed table, expected `]`"],
    );
}

#[test]
fn a_limit_that_the_sandbox_knows_is_known_here() {
    for name in weir_admission::Limits::OF_TENANT {
        let problems = LimitsFile::parse(&format!("[defaults]\n{name} = []"), &PathBuf::from(".")).unwrap_err();
        assert!(problems[0].message.starts_with("expected "), "{problems:?}");
    }
}

#[test]
fn a_stage_may_lower_what_its_tenant_has() {
    let text = with_limits("memory_bytes_max = 1048576\nfuel_batch_max = 1000\ndeadline_ms_max = 500");
    check_under("[tenants.demo]\nmemory_bytes_max = 1048576\nfuel_batch_max = 1000", &text, &expect![""]);
}

#[test]
fn a_stage_may_not_raise_what_its_tenant_has() {
    check_under(
        "[tenants.demo]\nmemory_bytes_max = 524288\ndeadline_ms_max = 300",
        &with_limits(
            "memory_bytes_max = 1048576\ndeadline_ms_max = 301\nfuel_batch_max = \"none\"\noutput_rows_max = 1000001",
        ),
        &expect![[r#"
            late.toml:18: stages.late.limits.memory_bytes_max: 1048576 (1 MiB) exceeds the limit of tenant `demo`: 524288 (512 KiB); use at most 524288
            late.toml:19: stages.late.limits.deadline_ms_max: 301 exceeds the limit of tenant `demo`: 300; use at most 300
            late.toml:20: stages.late.limits.fuel_batch_max: no limit exceeds the limit of tenant `demo`: 4000000000; use at most 4000000000
            late.toml:21: stages.late.limits.output_rows_max: 1000001 exceeds the limit of tenant `demo`: 1000000; use at most 1000000"#]],
    );
}

#[test]
fn no_limit_may_be_asked_for_where_the_tenant_has_none() {
    let text = with_limits("fuel_batch_max = \"none\"\nfuel_init_max = 5");
    check_under("unknown_tenants = \"defaults\"\n[defaults]\nfuel_batch_max = \"none\"", &text, &expect![""]);
}

#[test]
fn limits_of_a_tenant_do_not_stand_in_a_query() {
    let text = with_limits("cpu_weight = 1000\nhardened = false\ninstances_max = 1\ncpu_wait = 3");
    check_under(
        "[tenants.demo]\ncpu_percent_max = 5",
        &text,
        &expect![[r#"
            late.toml:18: stages.late.limits.cpu_weight: this limit applies to all queries of a tenant and cannot be set for a stage; set it under `[tenants.demo]` in the limits file (`--limits`)
            late.toml:19: stages.late.limits.hardened: this limit applies to all queries of a tenant and cannot be set for a stage; set it under `[tenants.demo]` in the limits file (`--limits`)
            late.toml:20: stages.late.limits.instances_max: this limit applies to all queries of a tenant and cannot be set for a stage; set it under `[tenants.demo]` in the limits file (`--limits`)
            late.toml:21: stages.late.limits.cpu_wait: `limits` has no such key; did you mean `cpu_weight`?"#]],
    );
    super::check(
        &text,
        &expect![[r#"
            late.toml:18: stages.late.limits.cpu_weight: this limit applies to all queries of a tenant and cannot be set for a stage; set it under `[defaults]` in the limits file (`--limits`)
            late.toml:19: stages.late.limits.hardened: this limit applies to all queries of a tenant and cannot be set for a stage; set it under `[defaults]` in the limits file (`--limits`)
            late.toml:20: stages.late.limits.instances_max: this limit applies to all queries of a tenant and cannot be set for a stage; set it under `[defaults]` in the limits file (`--limits`)
            late.toml:21: stages.late.limits.cpu_wait: `limits` has no such key; did you mean `cpu_weight`?"#]],
    );
}

#[test]
fn a_tenant_that_the_file_does_not_name() {
    check_under("unknown_tenants = \"defaults\"\n[tenants.acme]", GOOD, &expect![""]);
    check_under(
        "[tenants.demos]",
        GOOD,
        &expect![
            "late.toml:2: tenant: this file may not use the tenant `demo`; set the tenant of the query, and keep the file in a folder of that tenant; the operator lists these folders in the limits file (`[tenants.NAME]`, `queries`; `unknown_tenants`)"
        ],
    );
    check_under(
        "unknown_tenants = \"refuse\"",
        // What else is wrong, and which files there are, is not for whoever may not speak.
        &edited("tenant = \"demo\"\n", "").replace("flights.csv", "none.csv"),
        &expect![
            "late.toml:1: tenant: this file may not use the tenant `default`; set the tenant of the query, and keep the file in a folder of that tenant; the operator lists these folders in the limits file (`[tenants.NAME]`, `queries`; `unknown_tenants`)"
        ],
    );
}

#[test]
fn a_query_that_needs_more_instances_than_its_tenant_may_have() {
    let more = "[[stages]]\nname = \"late2\"\nmodule = \"flights.wasm\"\nfunction = \"is_late\"\ninput = \"flights\"\n";
    let more = format!("{more}isolation = \"fresh\"\n{}\n[sinks.table]", more.replace("late2", "late3"));
    check_under(
        "unknown_tenants = \"defaults\"\n[defaults]\ninstances_max = 2",
        &edited("[sinks.table]", &more),
        &expect![
            "late.toml:26: stages.late3: the query needs 3 instances at once, but tenant `demo` may have only 2; split it into several queries, or raise `instances_max` in the limits file"
        ],
    );
    check_under(
        "unknown_tenants = \"defaults\"\n[defaults]\ninstances_max = 3",
        &edited("[sinks.table]", &more),
        &expect![""],
    );
}

#[test]
fn a_query_file_that_may_not_speak_for_its_tenant() {
    let folder = folder();
    for name in ["acme", "beta"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::os::unix::fs::symlink(folder.path().join("beta"), folder.path().join("acme/linked")).unwrap();
    let text = "[tenants.demo]\nqueries = [\"acme\"]\n[tenants.other]";
    let limits = LimitsFile::parse(text, folder.path()).unwrap();
    let text = GOOD.replace("flights.csv", "../flights.csv").replace("flights.wasm", "../flights.wasm");
    let said = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::write(&path, text).unwrap();
        Plan::load_with(&path, &limits).err().map(|error| relative(&error.to_string(), folder.path()))
    };
    assert_eq!(said("acme/late.toml", &text), None);
    let refused = "late.toml:2: tenant: this file may not use the tenant `demo`";
    for path in ["beta/late.toml", "late.toml", "acme/../late.toml", "acme/linked/late.toml"] {
        let said = said(path, &text).unwrap_or_default();
        assert!(said.contains(refused) && !said.contains("other") && said.lines().count() == 1, "{path}: {said}");
    }
    // Of any folder, where the limits file does not say.
    assert_eq!(said("beta/late.toml", &text.replace("tenant = \"demo\"", "tenant = \"other\"")), None);
}

#[test]
fn a_query_has_no_more_parts_than_its_tenant_may_have() {
    let many = |most: usize| {
        let sinks: String = (0..most).map(|at| format!("[sinks.c{at}]\nkind = \"count\"\n")).collect();
        edited("[sinks.table]\nkind = \"stdout\"\nrows_max = 10\n", &sinks)
    };
    super::check(&many(63), &expect![[""]]);
    super::check(
        &many(64),
        &expect![
            "late.toml:1: sinks: the query has 65 sinks, but a query may have only 64; split it into several queries, or raise `sinks_max` in the limits file"
        ],
    );
    check_under("[tenants.demo]\nsinks_max = 3\nstages_max = 1", &many(2), &expect![[""]]);
    check_under(
        "[tenants.demo]\nsinks_max = 3\nsources_max = 1",
        &many(3),
        &expect![
            "late.toml:1: sinks: the query has 4 sinks, but a query of tenant `demo` may have only 3; split it into several queries, or raise `sinks_max` in the limits file"
        ],
    );
}

#[test]
fn stages_start_from_the_limits_of_their_tenant() {
    let folder = folder();
    let limits = "[defaults]\nseries_max = 7\n[tenants.demo]\ntrap_pause_ms_max = 5\ndeadline_ms_max = 9";
    let limits = LimitsFile::parse(limits, folder.path()).unwrap();
    let plan = Plan::parse_with(GOOD, folder.path(), &limits).unwrap();
    let of_stage = &plan.stages[0].limits;
    assert_eq!((of_stage.series_max, of_stage.trap_pause_ms_max, of_stage.deadline_ms_max), (7, 5, 9));
    assert_eq!(of_stage.memory_bytes_max, 1 << 20, "the stage's own");
    assert_eq!(plan.limits, *limits.limits_of(&plan.tenant));
}
