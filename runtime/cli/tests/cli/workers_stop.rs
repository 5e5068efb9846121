//! Stops and pauses that come while a worker waits to be started again.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Stdio};

use expect_test::expect;

use crate::common::{run, weir};
use crate::lifecycle::send;
use crate::workers::{RUN, check, children, seed, tenants, until};

/// A run of one tenant's endless query.
fn endless(folder: &Path) -> (Child, BufReader<ChildStderr>) {
    let text = seed(1_000_000_000).replace(
        "[sinks.out]",
        "[delivery]\nguarantee = \"exactly_once\"\nstate = \"out/state\"\ncommit_ms = 50\n[sinks.out]",
    );
    tenants(folder, &[("acme", &text)]);
    let mut command = weir(folder, &[&RUN[..], &["acme/q.toml"]].concat());
    command.env("WEIR_RUNTIME_DIR", folder.join("run"));
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command");
    let stderr = BufReader::new(child.stderr.take().expect("standard error"));
    until("the first commit", || published(folder) > 0);
    (child, stderr)
}

fn published(folder: &Path) -> usize {
    let files = fs::read_dir(folder.join("acme/out")).expect("the output").flatten();
    files.filter(|file| file.file_name().to_string_lossy().starts_with("rows")).count()
}

/// Kills the worker until the supervisor waits this long before it starts the next one.
fn kill_until_it_waits(child: &Child, stderr: &mut BufReader<ChildStderr>, wait: &str) {
    let mut line = String::new();
    while !line.contains(wait) {
        until("a worker is there", || !children(child.id()).is_empty());
        for worker in children(child.id()) {
            // SAFETY: `kill` takes two integers and touches no memory of ours; the process is the child's.
            #[expect(unsafe_code, reason = "the process is not this one's child")]
            let sent = unsafe { libc::kill(i32::try_from(worker).expect("a process id"), libc::SIGKILL) };
            assert_eq!(sent, 0);
        }
        line.clear();
        until("it is said", || {
            line.clear();
            stderr.read_line(&mut line).is_ok() && line.contains("ended by signal 9")
        });
    }
}

#[test]
fn a_stop_ends_a_query_whose_worker_waits_to_be_started_again() {
    for by_command in [false, true] {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut child, mut stderr) = endless(folder.path());
        kill_until_it_waits(&child, &mut stderr, "in 800 ms");
        if by_command {
            let mut stop = weir(folder.path(), &["stop", "q"]);
            let stopped = stop.env("WEIR_RUNTIME_DIR", folder.path().join("run")).output().expect("the command");
            assert_eq!(stopped.status.code(), Some(0), "{}", String::from_utf8_lossy(&stopped.stderr));
        } else {
            send(&child, libc::SIGTERM);
        }
        let code = child.wait().expect("an end").code();
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).expect("standard error");
        assert_eq!(code, Some(0), "{rest}");
        let told = "query q of tenant acme: stopped before its worker was started again; what it committed stays, and the next run continues there";
        assert!(rest.contains(told), "{rest}");
        assert!(!rest.contains("error"), "{rest}");
    }
}

#[test]
fn a_pause_holds_for_the_next_process_of_a_worker() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, mut stderr) = endless(folder.path());
    kill_until_it_waits(&child, &mut stderr, "in 400 ms");
    let command = |name: &str| {
        let mut command = weir(folder.path(), &[name, "q"]);
        let told = command.env("WEIR_RUNTIME_DIR", folder.path().join("run")).output().expect("the command");
        assert_eq!(told.status.code(), Some(0), "{}", String::from_utf8_lossy(&told.stderr));
    };
    command("pause");
    let paused_at = published(folder.path());
    until("the next worker is there", || !children(child.id()).is_empty());
    // Its query reads nothing until it is to go on, and what it is asked in between is answered by it.
    command("pause");
    assert_eq!(published(folder.path()), paused_at);
    command("resume");
    until("it goes on", || published(folder.path()) > paused_at);
    send(&child, libc::SIGTERM);
    assert_eq!(child.wait().expect("an end").code(), Some(0));
}

#[test]
fn a_stop_that_comes_before_anything_runs_ends_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(1))]);
    let mut stderr = String::new();
    let mut command = weir(folder.path(), &[&RUN[..], &["acme/q.toml"]].concat());
    let mut run = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command");
    // Stopped as soon as it catches signals, wherever it is then: it ends well, and at once.
    until("it catches signals", || {
        let status = fs::read_to_string(format!("/proc/{}/status", run.id())).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        mask & (1 << (libc::SIGTERM - 1)) != 0
    });
    send(&run, libc::SIGTERM);
    let code = run.wait().expect("an end").code();
    run.stderr.take().expect("standard error").read_to_string(&mut stderr).expect("standard error");
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn the_limits_file_is_no_output_of_a_worker_either() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(1).replace("\"out/rows.csv\"", "\"../limits.toml\"\nformat = \"csv\""))]);
    let text = fs::read_to_string(folder.path().join("limits.toml")).expect("the limits file");
    let text = text.replace("folders = [\"acme\"]", "folders = [\".\"]");
    fs::write(folder.path().join("limits.toml"), &text).expect("the limits file");
    check(
        folder.path(),
        &["acme/q.toml"],
        2,
        expect![[r#"
            error: acme/q.toml:8: sinks.out.path: this is the limits file itself; use another file"#]],
    );
    // As in one process.
    let told = run(folder.path(), &["run", "--limits", "limits.toml", "acme/q.toml"]);
    assert!(told.err.contains("sinks.out.path: this is the limits file itself; use another file"), "{}", told.err);
    assert_eq!(fs::read_to_string(folder.path().join("limits.toml")).expect("the limits file"), text);
}
