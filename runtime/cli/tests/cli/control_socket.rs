//! The control socket: who may reach it, what is left of it, and what clients cannot do to it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use weir_tests::wait_until;

use crate::common::said;
use crate::control::{Fed, LONG, query, tell, weir_in};
use crate::lifecycle::send;

/// One line to the socket, and the line that comes back.
fn ask(socket: &Path, line: &[u8]) -> Option<Value> {
    let mut stream = UnixStream::connect(socket).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a time-out");
    // A process that has heard enough does not listen to the rest.
    drop(stream.write_all(line).and_then(|()| stream.write_all(b"\n")));
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).ok()?;
    serde_json::from_str(&answer).ok()
}

fn code(socket: &Path, line: &[u8]) -> String {
    ask(socket, line).map_or_else(String::new, |answer| answer["error"]["code"].as_str().unwrap_or("none").to_owned())
}

#[test]
fn garbage_half_lines_and_silence_hurt_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let mut fed = Fed::start(folder.path(), "ids");
    let socket = fed.socket(folder.path());
    for garbage in [&b"garbage"[..], b"", b"\0\xff\xfe", b"{}", b"[[[[", b"null", br#"{"weir":1,"ask":"fly"}"#] {
        assert_eq!(code(&socket, garbage), "malformed", "{garbage:?}");
    }
    assert_eq!(code(&socket, b"[".repeat(60_000).as_slice()), "malformed");
    assert_eq!(code(&socket, br#"{"weir":7,"ask":"status"}"#), "version");
    assert_eq!(code(&socket, br#"{"weir":1,"ask":"stop","query":"ids","tenant":"other"}"#), "unknown_query");
    // Where the line is too long the rest of it may not be read, and the answer may be lost with it; not more.
    assert!(["request_too_long", ""].contains(&code(&socket, &vec![b'x'; 10_000_000]).as_str()));
    // A client that has said half a line goes away; others say nothing, or nothing to the end, as many as there may be.
    UnixStream::connect(&socket).and_then(|mut half| half.write_all(b"{\"weir\":1")).expect("half a line");
    // The half client may take a moment to be gone, and room that it leaves is taken by one more.
    let mut silent: Vec<_> = (0..15).map(|_| UnixStream::connect(&socket).expect("a connection")).collect();
    silent[0].write_all(b"{\"weir\"").expect("half a line");
    wait_until("a client too many", LONG, || {
        let told = tell(folder.path(), &["status"]);
        let refused = told.err.contains(": 16 clients talk to this process already");
        assert_eq!(told.code, Some(if refused { 1 } else { 0 }), "{}", told.err);
        if !refused {
            silent.push(UnixStream::connect(&socket).expect("a connection"));
        }
        refused
    });
    assert_eq!(code(&socket, br#"{"weir":1,"ask":"status"}"#), "busy");
    drop(silent);
    // And the query has gone on all the while.
    fed.feed(0..10);
    wait_until("the records", LONG, || {
        let answer = ask(&socket, br#"{"weir":1,"ask":"status"}"#).unwrap_or_default();
        answer["ok"]["queries"][0]["progress"]["committed_records"] == 10
    });
    assert_eq!(tell(folder.path(), &["stop", "ids"]).code, Some(0));
    assert_eq!(fed.end().code, Some(0));
}

#[test]
fn sockets_are_the_users_own_and_those_of_the_dead_are_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "");
    let mut fed = Fed::start(folder.path(), "ids");
    let (run, socket) = (folder.path().join("run"), fed.socket(folder.path()));
    let mode = |path: &Path| fs::symlink_metadata(path).expect("a file").permissions().mode() & 0o7777;
    assert_eq!((mode(&run), mode(&socket)), (0o700, 0o600));
    assert_eq!(fs::read_dir(&run).expect("the folder").count(), 1);
    // A crash leaves the socket, and so does one that came before; a file of somebody else is not ours to remove.
    fed.child.kill().and_then(|()| fed.child.wait()).expect("a kill");
    drop(UnixListener::bind(run.join("999999.sock")).expect("a socket"));
    fs::create_dir(run.join(".999999.new")).expect("a folder");
    fs::write(run.join("77.sock"), "no socket").expect("a file");
    assert!(fs::symlink_metadata(&socket).expect("the socket").file_type().is_socket());
    let told = tell(folder.path(), &["status"]);
    assert_eq!((told.code, told.out.as_str(), told.err.as_str()), (Some(0), "no query is running\n", ""));
    let left: Vec<_> =
        fs::read_dir(&run).expect("the folder").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left, ["77.sock"]);
}

#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "");
    let run = folder.path().join("run");
    fs::create_dir(&run).expect("a folder");
    for (mode, refused) in [(0o777, true), (0o770, true), (0o1777, true), (0o755, false), (0o700, false)] {
        fs::set_permissions(&run, fs::Permissions::from_mode(mode)).expect("a mode");
        let told = said(weir_in(folder.path(), &["run", "ids.toml"]).stdin(Stdio::null()).output().expect("weir"));
        fs::remove_file(folder.path().join("ids.jsonl")).expect("the output");
        // The query runs in any case.
        assert_eq!(told.code, Some(0), "{}", told.err);
        assert_eq!(told.err.contains("will not find this process"), refused, "{mode:o}: {}", told.err);
        assert_eq!(told.err.contains(&format!("can be written to by others (mode {mode:04o})")), refused);
        let told = tell(folder.path(), &["status"]);
        assert_eq!(told.code, Some(if refused { 1 } else { 0 }), "{mode:o}: {}", told.err);
        assert_eq!(fs::read_dir(&run).expect("the folder").count(), 0);
    }
    // A link leads wherever somebody wants it to.
    fs::rename(&run, folder.path().join("there")).expect("a folder");
    std::os::unix::fs::symlink("there", &run).expect("a link");
    let told = tell(folder.path(), &["status"]);
    assert_eq!(told.code, Some(1));
    assert!(told.err.contains("is no folder"), "{}", told.err);
}

#[test]
fn no_control_opens_no_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let mut command = weir_in(folder.path(), &["run", "--no-control", "ids.toml"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command");
    let mut stdin = child.stdin.take().expect("standard input");
    stdin.write_all(b"{\"id\":1}\n").expect("a record");
    let output = folder.path().join("ids-000001.jsonl");
    wait_until("the first file", LONG, || output.exists());
    assert!(!folder.path().join("run").exists());
    let told = tell(folder.path(), &["pause", "ids"]);
    assert_eq!((told.code, told.err.as_str()), (Some(1), "error: query `ids` is not running\n"));
    drop(stdin);
    let told = said(child.wait_with_output().expect("an end"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    assert!(!told.err.contains("will not find"), "{}", told.err);
}

#[test]
fn a_query_that_cannot_drain_is_not_waited_for_longer_and_a_second_signal_takes_the_socket_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "name = \"stuck\"\n[sources.seed]\nkind = \"generator\"\nbatches = 1000000000\n\
                [sinks.out]\nkind = \"stdout\"\nformat = \"json_lines\"\n";
    fs::write(folder.path().join("stuck.toml"), text).expect("the query file");
    // Nobody reads its standard output.
    let mut fed = Fed::start(folder.path(), "stuck");
    let told = tell(folder.path(), &["stop", "stuck", "--timeout-ms", "50"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.out.contains("was asked to stop, and is draining after 50 ms; "), "{}", told.out);
    // What was asked stands, and there is no way back.
    let told = tell(folder.path(), &["pause", "stuck"]);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""));
    assert!(told.err.contains("is to stop, and finishes what it has"), "{}", told.err);
    let socket = fed.socket(folder.path());
    // Clients that wait for its end and go away take nobody's room.
    for _ in 0..100 {
        let mut stream = UnixStream::connect(&socket).expect("a connection");
        let line = b"{\"weir\":1,\"ask\":\"stop\",\"query\":\"stuck\",\"tenant\":\"default\",\"wait_ms\":600000}\n";
        drop(stream.write_all(line));
    }
    wait_until("room for another client", LONG, || tell(folder.path(), &["status", "stuck"]).code == Some(0));
    let mut warnings = BufReader::new(fed.child.stderr.take().expect("standard error"));
    send(&fed.child, libc::SIGTERM);
    let mut line = String::new();
    warnings.read_line(&mut line).expect("a warning");
    assert!(line.contains("stopping: "), "{line}");
    send(&fed.child, libc::SIGTERM);
    assert_eq!(fed.end().code, Some(130));
    assert!(!socket.exists());
}
