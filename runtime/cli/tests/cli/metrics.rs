//! `weir run --metrics-listen`, scraped over TCP while queries work, and `weir top`.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use weir_tests::{echo_stage, guest_path, query_of_texts, wait_for, wait_until};

use crate::common::{ONE_PROCESS, run, said};
use crate::control::{LONG, weir_in};
use crate::lifecycle::send;
use crate::served::Served;
use weir_tests::Exposition;

/// Writes `<name>.toml`: JSON lines of `path` through a function that counts texts, with this limit of series.
fn texts(folder: &Path, name: &str, tenant: &str, path: &str, series_max: usize) {
    let stage = format!("{}[stages.limits]\nseries_max = {series_max}", echo_stage("seen", "seen"));
    let text = query_of_texts(name, tenant, path, &stage, "");
    fs::write(folder.join(format!("{name}.toml")), text).expect("the query file");
}

/// Writes `<name>.toml`: many batches through a function that never comes back from one record of each.
fn runaway(folder: &Path, name: &str, tenant: &str) {
    let module = guest_path("faulty").expect("the faulty guest");
    let text = format!(
        r#"name = "{name}"
tenant = "{tenant}"
[sources.seed]
kind = "generator"
batches = 1000000
[[stages]]
name = "stage"
module = {module:?}
function = "loops"
on_error = "skip"
params = {{ at = 7 }}
limits = {{ deadline_ms_max = 400 }}
[sinks.out]
kind = "count"
"#
    );
    fs::write(folder.join(format!("{name}.toml")), text).expect("the query file");
}

const HOSTILE: [&str; 4] = ["\"} 9", "\n# a", "\\\\\n\"", "{,=}"];

#[test]
fn two_tenants_with_the_same_metrics_are_told_apart_whatever_they_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines: String = HOSTILE
        .iter()
        .enumerate()
        .map(|(index, text)| format!("{}\n", serde_json::json!({ "s": text, "i32": index, "i8": 10 * index })))
        .collect();
    fs::write(folder.path().join("texts.jsonl"), &lines).expect("the input");
    texts(folder.path(), "first", "acme", "/dev/stdin", 100);
    texts(folder.path(), "second", "beta", "texts.jsonl", 2);
    // Of one name, too.
    let text = fs::read_to_string(folder.path().join("second.toml")).expect("the query file");
    fs::write(folder.path().join("second.toml"), text.replace("\"second\"", "\"first\"")).expect("the query file");
    let mut served = Served::start(folder.path(), &[ONE_PROCESS, "first.toml", "second.toml"]);
    assert_eq!((served.get("/livez"), served.get("/healthz")), ("ok\n".to_owned(), "ok\n".to_owned()));
    wait_until("it is ready", LONG, || served.ask("/readyz") == ("200".to_owned(), "ok\n".to_owned()));
    let first = [("tenant", "acme"), ("query", "first")];
    let second = [("tenant", "beta"), ("query", "first")];
    served.feed(&lines);
    // One has ended and is still told of; the other waits for more.
    let read = wait_for("both to commit", LONG, || {
        let read = served.scrape();
        let committed = |of: &[_]| read.value("weir_query_committed_records_total", of) == Some(4.0);
        (committed(&first) && committed(&second)).then_some(read)
    });
    for (index, text) in HOSTILE.iter().enumerate() {
        let rest = (index % 3).to_string();
        let labels = [first.as_slice(), &[("stage", "seen"), ("text", text), ("rest", &rest)]].concat();
        assert_eq!(read.value("weir_guest_by_text_total", &labels), Some(1.0), "{text:?}");
    }
    // Two of the second's four found no room for series of their own.
    let of_second = |more: &[(&'static str, &'static str)]| [second.as_slice(), more].concat();
    assert_eq!(read.value("weir_guest_by_text_total", &of_second(&[("overflow", "true")])), Some(2.0));
    let swallowed = of_second(&[("metric", "by_text")]);
    assert_eq!(read.value("weir_stage_metric_overflow_values_total", &swallowed), Some(2.0));
    assert_eq!(read.types["weir_guest_by_text_total"], "counter");
    assert_eq!(read.types["weir_guest_small"], "histogram");
    for of in [first, second] {
        assert_eq!(read.value("weir_guest_rows_total", &of), Some(4.0));
        assert_eq!(read.value("weir_guest_last_value", &of), Some(3.0));
        assert_eq!(read.value("weir_guest_small_sum", &of), Some(60.0));
        assert_eq!(read.value("weir_guest_small_bucket", &[of.as_slice(), &[("le", "0")]].concat()), Some(1.0));
        assert_eq!(read.value("weir_stage_records_in_total", &of), Some(4.0));
        assert_eq!(read.value("weir_sink_records_total", &of), Some(4.0));
        let calls = read.value("weir_stage_calls_total", &of);
        assert_eq!(read.value("weir_stage_call_duration_seconds_count", &of), calls);
        let commits = read.value("weir_query_commits_total", &of);
        assert_eq!(read.value("weir_query_commit_duration_seconds_count", &of), commits);
        assert!(read.value("weir_sink_write_duration_seconds_count", &of) >= Some(1.0));
    }
    let state = |of: &[_], state| read.value("weir_query_state", &[of, &[("state", state)]].concat());
    assert_eq!((state(&first, "running"), state(&first, "ended")), (Some(1.0), Some(0.0)));
}

