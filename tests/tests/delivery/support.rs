//! Queries over numbered records, ended at every step, and what is found afterwards.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use serde_json::Value;
use weir_tests::{Weir, WeirProcess, guest_path};

/// Longer than any run here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A number from the environment, for runs that are longer than those of every day.
pub(crate) fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// Writes `in.csv`, of the ids 0 to `records`.
pub(crate) fn input(folder: &Path, records: u64) {
    let mut text = String::from("id\n");
    for id in 0..records {
        writeln!(text, "{id}").expect("a string");
    }
    fs::write(folder.join("in.csv"), text).expect("the input");
}

/// The ids of `in.csv`, counted by a guest, and written to files under `out/`. `rest` holds further tables.
pub(crate) fn query(folder: &Path, rest: &str) {
    let module = guest_path("faulty").expect("a built guest");
    let text = format!(
        "name = \"numbers\"\n\
         [sources.ids]\nkind = \"file\"\npath = \"in.csv\"\nschema = {{ id = \"i64\" }}\n\
         [[stages]]\nname = \"seen\"\nmodule = {module:?}\nfunction = \"seen\"\n\
         [sinks.out]\nkind = \"file\"\npath = \"out/ids.csv\"\n\
         [batching]\nrecords_max = 500\n{rest}\n"
    );
    fs::write(folder.join("numbers.toml"), text).expect("the query");
}

pub(crate) const EXACTLY_ONCE: &str = "[delivery]\nguarantee = \"exactly_once\"\nstate = \"state\"\ncommit_ms = 10";
pub(crate) const AT_LEAST_ONCE: &str = "[delivery]\nguarantee = \"at_least_once\"\nstate = \"state\"\ncommit_ms = 10";

pub(crate) fn start(folder: &Path) -> WeirProcess {
    Weir::in_folder(folder).run(&["--json", "run", "numbers.toml"])
}

/// Runs the query until this failpoint ends it, or it ends by itself.
pub(crate) fn run_to(folder: &Path, failpoint: &str) -> ExitStatus {
    let mut weir = Weir::in_folder(folder).env("WEIR_FAILPOINT", failpoint).run(&["--json", "run", "numbers.toml"]);
    weir.wait(PATIENCE)
}

/// Runs the query to its end, and gives its summary.
#[track_caller]
pub(crate) fn run_to_end(folder: &Path) -> Value {
    let mut weir = start(folder);
    let status = weir.wait(PATIENCE);
    assert!(status.success(), "{status}\n{}", weir.stderr());
    summary(&weir)
}

/// The summary among what was said on standard error.
#[track_caller]
pub(crate) fn summary(weir: &WeirProcess) -> Value {
    let said = weir.stderr();
    let objects = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut summaries = objects.filter_map(|object| object.get("summary").cloned());
    summaries.next_back().unwrap_or_else(|| panic!("no summary in {said}"))
}

/// The ids in all files of `out/` that readers see, in the order of the files' names.
pub(crate) fn written(folder: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(folder.join("out")) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| !path.file_name().expect("a name").as_encoded_bytes().starts_with(b"."));
    paths.sort();
    let mut ids = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("a file");
        let mut lines = text.lines();
        assert_eq!(lines.next(), Some("id"), "{}", path.display());
        assert!(text.ends_with('\n'), "{} is torn", path.display());
        ids.extend(lines.map(|line| line.parse::<u64>().expect("an id")));
    }
    ids
}

/// Says what is missing and what is there twice, if anything is.
#[track_caller]
pub(crate) fn assert_once(found: &[u64], records: u64) {
    let mut sorted = found.to_vec();
    sorted.sort_unstable();
    let twice: Vec<_> = sorted.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).take(10).collect();
    assert!(twice.is_empty(), "{} ids of {records}; there twice: {twice:?} …", found.len());
    assert_all(found, records);
}

#[track_caller]
pub(crate) fn assert_all(found: &[u64], records: u64) {
    let found: std::collections::HashSet<_> = found.iter().copied().collect();
    let missing: Vec<_> = (0..records).filter(|id| !found.contains(id)).take(10).collect();
    assert!(missing.is_empty(), "{} different ids of {records}; missing: {missing:?} …", found.len());
    assert_eq!(found.len() as u64, records, "ids that were never read");
}

/// What the guest counted, as the summary says it.
#[track_caller]
pub(crate) fn counted(summary: &Value) -> u64 {
    let metrics = summary["metrics"].as_array().unwrap_or_else(|| panic!("{summary}"));
    let total = metrics.iter().find(|series| series["metric"] == "records").map(|series| &series["total"]);
    total.and_then(Value::as_f64).unwrap_or_else(|| panic!("{summary}")) as u64
}
