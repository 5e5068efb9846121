//! `redteam`: what is withstood exits with 0, and what is not exits with 1.

use serde_json::Value;

use crate::common::{root, run};

#[test]
fn what_is_withstood_passes() {
    let said = run(&root(), &["redteam", "--quick", "--only", "unknown_import", "10", "28", "runaway"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let line = |word: &str| {
        said.out.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("no {word}:\n{}", said.out))
    };
    assert!(line(" unknown_import ").ends_with("PASS"), "{}", said.out);
    assert!(line(" unknown_import ").contains("refused unknown_import: imports `"), "{}", said.out);
    assert!(line(" starved_ticker ").contains("out_of_fuel after"), "{}", said.out);
    assert!(line(" upload_text ").ends_with("PASS"), "{}", said.out);
    assert!(line("result ").contains("PASS: ") && !said.out.contains("FAIL"), "{}", said.out);
    assert!(line("loss by upload").contains("% median of "), "{}", said.out);
    assert!(line("runaway, idle").contains("endless loop: beyond its deadline"), "{}", said.out);
    assert!(line("runaway, loaded").contains("of 20 "), "{}", said.out);
    assert!(line("limits ").contains("memory 64 MiB"), "{}", said.out);
    assert_eq!(said.err, "");
}

#[test]
fn what_is_not_as_expected_fails() {
    let said = run(&root(), &["--json", "redteam", "--quick", "--module", "README.md", "--expect", "ended:deadline"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let lines: Vec<Value> = said.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [row, summary] = lines.as_slice() else { panic!("{}", said.out) };
    assert_eq!((&row["name"], &row["passes"]), (&"README.md".into(), &false.into()));
    assert_eq!((&row["code"], &row["wrong"]), (&"not_wasm".into(), &"expected ended: deadline".into()));
    assert_eq!((&summary["summary"]["passes"], &summary["summary"]["rows_passed"]), (&false.into(), &0.into()));

    let right = ["redteam", "--quick", "--markdown", "--module", "README.md", "--expect", "refused:not_wasm"];
    let said = run(&root(), &right);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.starts_with("| row | attack |") && said.out.contains("| PASS |"), "{}", said.out);
}

/// Rows of the report by their names.
fn rows(said: &crate::common::Said) -> std::collections::BTreeMap<String, Value> {
    let lines = said.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter_map(|row| Some((row["name"].as_str()?.to_owned(), row))).collect()
}

#[test]
fn attacks_on_the_host_meet_walls_and_leave_the_victim_its_records_and_its_share() {
    let said = run(&root(), &["--json", "redteam", "--quick", "--class", "host"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let rows = rows(&said);
    for name in ["host_deep_json", "host_fifos", "host_unread", "host_burning", "host_hoard", "host_five_at_once"] {
        let host = &rows[name]["host"];
        assert_eq!(rows[name]["passes"], true, "{}", said.out);
        assert!(host["records"].as_u64() >= Some(10_000), "{name}: {host}");
        for wall in ["process", "seccomp"] {
            assert_ne!(host["walls"][wall], "absent", "{name}: {host}");
        }
    }
    let fair = |name: &str| rows[name]["host"]["fair_share"].as_f64().expect("a number");
    assert!(fair("host_burning") == 0.5 && fair("host_five_at_once") < 0.17);
    assert_eq!(rows["host_burning"]["host"]["walls"]["wasm"], "answered");
    assert_eq!(rows["host_deep_json"]["host"]["walls"]["checks"], "answered");
}

#[test]
fn attacks_on_the_host_run_against_one_process_too() {
    let only = ["host_deep_json", "host_fifos", "host_burning"];
    let said = run(&root(), &[&["--json", "redteam", "--quick", "--one-process", "--only"], &only[..]].concat());
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let rows = rows(&said);
    for name in only {
        let host = &rows[name]["host"];
        assert_eq!((&host["walls"]["process"], &host["share"]), (&"absent".into(), &Value::Null), "{name}");
    }
}

#[test]
fn many_rounds_are_watched() {
    let said = run(&root(), &["redteam", "--loop", "2", "--only", "22", "69"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("drift, resident"), "{}", said.out);
}

#[test]
fn what_cannot_be_chosen_is_named() {
    for (args, message) in [
        (["--only", "no_such"], "error: unknown attack, procedure or measurement `no_such`"),
        (["--class", "no_such"], "error: --class \"no_such\": use cpu, memory, compile"),
        (["--module", "no_such"], "error: no_such: No such file"),
    ] {
        let said = run(&root(), &["redteam", args[0], args[1]]);
        assert_eq!(said.code, Some(2), "{}", said.err);
        assert!(said.err.starts_with(message), "{}", said.err);
    }
}
