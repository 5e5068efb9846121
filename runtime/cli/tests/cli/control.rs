//! `status`, `pause`, `resume` and `stop`, from another process than the one that runs the queries.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use expect_test::{Expect, expect};
use serde_json::Value;
use weir_tests::wait_for;

use crate::common::{Said, said, weir};

/// How long anything may take on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The command among the queries of this folder alone.
pub(crate) fn weir_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = weir(folder, args);
    command.env("WEIR_RUNTIME_DIR", folder.join("run"));
    command
}

pub(crate) fn tell(folder: &Path, args: &[&str]) -> Said {
    said(weir_in(folder, args).output().expect("the weir command"))
}

/// A query that reads what the test feeds it. Killed when it is dropped.
pub(crate) struct Fed {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
}

impl Fed {
    /// Starts the query of `<name>.toml` and waits for its socket.
    pub(crate) fn start(folder: &Path, name: &str) -> Fed {
        let mut command = weir_in(folder, &["run", &format!("{name}.toml")]);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command");
        let stdin = child.stdin.take();
        let fed = Fed { child, stdin };
        wait_for("the socket", LONG, || fed.socket(folder).exists().then_some(()));
        fed
    }

    pub(crate) fn socket(&self, folder: &Path) -> PathBuf {
        folder.join("run").join(format!("{}.sock", self.child.id()))
    }

    /// Feeds records with these numbers.
    pub(crate) fn feed(&mut self, ids: std::ops::Range<u64>) {
        let lines: String = ids.map(|id| format!("{{\"id\":{id}}}\n")).collect();
        let stdin = self.stdin.as_mut().expect("standard input");
        stdin.write_all(lines.as_bytes()).and_then(|()| stdin.flush()).expect("records");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Said {
        let mut child = std::mem::replace(&mut self.child, Command::new("true").spawn().expect("a process"));
        wait_for("the end of the query", LONG, || child.try_wait().expect("a child"));
        said(child.wait_with_output().expect("an end"))
    }
}

impl Drop for Fed {
    fn drop(&mut self) {
        // It has ended by itself in a test that passes.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Writes `<name>.toml`: a pipe into numbered files that are committed every few milliseconds.
pub(crate) fn query(folder: &Path, name: &str, tenant: &str, delivery: &str) {
    let text = format!(
        r#"name = "{name}"
tenant = "{tenant}"
[sources.ids]
kind = "file"
path = "/dev/stdin"
format = "json_lines"
schema = {{ id = "i64" }}
on_error = "skip"
[sinks.out]
kind = "file"
path = "{name}.jsonl"
[delivery]
{delivery}
[batching]
delay_ms_max = 10
"#
    );
    fs::write(folder.join(format!("{name}.toml")), text).expect("the query file");
}

/// What a query's files hold, in the order of the files.
fn written(folder: &Path, name: &str) -> Vec<u64> {
    let files = fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("an entry").path());
    let is_its = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        file.starts_with(name) && file.ends_with(".jsonl")
    };
    let mut files: Vec<_> = files.filter(is_its).collect();
    files.sort();
    let lines = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).expect("a file");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines.map(|line| serde_json::from_str::<Value>(&line).expect("JSON")["id"].as_u64().expect("an id")).collect()
}

/// Waits until a query's report says this.
fn wait_for_report(folder: &Path, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, LONG, || {
        let told = tell(folder, &["--json", "status", name]);
        serde_json::from_str::<Value>(&told.out).ok().filter(&holds)
    })
}

fn committed(records: u64) -> impl Fn(&Value) -> bool {
    move |report| report["progress"]["committed_records"] == records && report["progress"]["uncommitted_records"] == 0
}

/// The text with what differs from run to run taken out.
fn steady(text: &str, pids: &[u32]) -> String {
    let mut text = text.to_owned();
    for (index, pid) in pids.iter().enumerate() {
        text = text.replace(&format!("(pid {pid})"), &format!("(pid {})", index + 1));
    }
    let steady = |line: &str| {
        let mut line = line.to_owned();
        if let Some(start) = line.find(", ").filter(|_| line.ends_with(" up")) {
            line.replace_range(start.., ", … up");
        }
        for end in ["/s,", "/s)"] {
            let Some(at) = line.find(end) else { continue };
            let start = line[..at].rfind('(').map_or(0, |start| start + 1);
            line.replace_range(start..at + 2, "…");
        }
        line
    };
    let lines: Vec<_> = text.lines().map(steady).collect();
    lines.join("\n")
}

