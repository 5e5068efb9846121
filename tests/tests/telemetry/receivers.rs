//! Receivers that are away, slow, busy, wrong or careful: no query is slowed, stopped or failed by any of them.

use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use weir_tests::{Export, Receiver, Weir};

use crate::support::{run, talker, weir, write};

/// Two hundred batches, each with a line in the log.
fn query(folder: &Path) {
    let says = "(drop (call $log (i32.const 3) (i32.const 0) (i32.const 6)))";
    write(folder, "guest.wasm", talker("(data (i32.const 0) \"a line\")", says));
    let lines: String = (0..200).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    write(folder, "in.jsonl", lines);
    write(
        folder,
        "q.toml",
        "name = \"talk\"\n\
         [sources.in]\nkind = \"file\"\npath = \"in.jsonl\"\nschema = { n = \"i64\" }\n\
         [[stages]]\nname = \"say\"\nmodule = \"guest.wasm\"\nfunction = \"f\"\n\
         [sinks.out]\nkind = \"count\"\n\
         [batching]\nrecords_max = 1\n",
    );
}

/// 200 batches make as many lines, and four spans each beside the commit's.
fn is_said_once_and_counted(told: &str) {
    for (things, signal, lost) in
        [("spans", "traces", "801"), ("log records", "logs", "200"), ("exports of metrics", "metrics", "1")]
    {
        let first = format!("{things} are lost (queries are not affected)");
        assert_eq!(told.matches(&first).count(), 1, "{first}: {told}");
        let last = format!("{things} lost on the way to the receiver of {signal} lost={lost}\n");
        assert_eq!(told.matches(&last).count(), 1, "{last}: {told}");
    }
}

#[test]
fn a_receiver_that_is_not_there_fails_nothing_and_is_said_once() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path());
    // Nobody listens where somebody has just stopped listening.
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let started = Instant::now();
    let weir = Weir::in_folder(folder.path()).env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{gone}"));
    is_said_once_and_counted(&run(weir, &["run", "q.toml"]).stderr());
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn a_receiver_that_never_answers_holds_the_end_up_for_a_moment_once() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path());
    // Connections are taken by the system, and by nobody else.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let once = || {
        let started = Instant::now();
        let weir = Weir::in_folder(folder.path())
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", silent.local_addr().expect("an address")))
            .env("OTEL_EXPORTER_OTLP_TIMEOUT", "3600000")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "10")
            .env("OTEL_BLRP_MAX_QUEUE_SIZE", "64")
            .env("OTEL_BSP_MAX_QUEUE_SIZE", "64");
        is_said_once_and_counted(&run(weir, &["run", "q.toml"]).stderr());
        started.elapsed()
    };
    // Three seconds, and not three for each signal. A busy machine may make a run longer, and not every one.
    assert!((0..5).any(|_| once() < Duration::from_secs(8)), "it waits for each signal by itself");
}

#[test]
fn refusals_and_garbage_are_losses() {
    for (answer, why) in [
        (
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "the receiver responded with 400",
        ),
        ("HTTP/1.1 500 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n\u{1b}[", "the receiver responded with 500"),
        (
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
            "302",
        ),
        ("\u{1b}[31m garbage\r\n\r\n", "are lost (queries are not affected): "),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        query(folder.path());
        let receiver = Receiver::answering(move |_| answer.to_owned());
        let told = run(weir(folder.path(), &receiver), &["run", "q.toml"]).stderr();
        is_said_once_and_counted(&told);
        assert!(told.contains(why) && !told.contains('\u{1b}'), "{told}");
    }
}

#[test]
fn what_a_receiver_leaves_out_of_what_it_takes_is_lost_and_said_without_its_control_characters() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path());
    let receiver = Receiver::answering(|path| {
        // Field 1 of the answer: field 1 of it is how many, field 2 is why.
        let refused = if path == "/v1/logs" { "\n\x09\x08\x07\x12\x05no\x1b[m" } else { "" };
        let length = refused.len();
        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{refused}")
    });
    let told = run(weir(folder.path(), &receiver), &["run", "q.toml"]).stderr();
    let first = "log records are lost (queries are not affected): the receiver accepted only a part: no\\u{1b}[m\n";
    assert!(told.contains(first) && !told.contains("spans are lost") && !told.contains('\u{1b}'), "{told}");
    let lost = 7 * receiver.requests().iter().filter(|request| request.head.contains("/v1/logs")).count();
    assert!(told.contains(&format!("the receiver of logs lost={lost}\n")), "{told}");
}