#[test]
fn it_answers_while_guests_hold_every_core_and_counters_never_fall() {
    let folder = tempfile::tempdir().expect("a folder");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let names: Vec<_> = (0..2 * cores).map(|index| format!("q{index}")).collect();
    names.iter().for_each(|name| runaway(folder.path(), name, &format!("t{name}")));
    let files: Vec<_> = names.iter().map(|name| format!("{name}.toml")).collect();
    let files: Vec<&str> = std::iter::once(ONE_PROCESS).chain(files.iter().map(String::as_str)).collect();
    let served = Served::start(folder.path(), &files);
    let traps = |read: &Exposition| -> Vec<f64> {
        let of = |name: &String| read.value("weir_stage_traps_total", &[("query", name.as_str())]).unwrap_or(0.0);
        names.iter().map(of).collect()
    };
    wait_for("every guest to be ended once", LONG, || {
        traps(&served.scrape()).iter().all(|&traps| traps > 0.0).then_some(())
    });
    let mut before: Option<Exposition> = None;
    for _ in 0..10 {
        let read = served.scrape();
        // A guest has 0.4 s of CPU time. On every core five of them come to their end in two seconds of work, however long
        // these are on the clock.
        let ended = before
            .as_ref()
            .map_or(0.0, |before| traps(&read).iter().zip(traps(before)).map(|(now, then)| now - then).sum());
        assert!(ended <= 5.0 * cores as f64, "{ended} guests were ended before it answered");
        for sample in before.iter().flat_map(|before| &before.samples) {
            let of = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>();
            if sample.name.ends_with("_total") {
                assert!(read.value(&sample.name, &of) >= Some(sample.value), "{sample:?} fell");
            }
        }
        before = Some(read);
        std::thread::sleep(Duration::from_millis(50));
    }
    let read = before.expect("a scrape");
    for name in &names {
        let of = [("query", name.as_str())];
        let codes: f64 = (read.samples.iter())
            .filter(|sample| sample.name == "weir_stage_traps_by_code_total" && sample.labels["query"] == *name)
            .map(|sample| sample.value)
            .sum();
        assert_eq!(Some(codes), read.value("weir_stage_traps_total", &of));
    }
}

#[test]
fn nearly_every_batch_is_written_to_in_place_and_the_counter_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = guest_path("seed").expect("the seed guest");
    let text = format!(
        "name = \"passed\"\n[sources.seed]\nkind = \"generator\"\nbatches = 300\n\
         [[stages]]\nname = \"pass\"\nmodule = {module:?}\nfunction = \"pass\"\n[sinks.out]\nkind = \"count\"\n"
    );
    fs::write(folder.path().join("passed.toml"), text).expect("the query file");
    // It keeps the endpoint there, and is not written to.
    texts(folder.path(), "silent", "acme", "/dev/stdin", 2);
    // Nobody listens there; what batches are written to is the context that receivers would know them by.
    let traced = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")];
    let served =
        Served::start_with(folder.path(), &[ONE_PROCESS, "passed.toml", "silent.toml"], &traced, Stdio::null());
    let passed = [("query", "passed")];
    let read = wait_for("all batches", LONG, || {
        let read = served.scrape();
        (read.value("weir_query_committed_records_total", &passed) == Some(300_000.0)).then_some(read)
    });
    let written = |query, cost| {
        read.value("weir_query_copy_on_write_total", &[("query", query), ("cost", cost)]).expect("a sample")
    };
    let (free, copied) = (written("passed", "free"), written("passed", "copied"));
    assert_eq!(free + copied, 300.0);
    assert!(free > 0.95 * 300.0, "{free} free, {copied} copied");
    assert_eq!((written("silent", "free"), written("silent", "copied")), (0.0, 0.0));
    assert_eq!(read.value("weir_query_traced_batches_total", &[passed[0], ("sampled", "true")]), Some(300.0));
}

