//! The admin interface by TCP: who may steer, and who may not even read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use serde_json::Value;
use weir_tests::wait_for;

use crate::common::said;
use crate::control::{LONG, query, weir_in};
use crate::served::Served;

/// The status of an answer, and the code of its problem, or its state.
fn ask(served: &Served, request: &str, headers: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(served.address).expect("a connection");
    stream.set_read_timeout(Some(LONG)).expect("a time-out");
    write!(stream, "{request} HTTP/1.1\r\n{headers}\r\n").expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.contains("cache-control: no-store") && head.contains("x-content-type-options: nosniff"), "{head}");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let said = body["error"]["code"].as_str().or(body["progress"]["state"].as_str());
    (status, said.unwrap_or_default().to_owned())
}

const QUERY: &str = "/v1/tenants/demo/queries/ids";

#[test]
fn an_address_answers_reads_and_steers_only_where_that_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "commit_ms = 20");
    let served = Served::start(folder.path(), &["ids.toml"]);
    let running = (200, "running".to_owned());
    wait_for("the query", LONG, || {
        (ask(&served, &format!("GET {QUERY}"), "host: 127.0.0.1\r\n") == running).then_some(())
    });
    let read_only = (403, "read_only".to_owned());
    for (wish, tenant) in [("pause", "demo"), ("resume", "demo"), ("stop", "demo"), ("stop", "nobody")] {
        let request = format!("POST /v1/tenants/{tenant}/queries/ids/{wish}");
        assert_eq!(ask(&served, &request, "host: 127.0.0.1\r\n"), read_only, "{request}");
    }
    assert_eq!(ask(&served, &format!("GET {QUERY}"), "host: 127.0.0.1\r\n"), running);
    drop(served);

    let mut served = Served::start(folder.path(), &["--allow-steering", "ids.toml"]);
    served.feed("{\"id\":1}\n");
    let foreign = (403, "foreign_request".to_owned());
    let pause = format!("POST {QUERY}/pause");
    for headers in [
        // A page whose own name was made to point here, one that sends a form, and what is neither.
        "host: evil.example\r\n",
        "host: 127.0.0.1@evil.example\r\n",
        "host: 127.0.0.1.evil.example\r\n",
        "host: localhost.\r\n",
        "host: 127.0.0.1\r\norigin: http://evil.example\r\n",
        "host: 127.0.0.1\r\norigin: null\r\n",
        "host: 127.0.0.1\r\nhost: evil.example\r\n",
        "host: \r\n",
        "",
    ] {
        assert_eq!(ask(&served, &pause, headers), foreign, "{headers:?}");
        assert_eq!(
            ask(&served, &format!("GET {QUERY}"), headers) == foreign,
            !headers.contains("origin"),
            "{headers:?}"
        );
    }
    assert_eq!(ask(&served, &format!("POST http://evil.example{QUERY}/pause"), "host: 127.0.0.1\r\n"), foreign);
    // Scrapers and probes get the same answers as before, whatever `Host` they name.
    for path in ["/metrics", "/livez", "/readyz", "/healthz"] {
        assert_eq!(ask(&served, &format!("GET {path}"), "host: weir.example\r\n").0, 200, "{path}");
    }
    assert_eq!(ask(&served, &format!("GET {QUERY}"), "host: localhost:1\r\n"), running);
    for (wish, host, state) in
        [("pause", "127.0.0.1", "paused"), ("resume", "localhost:80", "running"), ("stop", "[::1]:9464", "draining")]
    {
        let told = ask(&served, &format!("POST {QUERY}/{wish}"), &format!("host: {host}\r\n"));
        assert_eq!(told, (200, state.to_owned()), "{wish}");
    }
    let status = wait_for("the end", LONG, || served.child.try_wait().expect("a child"));
    assert!(status.success(), "{status}");
}

#[test]
fn steering_needs_an_address() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "ids", "demo", "");
    let mut command = weir_in(folder.path(), &["run", "--allow-steering", "ids.toml"]);
    let told = said(command.stdin(Stdio::null()).output().expect("weir"));
    assert_eq!(told.code, Some(2));
    assert!(told.err.contains("--metrics-listen <ADDRESS:PORT>"), "{}", told.err);
}