#[test]
fn a_busy_receiver_is_asked_again_when_it_says() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path());
    // Each signal's first request comes too early.
    let first = ["/v1/traces", "/v1/metrics", "/v1/logs"].map(|path| (path, AtomicUsize::new(0)));
    let receiver = Receiver::answering(move |path| {
        let asked = first.iter().find(|(of, _)| *of == path).map(|(_, asked)| asked.fetch_add(1, Ordering::Relaxed));
        let (status, more) = match (asked, path) {
            (Some(0), "/v1/traces") => ("429 Too Many Requests", "retry-after: 1\r\n"),
            (Some(0), _) => ("503 Service Unavailable", ""),
            _ => ("200 OK", ""),
        };
        format!("HTTP/1.1 {status}\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n")
    });
    let told = run(weir(folder.path(), &receiver), &["run", "q.toml"]).stderr();
    assert!(!told.contains("lost"), "{told}");
    let requests = receiver.requests();
    for path in ["/v1/traces", "/v1/metrics", "/v1/logs"] {
        let of = |status| {
            let mut found = requests.iter().filter(|request| request.head.contains(path) && request.status == status);
            found.next().map(|request| format!("{:?}", request.export))
        };
        let refused = if path == "/v1/traces" { of(429) } else { of(503) };
        assert!(refused.is_some() && refused == of(200), "{path}: the same again");
    }
}

#[test]
fn log_records_go_in_batches_of_the_size_that_is_asked_for() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    query(folder.path());
    let weir = weir(folder.path(), &receiver).env("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE", "30");
    let told = run(weir.env("OTEL_BLRP_SCHEDULE_DELAY", "3600000"), &["run", "q.toml"]).stderr();
    assert_eq!(receiver.logs().len(), 200, "{told}");
    let requests = receiver.requests();
    let sizes = requests.iter().filter_map(|request| match &request.export {
        Export::Logs(logs) => Some(logs.resource_logs[0].scope_logs[0].log_records.len()),
        _ => None,
    });
    assert!(sizes.into_iter().all(|size| size <= 30));
}

#[test]
fn bodies_are_packed_where_that_is_asked_for() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    query(folder.path());
    run(weir(folder.path(), &receiver).env("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"), &["run", "q.toml"]);
    let requests = receiver.requests();
    assert!(requests.iter().all(|request| request.head.to_ascii_lowercase().contains("content-encoding: gzip\r\n")));
    assert!(!receiver.spans().is_empty() && !receiver.logs().is_empty() && receiver.metrics().len() == 1);
}

#[test]
fn https_is_checked_by_the_certificates_that_are_named_and_by_no_other() {
    const AUTHORITY: &str = include_str!("certificates/authority.pem");
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path());
    write(folder.path(), "authority.pem", AUTHORITY);
    write(folder.path(), "nothing.pem", "no certificate");
    let receiver =
        || Receiver::start_tls(include_str!("certificates/localhost.pem"), include_str!("certificates/localhost.key"));
    let trusted = receiver();
    let with = |receiver: &Receiver, file: &str| {
        let weir = weir(folder.path(), receiver).env("OTEL_EXPORTER_OTLP_CERTIFICATE", file);
        run(weir, &["run", "q.toml"]).stderr()
    };
    let told = with(&trusted, "authority.pem");
    assert!(!trusted.spans().is_empty() && !trusted.logs().is_empty() && trusted.metrics().len() == 1, "{told}");
    // Without it nobody vouches for this receiver.
    let unknown = receiver();
    is_said_once_and_counted(&run(weir(folder.path(), &unknown), &["run", "q.toml"]).stderr());
    for (file, why) in [("nothing.pem", "it contains no certificate"), ("gone.pem", "No such file")] {
        let told = with(&unknown, file);
        for signal in ["traces", "metrics", "logs"] {
            let start = format!("{signal} are not exported: OTEL_EXPORTER_OTLP_CERTIFICATE is `{file}`: ");
            assert!(told.contains(&start) && told.contains(why), "{told}");
        }
    }
    assert!(unknown.requests().is_empty());
}

#[test]
fn what_is_not_spoken_is_said_with_its_variable_and_the_query_runs() {
    let (folder, receiver) = (tempfile::tempdir().expect("a folder"), Receiver::start());
    query(folder.path());
    let weir = weir(folder.path(), &receiver)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        .env("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd")
        .env("OTEL_METRICS_EXPORTER", "prometheus")
        .env("OTEL_EXPORTER_OTLP_CLIENT_KEY", "key.pem");
    let told = run(weir, &["run", "q.toml"]).stderr();
    for problem in [
        "unsupported value `grpc` for OTEL_EXPORTER_OTLP_PROTOCOL (expected `http/protobuf`); using `http/protobuf`",
        "unsupported value `zstd` for OTEL_EXPORTER_OTLP_COMPRESSION (expected `gzip` or `none`); using `none`",
        "unsupported value `prometheus` for OTEL_METRICS_EXPORTER (expected `otlp` or `none`); metrics are not exported",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY is not supported",
    ] {
        assert_eq!(told.matches(problem).count(), 1, "{problem}: {told}");
    }
    assert!(receiver.metrics().is_empty() && !receiver.spans().is_empty() && !receiver.logs().is_empty());
}
