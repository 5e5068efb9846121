//! The admin interface of a process without queries, over TCP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::expect;
use weir_admin::{Admin, Door, bind};
use weir_tests::Exposition;

/// What answers, as long as it lives, and where.
struct Endpoint {
    admin: Admin,
    address: SocketAddr,
}

fn open() -> Endpoint {
    let (listener, address) = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
    let admin = Admin::open(Arc::default(), vec![Door::Tcp { listener, steering: false }]).expect("a thread");
    Endpoint { admin, address }
}

/// What comes back for this, until the endpoint closes the connection.
fn say(endpoint: &Endpoint, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(endpoint.address).expect("a connection");
    // It may have heard enough before the end.
    drop(stream.write_all(request));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[test]
fn metrics_and_health_are_answered_and_nothing_else() {
    let endpoint = open();
    let answer = say(&endpoint, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    let length = format!("content-length: {}", body.len());
    let steady: Vec<_> = head
        .lines()
        .filter(|line| !line.starts_with("date:"))
        .map(|line| line.replace(&length, "content-length: N"))
        .collect();
    expect![[r#"
        HTTP/1.1 200 OK
        content-type: text/plain; version=0.0.4; charset=utf-8
        cache-control: no-store
        x-content-type-options: nosniff
        connection: close
        content-length: N"#]]
    .assert_eq(&steady.join("\n"));
    let read = Exposition::parse(body).expect("a text of the format");
    assert_eq!(read.value("weir_build_info", &[]), Some(1.0));
    assert!(say(&endpoint, b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n").ends_with("\r\n\r\nok\n"));
    let ready = say(&endpoint, b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(status(&ready) == "503" && ready.ends_with("\r\n\r\nnot ok\n"), "{ready}");
    assert!(say(&endpoint, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").ends_with("\r\n\r\nok\n"));
    let head = say(&endpoint, b"HEAD /metrics HTTP/1.1\r\nhost: x\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    for (request, expected) in [("GET /", "404"), ("GET /metrics/x", "404"), ("POST /metrics", "405")] {
        let answer = say(&endpoint, format!("{request} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
        assert_eq!(status(&answer), expected, "{request}");
        assert_eq!(answer.contains("allow: GET, HEAD\r\n"), expected == "405", "{answer}");
    }
    assert_eq!(status(&say(&endpoint, b"GET /metrics?x=1 HTTP/1.1\r\nhost: x\r\n\r\n")), "200");
}

#[test]
fn garbage_and_long_heads_are_refused() {
    let endpoint = open();
    assert_eq!(status(&say(&endpoint, b"\0\xff garbage\r\n\r\n")), "400");
    let long = format!("GET /metrics HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(16 * 1024));
    assert_eq!(status(&say(&endpoint, long.as_bytes())), "431");
    let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(64 + 1));
    assert_eq!(status(&say(&endpoint, many.as_bytes())), "431");
    assert_eq!(status(&say(&endpoint, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")), "200");
}

#[test]
fn silent_clients_keep_others_waiting_for_a_moment_only() {
    let endpoint = open();
    let silent: Vec<_> = (0..32)
        .map(|_| {
            let mut stream = TcpStream::connect(endpoint.address).expect("a connection");
            stream.write_all(b"GET /me").expect("half a request");
            stream
        })
        .collect();
    let started = Instant::now();
    assert_eq!(status(&say(&endpoint, b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n")), "200");
    assert!(started.elapsed() > Duration::from_secs(5) / 2, "it did not wait: is there more room than is said?");
    assert!(started.elapsed() < Duration::from_secs(5) * 4, "{:?}", started.elapsed());
    drop(silent);
}

#[test]
fn an_address_in_use_is_said_and_a_dropped_endpoint_leaves_its_own() {
    let endpoint = open();
    let address = endpoint.address;
    let error = bind(address).expect_err("the address is in use");
    assert!(error.to_string().starts_with(&format!("cannot serve metrics at {address}: ")), "{error}");
    drop(endpoint.admin);
    bind(address).expect("the address is free again");
}