#[test]
fn a_query_that_fails_is_seen_by_whoever_asks_and_the_others_stay_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    texts(folder.path(), "first", "acme", "/dev/stdin", 100);
    runaway(folder.path(), "bad", "beta");
    let text = fs::read_to_string(folder.path().join("bad.toml")).expect("the query file");
    fs::write(folder.path().join("bad.toml"), text.replace("\"skip\"", "\"fail\"")).expect("the query file");
    let served = Served::start(folder.path(), &[ONE_PROCESS, "first.toml", "bad.toml"]);
    let failed = ("503".to_owned(), "not ok\nacme/first running\nbeta/bad failed\n".to_owned());
    wait_until("the failure is seen", LONG, || served.ask("/healthz") == failed);
    assert_eq!((served.get("/livez"), served.get("/readyz")), ("ok\n".to_owned(), "ok\n".to_owned()));
    let read = served.scrape();
    let of = [("tenant", "beta"), ("query", "bad")];
    assert_eq!(read.value("weir_query_state", &[of[0], of[1], ("state", "failed")]), Some(1.0));
    assert_eq!(read.value("weir_query_state", &[of[0], of[1], ("state", "ended")]), Some(0.0));
}

#[test]
fn an_address_that_cannot_be_had_is_an_error_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("texts.jsonl"), "{\"i8\":1}\n").expect("the input");
    texts(folder.path(), "q", "acme", "texts.jsonl", 2);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let told = run(folder.path(), &["run", "--metrics-listen", &address, "q.toml"]);
    assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{}", told.err);
    assert!(told.err.contains(&format!("error: cannot serve metrics at {address}: ")), "{}", told.err);
    // By the environment, too; and what is no address is wrong.
    for (address, code) in [(address.as_str(), 2), ("nowhere", 2), ("127.0.0.1:0", 0)] {
        let mut command = weir_in(folder.path(), &["run", "q.toml"]);
        let told = said(command.env("WEIR_METRICS_LISTEN", address).stdin(Stdio::null()).output().expect("weir"));
        assert_eq!(told.code, Some(code), "{address}: {}", told.err);
        assert_eq!(told.err.contains("metrics at http://127.0.0.1:"), code == 0, "{}", told.err);
    }
}

