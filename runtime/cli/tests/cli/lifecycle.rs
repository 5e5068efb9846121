//! Signals, closed pipes, and memory.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use weir_tests::guest_path;

use crate::common::{said, summary, weir};

/// A query that runs for hours if nobody stops it: a seed workload through a guest, rows to the sink named.
fn endless(folder: &Path, sink: &str) {
    let module = guest_path("seed").expect("the seed guest");
    let text = format!(
        r#"
name = "endless"
[sources.seed]
kind = "generator"
batches = 1000000000
[[stages]]
name = "pass"
module = {module:?}
function = "pass"
[sinks.out]
{sink}
"#
    );
    fs::write(folder.join("q.toml"), text).expect("the query file");
}

pub(crate) fn send(child: &Child, signal: i32) {
    let pid = i32::try_from(child.id()).expect("a process id");
    // SAFETY: `kill` takes two integers and touches no memory of ours; the child has not been waited for.
    #[expect(unsafe_code, reason = "the standard library can only kill, not ask")]
    let sent = unsafe { libc::kill(pid, signal) };
    assert_eq!(sent, 0);
}

#[test]
fn sigterm_and_ctrl_c_drain_and_the_account_adds_up() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let folder = tempfile::tempdir().expect("a folder");
        endless(folder.path(), "kind = \"file\"\npath = \"out.csv\"");
        let mut child = weir(folder.path(), &["--json", "run", "q.toml"]);
        let mut child = child.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command");
        // The first progress line says that records flow.
        let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
        let mut first = String::new();
        stderr.read_line(&mut first).expect("a progress line");
        send(&child, signal);
        let mut rest = String::new();
        std::io::Read::read_to_string(&mut stderr, &mut rest).expect("standard error");
        let mut told = said(child.wait_with_output().expect("an end"));
        told.err = rest;
        assert_eq!(told.code, Some(0), "{}", told.err);
        let summary = summary(&told);
        assert_eq!(summary["ending"], "stopped");
        let read = summary["sources"][0]["records"].as_u64().expect("a number");
        assert!(read > 0);
        for at in [&summary["committed_records"], &summary["stages"][0]["records_out"], &summary["sinks"][0]["records"]]
        {
            assert_eq!(at.as_u64(), Some(read), "{summary}");
        }
        // One header and a line a record: all that was taken in was published.
        let written =
            BufReader::new(fs::File::open(folder.path().join("out.csv")).expect("the output")).lines().count();
        assert_eq!(written as u64, read + 1);
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_query_quietly() {
    let folder = tempfile::tempdir().expect("a folder");
    endless(folder.path(), "kind = \"stdout\"\nformat = \"json_lines\"");
    let mut child = weir(folder.path(), &["run", "q.toml"]);
    let mut child = child.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command");
    let mut stdout = BufReader::new(child.stdout.take().expect("standard output"));
    let mut line = String::new();
    stdout.read_line(&mut line).expect("a row");
    assert!(line.starts_with('{'), "{line}");
    drop(stdout);
    let told = said(child.wait_with_output().expect("an end"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(told.err.contains("reader gone"), "{}", told.err);
    assert!(!told.err.contains("error"), "{}", told.err);
}

#[test]
fn a_standard_error_that_is_closed_is_no_reason_to_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    endless(folder.path(), "kind = \"count\"");
    let mut command = weir(folder.path(), &["run", "q.toml"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command");
    drop(child.stderr.take());
    // Only once it catches the signal is there something to see.
    let started = Instant::now();
    let catches = |status: &str| {
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        mask & (1 << (libc::SIGTERM - 1)) != 0
    };
    while !catches(&fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default()) {
        assert!(started.elapsed() < Duration::from_secs(60), "the command catches no signal");
        std::thread::sleep(Duration::from_millis(5));
    }
    send(&child, libc::SIGTERM);
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

#[test]
fn records_of_a_pipe_go_on_after_the_delay_and_do_not_wait_for_a_full_batch() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = r#"
name = "pipe"
[sources.ids]
kind = "file"
path = "/dev/stdin"
format = "json_lines"
schema = { id = "i64" }
[sinks.out]
kind = "stdout"
format = "json_lines"
[batching]
delay_ms_max = 20
"#;
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    let mut command = weir(folder.path(), &["--json", "run", "q.toml"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command");
    let mut stdin = child.stdin.take().expect("standard input");
    let mut stdout = BufReader::new(child.stdout.take().expect("standard output"));
    // Each record comes with the beginning of the next, which must neither hold it back nor be lost.
    write!(stdin, "{{\"id\": ").expect("a beginning");
    for id in 0..3 {
        write!(stdin, "{id}}}\n{{\"id\": ").expect("a record");
        stdin.flush().expect("a record");
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a row");
        assert_eq!(line, format!("{{\"id\":{id}}}\n"));
    }
    // A silent pipe does not hold back the end either.
    send(&child, libc::SIGTERM);
    let told = said(child.wait_with_output().expect("an end"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert_eq!(summary(&told)["committed_records"], 3);
    drop(stdin);
}

#[test]
fn a_query_in_a_full_folder_fails_and_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().expect("a folder");
    endless(folder.path(), "kind = \"file\"\npath = \"out.csv\"");
    // A limit on the size of files stands in for the full disk: the system refuses the write in the same place.
    let mut command = std::process::Command::new("sh");
    let script = format!("trap '' XFSZ; ulimit -f 2048; exec {} run q.toml", env!("CARGO_BIN_EXE_weir"));
    let output = command.args(["-c", &script]).current_dir(folder.path()).output().expect("the command");
    let told = said(output);
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.err.contains("sinks.out"), "{}", told.err);
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("the folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left, ["q.toml"]);
}

/// Runs a query over `batches` thousand records into a file and returns the peak of its resident memory in KiB.
fn peak_kib(batches: u64) -> u64 {
    let folder = tempfile::tempdir().expect("a folder");
    let module = guest_path("seed").expect("the seed guest");
    let text = format!(
        r#"
name = "bounded"
[sources.seed]
kind = "generator"
batches = {batches}
[[stages]]
name = "product"
module = {module:?}
function = "product"
[sinks.out]
kind = "file"
path = "out.csv"
[sinks.count]
kind = "count"
"#
    );
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    let mut child = weir(folder.path(), &["run", "--quiet", "q.toml"]).spawn().expect("the command");
    let mut peak = 0;
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("the child") {
            assert!(status.success(), "{status}");
            break;
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        peak = peak.max(kib.unwrap_or(0));
        assert!(started.elapsed() < Duration::from_secs(120), "the query did not end");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(peak > 0);
    peak
}

#[test]
fn memory_is_bounded_by_batches_in_flight_and_not_by_the_input() {
    let (short, long) = (peak_kib(200), peak_kib(2000));
    // Ten times the records: 60 MB of CSV more. The margin is for the allocator and the timing of the peak.
    assert!(long < short + 24 * 1024, "peak of {short} KiB for 200 batches, {long} KiB for 2,000");
}

/// A query whose function takes about 0.4 s of CPU time for each of six batches, of one that it may take.
fn laborious(folder: &Path) {
    let text = r#"(module
        (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "weir_call_labour") (param $rows i32) (result i32) (local $left i64)
            (local.set $left (i64.const 150000000))
            (loop $again
                (local.set $left (i64.sub (local.get $left) (i64.const 1)))
                (br_if $again (i64.ne (local.get $left) (i64.const 0))))
            (memory.fill (i32.const 0) (i32.const 255) (i32.const 1024))
            (call $emit_filter (i32.const 0) (local.get $rows)))
        (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22labour\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22,\22state\22:\22none\22}"))"#;
    fs::write(folder.join("labour.wasm"), wat::parse_str(text).expect("a module")).expect("the module");
    let query = r#"
name = "labour"
[sources.seed]
kind = "generator"
batches = 6
[[stages]]
name = "labour"
module = "labour.wasm"
function = "labour"
limits = { fuel_batch_max = "none", deadline_ms_max = 1000 }
[sinks.out]
kind = "count"
"#;
    fs::write(folder.join("q.toml"), query).expect("the query file");
}

/// CPU time that a process has had.
fn cpu(child: &Child) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("a process");
    // User and system time, in hundredths of a second (proc(5), `USER_HZ`), behind the name in brackets.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    Duration::from_millis(fields[11..13].iter().map(|ticks| 10 * ticks.parse::<u64>().expect("a number")).sum())
}

/// Waits until the process has used this much more CPU time.
fn has_worked(child: &mut Child, more: Duration) {
    let (before, started) = (cpu(child), Instant::now());
    while cpu(child) < before + more {
        assert!(child.try_wait().expect("a process").is_none(), "it ended early");
        assert!(started.elapsed() < Duration::from_secs(120), "it does not work");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_process_that_was_stopped_goes_on_where_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    laborious(folder.path());
    let mut child = weir(folder.path(), &["--json", "run", "q.toml"]);
    let mut child = child.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command");
    // At different places of a batch: each stop is longer than the deadline.
    has_worked(&mut child, Duration::from_millis(400));
    for work in [50, 130, 210] {
        has_worked(&mut child, Duration::from_millis(work));
        send(&child, libc::SIGSTOP);
        std::thread::sleep(Duration::from_millis(1_300));
        send(&child, libc::SIGCONT);
    }
    let told = said(child.wait_with_output().expect("an end"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    let summary = summary(&told);
    assert_eq!(
        (&summary["sinks"][0]["records"], &summary["stages"][0]["traps"]),
        (&6_000.into(), &0.into()),
        "{summary}"
    );
}

#[test]
fn a_busy_machine_does_not_end_a_query() {
    let folder = tempfile::tempdir().expect("a folder");
    laborious(folder.path());
    // Six busy processes for each core: a batch takes seven times its CPU time or more, and that is beyond its deadline.
    struct Busy(Vec<Child>);
    impl Drop for Busy {
        fn drop(&mut self) {
            for child in &mut self.0 {
                child.kill().expect("a process");
                child.wait().expect("an end");
            }
        }
    }
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let spin = || std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("a shell");
    let busy = Busy((0..6 * cores).map(|_| spin()).collect());
    let told = said(weir(folder.path(), &["--json", "run", "q.toml"]).output().expect("the command"));
    drop(busy);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let summary = summary(&told);
    assert_eq!(
        (&summary["sinks"][0]["records"], &summary["stages"][0]["traps"]),
        (&6_000.into(), &0.into()),
        "{summary}"
    );
}

#[test]
fn a_signal_is_answered_while_a_guest_burns_and_traps_record_after_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = guest_path("faulty").expect("the faulty guest");
    // Every record is the one over which the guest works for a while, within its deadline, and panics: to narrow one batch
    // down takes a thousand calls.
    fs::write(folder.path().join("in.jsonl"), "{\"id\":7}\n".repeat(8192)).expect("the input");
    let text = format!(
        "name = \"burns\"\n[sources.in]\nkind = \"file\"\npath = \"in.jsonl\"\nschema = {{ id = \"i64\" }}\n\
         [[stages]]\nname = \"burns\"\nmodule = {module:?}\nfunction = \"burns\"\n\
         params = {{ at = 7, rounds = 100000000 }}\non_error = \"skip\"\ntrapped_percent_max = 100\n\
         [stages.limits]\nfuel_batch_max = \"none\"\ndeadline_ms_max = 10000\n\
         [sinks.out]\nkind = \"count\"\n"
    );
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    let mut command = weir(folder.path(), &["--json", "run", "--grace-ms", "60000", "q.toml"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command");
    let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
    let mut said = String::new();
    // Until it narrows.
    loop {
        let mut line = String::new();
        assert!(stderr.read_line(&mut line).expect("a line") > 0, "{said}");
        said.push_str(&line);
        let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        if line["progress"]["stages"][0]["traps"].as_u64() >= Some(3) {
            break;
        }
    }
    let started = Instant::now();
    send(&child, libc::SIGTERM);
    std::io::Read::read_to_string(&mut stderr, &mut said).expect("the rest");
    let status = child.wait().expect("an end");
    // Not by force, at the end of the grace time. All the records would take longer than that.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}: {said}", started.elapsed());
    assert_eq!(status.code(), Some(0), "{said}");
    let summary = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let summary = summary.filter_map(|line| line.get("summary").cloned()).next_back().expect("a summary");
    // What was not finished counts nowhere else.
    let (source, stage) = (&summary["sources"][0], &summary["stages"][0]);
    assert_eq!(source["records"].as_u64(), Some(8192), "{summary}");
    let settled = stage["records_in"].as_u64().expect("a number");
    assert_eq!(source["unfinished"].as_u64(), Some(8192 - settled), "{summary}");
}
