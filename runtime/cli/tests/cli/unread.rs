//! What nobody reads, nobody writes, or never ends: nothing of that stops the command.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::common::{ONE_PROCESS, run, said, summary, weir};
use crate::lifecycle::send;

/// A query over the seed workload, whose rows go to this sink.
fn seed(folder: &Path, name: &str, batches: u64, sink: &str) {
    let text =
        format!("name = \"{name}\"\n[sources.seed]\nkind = \"generator\"\nbatches = {batches}\n[sinks.out]\n{sink}\n");
    fs::write(folder.join(format!("{name}.toml")), text).expect("the query file");
}

/// A pipe that is full, and the end that nobody reads from.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // As much as a pipe can be asked to hold, at most; a description of its own, so that the other one still blocks.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&writer));
    let mut own = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path).expect("the pipe once more");
    while own.write(&[b'x'; 4096]).is_ok() {}
    while own.write(b"x").is_ok() {}
    (reader, writer)
}

pub(crate) fn mkfifo(path: &Path) {
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
}

/// A grace time that no machine is too busy for: what has not ended by then, hangs.
const GRACE_MS: &str = "45000";

/// The code that it ends with by itself, before the time of [`GRACE_MS`] is over.
fn end(child: &mut Child) -> Option<i32> {
    let (started, at_most) = (Instant::now(), Duration::from_secs(40));
    loop {
        if let Some(status) = child.try_wait().expect("the child") {
            return status.code();
        }
        if started.elapsed() > at_most {
            child.kill().expect("an end");
            panic!("still running after {at_most:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < Duration::from_secs(60), "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_standard_error_that_nobody_reads_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    seed(folder.path(), "endless", 1_000_000_000, "kind = \"count\"");
    // Ends by itself, beside one that says a line a second.
    seed(folder.path(), "short", 2000, "kind = \"file\"\npath = \"short.csv\"");
    let (mut unread, stderr) = full_pipe();
    let mut command = weir(folder.path(), &["--json", "run", "--grace-ms", GRACE_MS, "endless.toml", "short.toml"]);
    // Every line that is logged at all.
    command.env("WEIR_LOG", "trace").stdout(Stdio::null()).stderr(OwnedFd::from(stderr));
    let mut child = command.spawn().expect("the command");
    drop(command);
    wait_for("the short query", || folder.path().join("short.csv").exists());
    send(&child, libc::SIGTERM);
    // By itself, and not by force.
    assert_eq!(end(&mut child), Some(0));
    let mut text = String::new();
    unread.read_to_string(&mut text).expect("what it said");
    assert!(text.trim_start_matches('x').is_empty(), "nothing fitted in: {text:.200}");
}

#[test]
fn lines_that_were_dropped_are_counted_when_somebody_reads_again() {
    let folder = tempfile::tempdir().expect("a folder");
    // The errors of these files take more than a megabyte.
    let wrong: String = (0..20_000).map(|index| format!("key{index} = 1\n")).collect();
    for index in 0..8 {
        fs::write(folder.path().join(format!("wrong{index}.toml")), &wrong).expect("a query file");
    }
    let many: String = (0..30_000).map(|_| "{\"id\": \"none\"}\n").collect();
    let text = r#"name = "bad"
[sources.ids]
kind = "file"
path = "/dev/stdin"
format = "json_lines"
schema = { id = "i64" }
on_error = "dead_letter"
[sinks.out]
kind = "count"
[dead_letters]
path = "dead.jsonl"
"#;
    fs::write(folder.path().join("bad.toml"), text).expect("the query file");
    seed(folder.path(), "endless", 1_000_000_000, "kind = \"count\"");
    let (mut reader, stderr) = full_pipe();
    let mut command = weir(folder.path(), &[]);
    command.args(["--json", "run", "--grace-ms", GRACE_MS, "bad.toml", "endless.toml"]);
    command.args((0..8).map(|index| format!("wrong{index}.toml")));
    // More than the queue holds, in the time until somebody reads.
    command.env("WEIR_LOG", "trace").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(OwnedFd::from(stderr));
    let mut child = command.spawn().expect("the command");
    drop(command);
    let mut stdin = child.stdin.take().expect("standard input");
    let fed = std::thread::spawn(move || stdin.write_all(many.as_bytes()).map(|()| stdin));
    wait_for("the dead letters", || {
        fs::metadata(folder.path().join("dead.jsonl")).is_ok_and(|letters| letters.len() > 1 << 20)
    });
    let (caught_up, told) = std::sync::mpsc::channel();
    let said = std::thread::spawn(move || {
        let (mut text, mut some) = (Vec::new(), [0; 1 << 16]);
        loop {
            let read = reader.read(&mut some)?;
            // The count may be cut between two reads.
            let from = text.len().saturating_sub(32);
            text.extend_from_slice(&some[..read]);
            if String::from_utf8_lossy(&text[from..]).contains("dropped_lines") {
                // Nobody waits for it a second time.
                caught_up.send(()).unwrap_or(());
            }
            if read == 0 {
                return Ok::<_, std::io::Error>(String::from_utf8_lossy(&text).into_owned());
            }
        }
    });
    // Queries end when what was dropped is counted: from then on there is room for what they say.
    told.recv_timeout(Duration::from_secs(60)).expect("a count of dropped lines");
    drop(fed.join().expect("a writer").expect("the input"));
    send(&child, libc::SIGTERM);
    // Of the files that are wrong.
    assert_eq!(end(&mut child), Some(1));
    let said = said.join().expect("a reader").expect("what it said");
    let dropped = |line: &&str| line.contains(" lines were dropped because nobody read standard error");
    let lost: Vec<&str> = said.lines().filter(dropped).collect();
    assert!(!lost.is_empty(), "{said:.2000}");
    let counted: u64 = lost
        .iter()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON")["dropped_lines"].as_u64().expect("a number")
        })
        .sum();
    assert!(counted > 0, "{lost:?}");
    // Both summaries arrive: the last lines are not lost if somebody reads.
    assert_eq!(said.lines().filter(|line| line.contains("\"summary\"")).count(), 2, "{said:.2000}");
}

/// The two ends of a pseudoterminal: of its user, and of the process.
fn terminal() -> (OwnedFd, OwnedFd) {
    let (mut user, mut process) = (-1, -1);
    // SAFETY: `openpty` writes two descriptors to where these point, and takes null for name, settings and size.
    #[expect(unsafe_code, reason = "no safe wrapper is among the dependencies")]
    let opened = unsafe {
        libc::openpty(&raw mut user, &raw mut process, std::ptr::null_mut(), std::ptr::null_mut(), std::ptr::null_mut())
    };
    assert_eq!(opened, 0, "{}", std::io::Error::last_os_error());
    // SAFETY: both were just opened, and nobody else has them.
    #[expect(unsafe_code, reason = "the descriptors come from the call above")]
    let ends = unsafe { (OwnedFd::from_raw_fd(user), OwnedFd::from_raw_fd(process)) };
    ends
}

#[test]
fn a_terminal_that_nobody_reads_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    seed(folder.path(), "endless", 1_000_000_000, "kind = \"count\"");
    // Ends by itself: its summary is printed where the progress of the other one is drawn.
    seed(folder.path(), "short", 2000, "kind = \"file\"\npath = \"short.csv\"");
    let (_unread, terminal) = terminal();
    // Full before the command draws.
    let path = format!("/proc/self/fd/{}", terminal.as_raw_fd());
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let mut own = OpenOptions::new().write(true).custom_flags(flags).open(path).expect("the terminal once more");
    while own.write(&[b'x'; 256]).is_ok() {}
    while own.write(b"x").is_ok() {}
    let mut command = weir(folder.path(), &["run", "--grace-ms", GRACE_MS, "endless.toml", "short.toml"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(terminal).spawn().expect("the command");
    drop(command);
    wait_for("the short query", || folder.path().join("short.csv").exists());
    // Some lines are drawn, or would be.
    std::thread::sleep(Duration::from_millis(500));
    send(&child, libc::SIGTERM);
    // By itself, and not by force.
    assert_eq!(end(&mut child), Some(0));
}

#[test]
fn progress_is_drawn_on_a_terminal() {
    let folder = tempfile::tempdir().expect("a folder");
    seed(folder.path(), "endless", 1_000_000_000, "kind = \"count\"");
    let (user, terminal) = terminal();
    let mut command = weir(folder.path(), &["run", "--grace-ms", GRACE_MS, "endless.toml"]);
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(terminal).spawn().expect("the command");
    drop(command);
    let mut screen = File::from(user);
    let mut text = String::new();
    while !(text.contains(" committed") && text.contains(" %, ") && text.contains(" left)")) {
        let mut some = [0; 4096];
        let read = screen.read(&mut some).expect("what is drawn");
        text.push_str(&String::from_utf8_lossy(&some[..read]));
        assert!(text.len() < 1 << 20, "{text:.2000}");
    }
    send(&child, libc::SIGTERM);
    let drain = std::thread::spawn(move || {
        let mut rest = Vec::new();
        // A terminal whose other end is closed is an error to read, not an end.
        drop(screen.read_to_end(&mut rest));
        String::from_utf8_lossy(&rest).into_owned()
    });
    assert_eq!(end(&mut child), Some(0));
    let rest = drain.join().expect("the rest");
    // The progress line is removed before the summary is printed.
    assert!(rest.contains("\u{1b}[2K") && rest.contains("endless"), "{rest:?}");
}

#[test]
fn a_standard_output_that_nobody_reads_can_be_stopped() {
    for format in ["json_lines", "csv", "table"] {
        let folder = tempfile::tempdir().expect("a folder");
        // A table of all rows: its text is written batch by batch too.
        let rows = if format == "table" { "\nrows_max = 1000000" } else { "" };
        let sink = format!("kind = \"stdout\"\nformat = \"{format}\"{rows}");
        seed(folder.path(), "endless", 1_000_000_000, &sink);
        let (_unread, stdout) = full_pipe();
        let mut command = weir(folder.path(), &["--json", "run", "--grace-ms", "2000", "endless.toml"]);
        let mut child = command.stdout(OwnedFd::from(stdout)).stderr(Stdio::piped()).spawn().expect("the command");
        drop(command);
        // The first progress line: records were read, and wait.
        let mut stderr = std::io::BufReader::new(child.stderr.take().expect("standard error"));
        let mut text = String::new();
        std::io::BufRead::read_line(&mut stderr, &mut text).expect("a line");
        send(&child, libc::SIGTERM);
        let code = end(&mut child);
        stderr.read_to_string(&mut text).expect("the rest");
        assert_eq!(code, Some(3), "{text}");
        assert!(text.contains("ended by force") && text.contains("batches are waiting for `out`"), "{text}");
    }
}

/// How often the threads of a process have gone to sleep so far.
fn sleeps(process: u32) -> u64 {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).expect("its threads").flatten();
    let status = tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok());
    let sleeps = status.filter_map(|status| {
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        line.trim().parse::<u64>().ok()
    });
    sleeps.sum()
}