#[test]
fn top_shows_the_same_by_the_endpoint_and_by_the_control_socket() {
    let folder = tempfile::tempdir().expect("a folder");
    texts(folder.path(), "q", "acme", "/dev/stdin", 2);
    let mut served = Served::start(folder.path(), &["q.toml"]);
    let lines = "{\"i8\":1}\n".repeat(1234);
    served.feed(&lines);
    let of = [("tenant", "acme"), ("query", "q")];
    wait_for("the commit", LONG, || {
        (served.scrape().value("weir_query_committed_records_total", &of) == Some(1234.0)).then_some(())
    });
    let url = format!("http://{}", served.address);
    let tell = |args: &[&str]| {
        let told = said(weir_in(folder.path(), args).output().expect("weir"));
        assert_eq!(told.code, Some(0), "{}", told.err);
        told.out
    };
    let expected = expect_test::expect![[r#"
        NAME STATE IN OUT OUT/s BUSY ERRORS TRAPS LAG DONE LEFT
        acme/q (PLACE) running 1,234 1,234 - 0 0 - - -
        source in 1,234 - 0 - -
        stage seen 1,234 1,234 - - 0 0
        sink out 1,234 -"#]];
    let steady = |text: String, place: &str| {
        let lines =
            text.lines().map(|line| line.replace(place, "PLACE").split_whitespace().collect::<Vec<_>>().join(" "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let by_endpoint = tell(&["top", "--once", "--endpoint", &url]);
    expected.assert_eq(&steady(by_endpoint, &served.address.to_string()));
    let by_socket = tell(&["top", "--once"]);
    expected.assert_eq(&steady(by_socket, &format!("pid {}", served.child.id())));
    let json: serde_json::Value = serde_json::from_str(&tell(&["--json", "top", "--once"])).expect("JSON");
    assert_eq!((&json["query"], &json["parts"][1]["records_in"]), (&"q".into(), &1234.into()));
    // Neither a terminal to draw on nor an endpoint: both are reported.
    let told = said(weir_in(folder.path(), &["top"]).stdin(Stdio::null()).output().expect("weir"));
    assert_eq!(told.code, Some(2), "{}", told.err);
    send(&served.child, libc::SIGTERM);
    served.child.wait().expect("an end");
    let told = said(weir_in(folder.path(), &["top", "--once", "--endpoint", &url]).output().expect("weir"));
    assert_eq!((told.code, told.err.contains("error: 127.0.0.1:")), (Some(1), true), "{}", told.err);
    assert_eq!(tell(&["top", "--once"]), "no query is running\n");
}

#[test]
fn top_shows_how_much_of_an_input_of_known_size_was_read_and_how_long_the_rest_takes() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        "name = \"long\"\n[sources.seed]\nkind = \"generator\"\nbatches = 100000000\n[sinks.out]\nkind = \"count\"\n";
    fs::write(folder.path().join("long.toml"), text).expect("the query file");
    let served = Served::start(folder.path(), &["long.toml"]);
    let url = format!("http://{}", served.address);
    for args in [&["--json", "top", "--once"][..], &["--json", "top", "--once", "--endpoint", &url]] {
        wait_for("a pace", LONG, || {
            let told = said(weir_in(folder.path(), args).output().expect("weir"));
            let query: serde_json::Value = serde_json::from_str(&told.out).ok()?;
            assert_eq!((&query["percent"], &query["parts"][0]["percent"]), (&0.into(), &0.into()), "{query}");
            query["seconds_left"].as_u64().filter(|&left| left > 0)
        });
    }
    let told = said(weir_in(folder.path(), &["top", "--once"]).output().expect("weir"));
    let rows: Vec<Vec<&str>> = told.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][rows[0].len() - 2..], ["DONE", "LEFT"]);
    let last = *rows[1].last().expect("a cell");
    assert!(rows[1].contains(&"0%") && ["s", "min", "d"].contains(&last), "{}", told.out);
    // And in `status`.
    let told = said(weir_in(folder.path(), &["--json", "status"]).output().expect("weir"));
    let report: serde_json::Value = serde_json::from_str(&told.out).expect("JSON");
    assert!(report["percent"] == 0 && report["seconds_left"].is_u64(), "{report}");
}

#[test]
fn top_draws_on_a_narrow_terminal_and_is_left_while_an_endpoint_hangs() {
    let folder = tempfile::tempdir().expect("a folder");
    texts(folder.path(), "q", "acme", "/dev/stdin", 2);
    let mut served = Served::start(folder.path(), &["q.toml"]);
    served.feed(&"{\"i8\":1}\n".repeat(1234));
    // It takes connections, and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent = silent.local_addr().expect("an address");
    let weir = env!("CARGO_BIN_EXE_weir");
    let left_after = |endpoint, drawn: &str| {
        let mut command = std::process::Command::new("script");
        let top = format!("stty cols 40 rows 12; exec {weir} top --endpoint http://{endpoint}");
        let command = command.args(["-q", "-e", "-f", "-c", &top, "screen"]).current_dir(folder.path());
        // A test has no terminal itself, and the command may say so.
        let command = command.env("TERM", "xterm").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut script = command.spawn().expect("script, of util-linux");
        wait_for("a frame", LONG, || {
            let drawn_so_far = fs::read(folder.path().join("screen")).unwrap_or_default();
            String::from_utf8_lossy(&drawn_so_far).contains(drawn).then_some(())
        });
        let asked = Instant::now();
        script.stdin.take().expect("standard input").write_all(b"q").expect("a key");
        let status = wait_for("its end", LONG, || script.try_wait().expect("a child"));
        assert!(status.success(), "{status}");
        asked.elapsed()
    };
    for (endpoint, drawn) in [(served.address, "acme/q"), (silent, "no answer yet")] {
        // An endpoint has five seconds to answer. A busy machine may take as long, and not every time.
        let quick = (0..5).any(|_| left_after(endpoint, drawn) < Duration::from_secs(4));
        assert!(quick, "it waits for the answer of {endpoint}");
    }
}