fn check(text: &str, pids: &[u32], expected: Expect) {
    expected.assert_eq(&steady(text, pids));
}

#[test]
fn status_shows_what_was_fed() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let mut fed = Fed::start(folder.path(), "ids");
    fed.feed(0..1234);
    wait_for_report(folder.path(), "ids", "all records", committed(1234));
    // In how many commits, and so in how many files, is a matter of time.
    let report = wait_for_report(folder.path(), "ids", "all records", committed(1234));
    let commits = &report["progress"]["commits"];
    let files = report["progress"]["sinks"][0]["files"].as_u64().expect("a number");
    let told = tell(folder.path(), &["status", "ids.toml"]);
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
    let text = told.out.replace(&format!("in {commits} commit"), "in N commit").replace("commits", "commit");
    let text = text.replace(&format!("kB  {files:>5}"), "kB      N");
    check(
        &text,
        &[fed.child.id()],
        expect![[r#"
            query ids of tenant demo (pid 1): running, … up
              read 1,234 (…, 13.7 kB), written 1,234 (…)
              filtered 0, failed 0, dead-lettered 0
              committed 1,234 in N commit, 0 not yet
              restarts 0
              SINK  WRITTEN     SIZE  FILES
              out     1,234  13.7 kB      N
              SOURCE  PARTITION       READ  COMMITTED  END  LAG
              ids     /dev/stdin [0]  1234       1234    -    -"#]],
    );
    // A record that does not decode is reported, and not hidden among those that were written.
    fed.stdin.as_mut().expect("standard input").write_all(b"{\"id\":\"x\"}\n").expect("a record");
    let report = wait_for_report(folder.path(), "ids", "the failed record", committed(1235));
    let source = &report["progress"]["sources"][0];
    assert_eq!((&source["records"], &source["failed"]), (&1235.into(), &1.into()), "{report}");
    assert_eq!(report["progress"]["sinks"][0]["records"], 1234);
    assert_eq!(tell(folder.path(), &["stop", "ids"]).code, Some(0));
    assert_eq!(fed.end().code, Some(0));
}

#[test]
fn a_paused_query_reads_nothing_and_goes_on_without_loss_or_repetition() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let mut fed = Fed::start(folder.path(), "ids");
    let pids = [fed.child.id()];
    fed.feed(0..100);
    wait_for_report(folder.path(), "ids", "the first records", committed(100));
    let told = tell(folder.path(), &["pause", "ids.toml"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    check(&told.out, &pids, expect!["ids of tenant demo (pid 1): paused; 100 read, 100 committed"]);
    // Nothing is read any more: it waits in the pipe.
    fed.feed(100..5000);
    std::thread::sleep(Duration::from_millis(200));
    let report = wait_for_report(folder.path(), "ids", "a report", |_| true);
    assert_eq!((&report["progress"]["state"], &report["running"]), (&"paused".into(), &true.into()));
    assert!(committed(100)(&report), "{report}");
    assert_eq!(written(folder.path(), "ids"), (0..100).collect::<Vec<_>>());

    let told = tell(folder.path(), &["resume", "ids"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    check(&told.out, &pids, expect!["ids of tenant demo (pid 1): resumed; 100 read, 100 committed"]);
    wait_for_report(folder.path(), "ids", "all records", committed(5000));
    let told = tell(folder.path(), &["resume", "ids"]);
    check(
        &told.out,
        &pids,
        expect!["ids of tenant demo (pid 1): was not paused and is running; 5,000 read, 5,000 committed"],
    );
    let told = tell(folder.path(), &["stop", "ids"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    check(&told.out, &pids, expect!["ids of tenant demo (pid 1): stopped and drained; 5,000 read, 5,000 committed"]);
    let told = fed.end();
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(written(folder.path(), "ids"), (0..5000).collect::<Vec<_>>());
    assert_eq!(fs::read_dir(folder.path().join("run")).expect("the folder of sockets").count(), 0);
}

#[test]
fn a_query_that_commits_at_its_end_says_so_and_commits_when_it_is_stopped_while_it_pauses() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "");
    let mut fed = Fed::start(folder.path(), "ids");
    let pids = [fed.child.id()];
    fed.feed(0..10);
    wait_for_report(folder.path(), "ids", "the records", |report| report["progress"]["uncommitted_records"] == 10);
    let told = tell(folder.path(), &["pause", "ids"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    check(
        &told.out,
        &pids,
        expect!["ids of tenant demo (pid 1): paused; 10 read, 0 committed; 10 more will be committed when it ends"],
    );
    let told = tell(folder.path(), &["stop", "ids"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    check(&told.out, &pids, expect!["ids of tenant demo (pid 1): stopped and drained; 10 read, 10 committed"]);
    assert_eq!(fed.end().code, Some(0));
    assert_eq!(written(folder.path(), "ids"), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_pause_waits_for_the_commit_and_no_longer_than_it_is_told() {
    for (commit_ms, timeout_ms, code, expected) in [
        (1000, 60_000, 0, expect!["ids of tenant demo (pid 1): paused; 10 read, 10 committed"]),
        (
            60_000,
            100,
            1,
            expect![
                "ids of tenant demo (pid 1): was asked to pause and is still paused after 100 ms; 10 read, 0 committed; 10 not committed yet"
            ],
        ),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        query(folder.path(), "ids", "demo", &format!("commit_ms = {commit_ms}"));
        let mut fed = Fed::start(folder.path(), "ids");
        fed.feed(0..10);
        wait_for_report(folder.path(), "ids", "the read", |report| report["progress"]["sources"][0]["records"] == 10);
        let told = tell(folder.path(), &["pause", "ids", "--timeout-ms", &timeout_ms.to_string()]);
        assert_eq!(told.code, Some(code), "{}", told.err);
        check(&told.out, &[fed.child.id()], expected);
        assert_eq!(tell(folder.path(), &["stop", "ids"]).code, Some(0));
        assert_eq!(fed.end().code, Some(0));
    }
}

#[test]
fn one_of_many_is_named_exactly_and_all_of_them_by_all() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["one", "two"] {
        query(folder.path(), name, "acme", "commit_ms = 20");
    }
    let mut processes: Vec<_> = ["one", "two"].map(|name| Fed::start(folder.path(), name)).into();
    query(folder.path(), "one", "beta", "commit_ms = 20");
    fs::rename(folder.path().join("one.toml"), folder.path().join("other.toml")).expect("the query file");
    let text = fs::read_to_string(folder.path().join("other.toml")).expect("the query file");
    fs::write(folder.path().join("other.toml"), text.replace("one.jsonl", "other.jsonl")).expect("the query file");
    processes.push(Fed::start(folder.path(), "other"));
    let pids: Vec<_> = processes.iter().map(|process| process.child.id()).collect();

    let told = tell(folder.path(), &["pause", "one"]);
    assert_eq!((told.code, told.out.as_str()), (Some(2), ""));
    let mut candidates: Vec<_> = steady(&told.err, &pids).lines().map(str::to_owned).collect();
    candidates[1..].sort();
    assert_eq!(
        candidates,
        [
            "error: query `one` matches several queries: use --tenant or --pid to choose one, or --all",
            "  one of tenant acme (pid 1)",
            "  one of tenant beta (pid 3)"
        ]
    );
    let told = tell(folder.path(), &["pause", "one", "--tenant", "beta"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    check(&told.out, &pids, expect!["one of tenant beta (pid 3): paused; 0 read, 0 committed"]);
    let states = || {
        let told = tell(folder.path(), &["--json", "status"]);
        let reports = told.out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let mut states: Vec<_> = reports
            .map(|report| {
                ["query", "tenant"].map(|key| report[key].to_string()).join(" ")
                    + " "
                    + &report["progress"]["state"].to_string()
            })
            .collect();
        states.sort();
        states
    };
    assert_eq!(states(), [r#""one" "acme" "running""#, r#""one" "beta" "paused""#, r#""two" "acme" "running""#]);
    let told = tell(folder.path(), &["pause", "--all", "--tenant", "acme"]);
    assert_eq!((told.code, told.out.lines().count()), (Some(0), 2), "{}", told.err);
    assert!(states().iter().all(|state| state.ends_with(r#""paused""#)));
    // A query that does not run does not keep requests from the others.
    let told = tell(folder.path(), &["resume", "absent", "two"]);
    assert_eq!((told.code, told.err.as_str()), (Some(1), "error: query `absent` is not running\n"));
    check(&told.out, &pids, expect!["two of tenant acme (pid 2): resumed; 0 read, 0 committed"]);
    let told = tell(folder.path(), &["stop", "--all"]);
    assert_eq!((told.code, told.out.lines().count()), (Some(0), 3), "{}", told.err);
    for process in processes {
        assert_eq!(process.end().code, Some(0));
    }
    let told = tell(folder.path(), &["stop", "--all"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), "no query is running\n"));
    assert_eq!(tell(folder.path(), &["stop", "one"]).code, Some(1));
    assert_eq!(tell(folder.path(), &["stop"]).code, Some(2));
}

#[test]
fn what_watches_ends_with_the_query() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let mut fed = Fed::start(folder.path(), "ids");
    fed.feed(0..10);
    wait_for_report(folder.path(), "ids", "all records", committed(10));
    let mut watch = weir_in(folder.path(), &["status", "ids", "--watch"]);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command");
    let mut out = std::io::BufReader::new(watch.stdout.take().expect("standard output"));
    let mut lines = std::iter::from_fn(|| {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut out, &mut line).ok().filter(|&bytes| bytes > 0).map(|_| line)
    });
    let mut rates = lines.by_ref().filter(|line| line.starts_with("  read 10 ("));
    // Since its start it has read ten; in the second since the first look nothing.
    assert!(!rates.next().expect("a first look").contains("(0 rec/s"));
    assert!(rates.next().expect("a second look").contains("(0 rec/s"));
    assert_eq!(tell(folder.path(), &["stop", "ids"]).code, Some(0));
    lines.for_each(drop);
    let told = said(watch.wait_with_output().expect("an end"));
    assert_eq!((told.code, told.err.as_str()), (Some(0), ""));
    assert_eq!(fed.end().code, Some(0));
}

#[test]
fn a_stopped_query_is_known_by_its_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let delivery = "guarantee = \"exactly_once\"\nstate = \"state/ids\"\ncommit_ms = 60000";
    query(folder.path(), "ids", "demo", delivery);
    let text = fs::read_to_string(folder.path().join("ids.toml")).expect("the query file");
    fs::write(folder.path().join("ids.toml"), text.replace("/dev/stdin", "in.jsonl")).expect("the query file");
    fs::write(folder.path().join("in.jsonl"), "{\"id\":7}\n".repeat(1234)).expect("the input");

    let told = tell(folder.path(), &["status", "ids.toml"]);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""));
    expect![[r#"
        error: query `ids` of tenant `demo` is not running and has never committed to state/ids
    "#]]
    .assert_eq(&told.err);
    assert_eq!(tell(folder.path(), &["run", "ids.toml"]).code, Some(0));
    let told = tell(folder.path(), &["status", "ids.toml"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    // Paths are as long as the test's folder happens to be, and columns as wide.
    let its_folder = format!("{}/", folder.path().canonicalize().expect("the folder").display());
    let lines = told.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    expect![[r#"
        query ids of tenant demo: not running
        state of its last commit in state/ids
        committed 1,234 in 1 commit, in all runs
        SOURCE PARTITION GOES ON AT
        ids in.jsonl [0] end"#]]
    .assert_eq(&lines.collect::<Vec<_>>().join("\n").replace(&its_folder, ""));
    let told = tell(folder.path(), &["--json", "status", "ids.toml"]);
    let report: Value = serde_json::from_str(&told.out).expect("JSON");
    assert_eq!((&report["running"], &report["committed_records"]), (&false.into(), &1234.into()));
    // By its name alone nobody knows where that is.
    let told = tell(folder.path(), &["status", "ids"]);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""));
    // A mismatch is reported, and nothing is created.
    query(folder.path(), "other", "demo", "state = \"state/ids\"");
    let told = tell(folder.path(), &["status", "other.toml"]);
    assert_eq!(told.code, Some(1));
    assert!(told.err.contains("state/ids belongs to query `ids` of tenant `demo`"), "{}", told.err);
    fs::write(folder.path().join("state/ids/manifest"), "torn").expect("the manifest");
    let told = tell(folder.path(), &["status", "ids.toml"]);
    assert_eq!(told.code, Some(1));
    assert!(told.err.contains("is not running: state: ") && told.err.contains("damaged"), "{}", told.err);
}
