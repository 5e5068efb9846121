//! The control socket: who may reach it, what is left of it, and what clients cannot do to it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use weir_tests::wait_until;

use crate::common::said;
use crate::control::{Fed, LONG, query, tell, weir_in};
use crate::lifecycle::send;

/// What comes back for these bytes.
fn say(socket: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(socket).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a time-out");
    // A process that has heard enough does not listen to the rest.
    drop(stream.write_all(bytes));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

/// The status of an answer, and its body.
fn answered(answer: &str) -> (u16, Value) {
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn ask(socket: &Path, request: &str, body: &[u8]) -> (u16, Value) {
    let head = format!("{request} HTTP/1.1\r\nhost: weir\r\ncontent-length: {}\r\n\r\n", body.len());
    answered(&say(socket, &[head.as_bytes(), body].concat()))
}

/// The status and code of a refusal; each has a message.
fn code(socket: &Path, request: &str, body: &[u8]) -> (u16, String) {
    let (status, answer) = ask(socket, request, body);
    if status == 0 {
        return (0, String::new());
    }
    let error = &answer["error"];
    assert!(
        error["message"].as_str().is_some_and(|message| !message.is_empty()) && error["remedy"].is_string(),
        "{answer}"
    );
    (status, error["code"].as_str().expect("a code").to_owned())
}

const STOP: &str = "POST /v1/tenants/demo/queries/ids/stop";

#[test]
fn garbage_half_requests_and_silence_hurt_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let mut fed = Fed::start(folder.path(), "ids");
    let socket = fed.socket(folder.path());
    for garbage in
        [&b"garbage\r\n\r\n"[..], b"\0\xff\xfe\r\n\r\n", b"[[[[\n\n", b"null\n\n", b"GET /v1/queries\r\n\r\n"]
    {
        assert_eq!(answered(&say(&socket, garbage)).0, 400, "{garbage:?}");
    }
    let malformed = (400, "malformed".to_owned());
    for garbage in
        [&b"garbage"[..], b"\0\xff\xfe", b"[[[[", b"null", b"7", b"{", br#"{"wait_ms":600001}"#, br#"{"wait_ms":-1}"#]
    {
        assert_eq!(code(&socket, STOP, garbage), malformed, "{garbage:?}");
    }
    for body in [br#"{"wait_ms":1,"x":1}"#.to_vec(), b"[".repeat(60_000), br#"{"a":"#.repeat(10_000)] {
        assert_eq!(code(&socket, STOP, &body), malformed);
    }
    assert_eq!(code(&socket, "POST /v1/tenants/other/queries/ids/stop", b""), (404, "unknown_query".to_owned()));
    // Where the body is too long the rest of it may not be read, and the answer may be lost with it; not more.
    let too_long = [(413, "request_too_long".to_owned()), (0, String::new())];
    assert!(too_long.contains(&code(&socket, STOP, &vec![b' '; 10_000_000])));
    let endless = "{STOP} HTTP/1.1\r\nhost: weir\r\ntransfer-encoding: chunked\r\n\r\n".replace("{STOP}", STOP);
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let (status, answer) = answered(&say(&socket, (endless + &chunk.repeat(20)).as_bytes()));
    assert!(too_long.contains(&(status, answer["error"]["code"].as_str().unwrap_or_default().to_owned())), "{answer}");
    // A client that has said half a request goes away; others say nothing, or nothing to the end, as many as there may be.
    UnixStream::connect(&socket).and_then(|mut half| half.write_all(b"GET /v1")).expect("half a line");
    // The half client may take a moment to be gone, and room that it leaves is taken by one more.
    let mut silent: Vec<_> = (0..15).map(|_| UnixStream::connect(&socket).expect("a connection")).collect();
    silent[0].write_all(b"GET /v1").expect("half a line");
    wait_until("a client too many", LONG, || {
        let told = tell(folder.path(), &["status"]);
        let refused = told.err.contains(": this process already serves 16 clients");
        assert_eq!(told.code, Some(if refused { 1 } else { 0 }), "{}", told.err);
        if !refused {
            silent.push(UnixStream::connect(&socket).expect("a connection"));
        }
        refused
    });
    assert_eq!(code(&socket, "GET /v1/queries", b""), (503, "busy".to_owned()));
    drop(silent);
    // And the query has gone on all the while.
    fed.feed(0..10);
    wait_until("the records", LONG, || {
        let (_, answer) = ask(&socket, "GET /v1/queries", b"");
        answer["queries"][0]["progress"]["committed_records"] == 10
    });
    assert_eq!(tell(folder.path(), &["stop", "ids"]).code, Some(0));
    assert_eq!(fed.end().code, Some(0));
}

#[test]
fn paths_methods_and_names_are_read_strictly() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let fed = Fed::start(folder.path(), "ids");
    let socket = fed.socket(folder.path());
    let told = |request: &str| ask(&socket, request, b"");
    for path in ["/v1/tenants/demo/queries/ids", "/v1/tenants/%64emo/queries/%69%64%73"] {
        let (status, report) = told(&format!("GET {path}"));
        assert_eq!((status, &report["query"], &report["running"]), (200, &"ids".into(), &true.into()), "{report}");
    }
    // The same fields as `weir status --json`.
    let (_, report) = told("GET /v1/tenants/demo/queries/ids");
    let by_status: Value = serde_json::from_str(&tell(folder.path(), &["--json", "status", "ids"]).out).expect("JSON");
    let fields = |report: &Value| report.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&report), fields(&by_status));
    // The answer does not show whether another tenant exists.
    assert_eq!(told("GET /v1/tenants/demo/queries").1["queries"].as_array().map(Vec::len), Some(1));
    for tenant in ["other", "demo%2Fqueries%2Fids", "..", "demo%00", "%2e%2e"] {
        let (status, answer) = told(&format!("GET /v1/tenants/{tenant}/queries"));
        assert_eq!((status, answer.to_string().as_str()), (200, r#"{"queries":[],"workers":null}"#), "{tenant}");
        assert_eq!(
            code(&socket, &format!("GET /v1/tenants/{tenant}/queries/ids"), b""),
            (404, "unknown_query".to_owned())
        );
    }
    for odd in ["demo%", "demo%2", "demo%zz", "%ff", "%c3%28", "%+1"] {
        assert_eq!(
            code(&socket, &format!("GET /v1/tenants/{odd}/queries"), b""),
            (400, "malformed".to_owned()),
            "{odd}"
        );
    }
    assert_eq!(code(&socket, "GET /v1/queries?tenant=demo", b""), (400, "malformed".to_owned()));
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/queries/",
        "//v1/queries",
        "/v2/queries",
        "/V1/queries",
        "/v1/%71ueries",
        "/v1/tenants",
        "/v1/tenants/other/../demo/queries",
        "/v1/tenants/demo/queries/ids/fly",
        "/v1/tenants/demo/queries/ids/stop/now",
    ] {
        assert_eq!(code(&socket, &format!("GET {path}"), b""), (404, "unknown_path".to_owned()), "{path}");
    }
    let refused = (405, "method_not_allowed".to_owned());
    for request in [
        "POST /v1/queries",
        "DELETE /v1/tenants/demo/queries/ids",
        "GET /v1/tenants/demo/queries/ids/stop",
        "PUT /v1/tenants/demo/queries/ids/stop",
        "POST /metrics",
        "FLY /livez",
    ] {
        assert_eq!(code(&socket, request, b""), refused, "{request}");
    }
    let answer = say(&socket, b"GET /v1/tenants/demo/queries/ids/stop HTTP/1.1\r\nhost: weir\r\n\r\n");
    assert!(answer.contains("allow: POST\r\n") && answer.contains("content-type: application/json\r\n"), "{answer}");
    let answer = say(&socket, b"HEAD /v1/queries HTTP/1.1\r\nhost: weir\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"), "{answer}");
    crate::workers::until("it is ready", || {
        say(&socket, b"GET /readyz HTTP/1.1\r\nhost: weir\r\n\r\n").starts_with("HTTP/1.1 200 ")
    });
    for path in ["/metrics", "/livez", "/readyz", "/healthz"] {
        assert_eq!(told(&format!("GET {path}")).0, 200, "{path}");
    }
    // And steered as by the commands.
    let paused = ask(&socket, "POST /v1/tenants/demo/queries/ids/pause", br#"{"wait_ms":60000}"#).1;
    assert_eq!((&paused["done"], &paused["progress"]["state"]), (&true.into(), &"paused".into()), "{paused}");
    assert_eq!(ask(&socket, "POST /v1/tenants/demo/queries/ids/resume", b"").1["done"], true);
    assert_eq!(ask(&socket, STOP, br#"{"wait_ms":60000}"#).0, 200);
    assert_eq!(fed.end().code, Some(0));
}

#[test]
fn older_and_newer_versions_tell_each_other_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let fed = Fed::start(folder.path(), "ids");
    let socket = fed.socket(folder.path());
    // An older command sends a line, and prints the message of the line that it gets.
    for line in [r#"{"weir":1,"ask":"status"}"#, r#"{"weir":7,"ask":"status"}"#, r#"{"weir":1,"ask":"fly"}"#, "{}", "{"]
    {
        let answer = say(&socket, format!("{line}\n").as_bytes());
        assert_eq!(answer.lines().count(), 1, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!((&answer["weir"], &answer["error"]["code"]), (&1.into(), &"version".into()), "{answer}");
        let message = answer["error"]["message"].as_str().expect("a message");
        assert!(message.contains("runs a newer version of weir"), "{message}");
    }
    assert_eq!(tell(folder.path(), &["stop", "ids"]).code, Some(0));
    assert_eq!(fed.end().code, Some(0));
    // An older process answers a line to whatever is no line of its own.
    let older = UnixListener::bind(folder.path().join("run/1.sock")).expect("a socket");
    let answers = std::thread::spawn(move || {
        let (mut client, _) = older.accept().expect("a client");
        let mut line = String::new();
        BufReader::new(client.try_clone().expect("a stream")).read_line(&mut line).expect("a line");
        client
            .write_all(b"{\"weir\":1,\"error\":{\"code\":\"malformed\",\"message\":\"no request\"}}\n")
            .expect("an answer");
        line
    });
    let told = tell(folder.path(), &["status"]);
    assert_eq!(told.code, Some(1));
    assert!(
        told.err.starts_with("error: process 1: it does not speak HTTP; if it is an older version"),
        "{}",
        told.err
    );
    assert_eq!(answers.join().expect("the older process"), "GET /v1/queries HTTP/1.1\r\n");
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
        assert_eq!(told.err.contains(&format!("is writable by others (mode {mode:04o})")), refused);
        let told = tell(folder.path(), &["status"]);
        assert_eq!(told.code, Some(if refused { 1 } else { 0 }), "{mode:o}: {}", told.err);
        assert_eq!(fs::read_dir(&run).expect("the folder").count(), 0);
    }
    // A link leads wherever somebody wants it to.
    fs::rename(&run, folder.path().join("there")).expect("a folder");
    std::os::unix::fs::symlink("there", &run).expect("a link");
    let told = tell(folder.path(), &["status"]);
    assert_eq!(told.code, Some(1));
    assert!(told.err.contains("is not a folder"), "{}", told.err);
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
    assert!(told.out.contains("was asked to stop and is still draining after 50 ms; "), "{}", told.out);
    // What was asked stands, and there is no way back.
    let told = tell(folder.path(), &["pause", "stuck"]);
    assert_eq!((told.code, told.out.as_str()), (Some(1), ""));
    assert!(told.err.contains("is stopping and finishes the records that it has read"), "{}", told.err);
    let socket = fed.socket(folder.path());
    // Clients that wait for its end and go away take nobody's room.
    for _ in 0..100 {
        let mut stream = UnixStream::connect(&socket).expect("a connection");
        let request =
            b"POST /v1/tenants/default/queries/stuck/stop HTTP/1.1\r\nhost: weir\r\ncontent-length: 18\r\n\r\n\
            {\"wait_ms\":600000}";
        drop(stream.write_all(request));
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