#[test]
fn nothing_wakes_while_nothing_happens() {
    let folder = tempfile::tempdir().expect("a folder");
    mkfifo(&folder.path().join("in.jsonl"));
    let text = "name = \"idle\"\n[sources.in]\nkind = \"file\"\npath = \"in.jsonl\"\nschema = { id = \"i64\" }\n\
                [sinks.out]\nkind = \"file\"\npath = \"out.csv\"\n[delivery]\ncommit_ms = 60000\n";
    fs::write(folder.path().join("idle.toml"), text).expect("the query file");
    let mut command = weir(folder.path(), &["run", "--grace-ms", GRACE_MS, "idle.toml"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command");
    let threads = || fs::read_dir(format!("/proc/{}/task", child.id())).expect("its threads").count();
    wait_for("its threads", || threads() >= 6);
    let most = 2 * std::thread::available_parallelism().map_or(1, usize::from) + 5;
    assert!(threads() <= most, "{} threads", threads());
    let mut before = (Instant::now(), u64::MAX);
    // A ticker of 2 ms alone would wake 500 times a second, at any time.
    wait_for("a second in which no thread wakes", || {
        let now = sleeps(child.id());
        if before.1 == u64::MAX || before.0.elapsed() >= Duration::from_secs(1) {
            let woken = now.saturating_sub(before.1);
            let calm = before.1 != u64::MAX && woken <= 3;
            before = (Instant::now(), now);
            return calm;
        }
        false
    });
    send(&child, libc::SIGTERM);
    assert_eq!(end(&mut child), Some(0));
}

#[test]
fn hundreds_of_silent_pipes_hold_up_nobody() {
    const PIPES: usize = 600;
    let folder = tempfile::tempdir().expect("a folder");
    let source = |name: &str, path: &str| {
        format!(
            "[sources.{name}]\nkind = \"file\"\npath = \"{path}\"\nformat = \"json_lines\"\nschema = {{ id = \"i64\" }}\n"
        )
    };
    let mut text = "name = \"silent\"\ntenant = \"evil\"\n".to_owned();
    for at in 0..PIPES {
        mkfifo(&folder.path().join(format!("fifo{at}")));
        text.push_str(&source(&format!("s{at}"), &format!("fifo{at}")));
    }
    fs::write(folder.path().join("in.jsonl"), "{\"id\": 1}\n".repeat(1000)).expect("the input");
    text.push_str(&source("file", "in.jsonl"));
    text.push_str("[sinks.out]\nkind = \"file\"\npath = \"silent.csv\"\nrotate_bytes_max = 1\n");
    text.push_str("[delivery]\ncommit_ms = 50\n");
    fs::write(folder.path().join("silent.toml"), &text).expect("the query file");
    seed(folder.path(), "short", 2000, "kind = \"file\"\npath = \"short.csv\"");
    // As it comes, that is too many.
    let told = run(folder.path(), &["check", "silent.toml"]);
    assert_eq!(told.code, Some(2));
    assert!(told.err.contains("the query has 601 sources, but a query may have only 64"), "{}", told.err);
    fs::write(folder.path().join("limits.toml"), "[tenants.evil]\nsources_max = 700\n[tenants.default]\n")
        .expect("limits");
    let mut command = weir(
        folder.path(),
        &["--json", "run", "--grace-ms", GRACE_MS, "--limits", "limits.toml", ONE_PROCESS, "silent.toml", "short.toml"],
    );
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command");
    // Neither the file beside the pipes waits, nor the other query, nor a pipe that speaks at last.
    wait_for("the other query", || folder.path().join("short.csv").exists());
    wait_for("the file", || folder.path().join("silent-000001.csv").exists());
    let threads = fs::read_dir(format!("/proc/{}/task", child.id())).expect("its threads").count();
    assert!(threads < 200, "{threads} threads");
    let mut speaker = OpenOptions::new().write(true).open(folder.path().join("fifo599")).expect("a pipe");
    writeln!(speaker, "{{\"id\": 77}}").expect("a record");
    wait_for("the pipe's record", || {
        let files = fs::read_dir(folder.path()).expect("the folder").flatten();
        files
            .filter(|file| file.file_name().to_string_lossy().starts_with("silent-"))
            .any(|file| fs::read_to_string(file.path()).is_ok_and(|text| text.contains("77")))
    });
    send(&child, libc::SIGTERM);
    let code = end(&mut child);
    let told = said(child.wait_with_output().expect("what it said"));
    assert_eq!(code, Some(0), "{}", told.err);
    drop(speaker);
}

#[test]
fn files_of_every_kind_are_refused_at_once_where_one_is_read_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    mkfifo(&at("fifo.toml"));
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.toml")).expect("a socket");
    fs::create_dir(at("folder.toml")).expect("a folder");
    std::os::unix::fs::symlink("/dev/zero", at("zero.toml")).expect("a link");
    File::create(at("huge.toml")).and_then(|file| file.set_len(1 << 40)).expect("a large file");
    seed(folder.path(), "good", 1, "kind = \"count\"");
    let files = ["fifo.toml", "socket.toml", "folder.toml", "zero.toml", "huge.toml", "/proc/kmsg", "/proc/self/mem"];
    for file in files {
        for args in [
            vec!["inspect", file],
            vec!["try", file, "--input", "good.toml"],
            vec!["check", file],
            vec!["run", file],
            vec!["check", "--limits", file, "good.toml"],
            vec!["schema", "--format", "json_lines", file],
        ] {
            // A pipe is read as it comes, and one without a writer is at its end; a large file is looked at from its front.
            if args[0] == "schema" && ["fifo.toml", "huge.toml"].contains(&file) {
                continue;
            }
            let mut child = weir(folder.path(), &args)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("the command");
            let code = end(&mut child);
            let told = said(child.wait_with_output().expect("what it said"));
            assert_eq!(code, Some(2), "{args:?}: {}", told.err);
            assert!(told.err.contains(file) && told.err.lines().count() == 1, "{args:?}: {}", told.err);
        }
    }
    // As a module and as a source of a query.
    for (key, file) in
        [("module", "fifo.toml"), ("module", "/proc/kmsg"), ("path", "/dev/zero"), ("path", "socket.toml")]
    {
        let text = format!(
            "name = \"q\"\n[sources.a]\nkind = \"file\"\nformat = \"json_lines\"\nschema = {{ id = \"i64\" }}\npath = {:?}\n[[stages]]\nname = \"s\"\nmodule = {:?}\nfunction = \"f\"\n[sinks.out]\nkind = \"count\"\n",
            if key == "path" { file } else { "good.toml" },
            if key == "module" { file } else { "good.toml" },
        );
        fs::write(at("q.toml"), text).expect("the query file");
        let told = run(folder.path(), &["check", "q.toml"]);
        assert_eq!(told.code, Some(2), "{}", told.err);
        assert!(told.err.contains(file), "{}", told.err);
    }
}

#[test]
fn a_pipe_without_writers_is_at_its_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "name = \"q\"\n[sources.a]\nkind = \"file\"\nformat = \"json_lines\"\nschema = { id = \"i64\" }\npath = \"/dev/stdin\"\n[sinks.out]\nkind = \"count\"\n";
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    for input in ["", "{\"id\": 1}\n", "{\"id\": 1}\n{\"id\": 2}"] {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        writer.write_all(input.as_bytes()).expect("the input");
        // Gone before the command looks.
        drop(writer);
        let mut command = weir(folder.path(), &["--json", "run", "q.toml"]);
        let told = said(command.stdin(OwnedFd::from(reader)).output().expect("the command"));
        assert_eq!(told.code, Some(0), "{}", told.err);
        assert_eq!(summary(&told)["committed_records"], input.lines().count(), "{input:?}");
    }
}
