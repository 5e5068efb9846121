//! Variables of the environment in query files, and values that nobody is to see.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use expect_test::expect;
use weir_tests::wait_for;

use crate::common::{said, weir};
use crate::control::{LONG, tell, weir_in};
use crate::served::Served;

/// Its values begin with this.
const MARKER: &str = "mArKeR";

#[test]
fn every_string_but_names_and_code_may_come_from_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), "id\n1\n").unwrap();
    fs::write(folder.path().join("more.csv"), "id\n2\nno\n").unwrap();
    let text = r#"
name = "copy"
[sources.in]
kind = { env = "KIND" }
paths = ["in.csv", { env = "MORE" }]
format = { env = "FORMAT" }
schema = { id = { env = "TYPE" } }
on_error = { env = "ON_ERROR" }
[sinks.out]
kind = { env = "KIND" }
path = { env = "OUT" }
format = { env = "FORMAT" }
delimiter = { env = "DELIMITER" }
nulls = [{ env = "NULL" }]
input = { env = "INPUT" }
[delivery]
guarantee = { env = "ONCE" }
state = { env = "STATE" }
[dead_letters]
path = { env = "DEAD" }
"#;
    fs::write(folder.path().join("copy.toml"), text).unwrap();
    let set = [
        ("KIND", "file"),
        ("MORE", "more.csv"),
        ("FORMAT", "csv"),
        ("TYPE", "i64?"),
        ("ON_ERROR", "dead_letter"),
        ("OUT", "out/a.csv"),
        ("DELIMITER", ";"),
        ("NULL", "-"),
        ("INPUT", "in"),
        ("ONCE", "exactly_once"),
        ("STATE", "state"),
        ("DEAD", "dead.jsonl"),
    ];
    let said = said(weir(folder.path(), &["run", "copy.toml"]).envs(set).output().unwrap());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(fs::read_to_string(folder.path().join("out/a-000001.csv")).unwrap(), "id\n1\n2\n");
    assert!(folder.path().join("state/manifest").exists());
    assert_eq!(fs::read_to_string(folder.path().join("dead.jsonl")).unwrap().lines().count(), 1);
}

#[test]
fn hostile_values_are_refused_with_their_lines_or_escaped() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("in.csv"), "id\n1\n").unwrap();
    let text = "name = \"copy\"\n[sources.in]\nkind = \"file\"\npath = { env = \"HOSTILE\" }\nschema = { id = \"i64\" }\n\
                [sinks.out]\nkind = \"count\"\n";
    fs::write(folder.path().join("copy.toml"), text).unwrap();
    let mut all = String::new();
    for value in [
        OsString::from("in.csv\n"),
        "\u{1b}[31mred".into(),
        "".into(),
        "no-such.csv".into(),
        "a\u{202e}b.csv".into(),
        "x".repeat(100_000).into(),
        "y".repeat(60_000).into(),
        OsString::from_vec(vec![0xff, 0xfe]),
    ] {
        let said = said(weir(folder.path(), &["check", "copy.toml"]).env("HOSTILE", value).output().unwrap());
        assert_eq!(said.code, Some(2), "{}", said.err);
        all.push_str(&said.err);
    }
    assert!(!all.contains('\u{1b}') && all.len() < 4_000, "{all}");
    expect![[r#"
        error: copy.toml:4: sources.in.path.env: the variable `HOSTILE` contains a control character; remove it (often a line end at the end)
        error: copy.toml:4: sources.in.path.env: the variable `HOSTILE` contains a control character; remove it (often a line end at the end)
        error: copy.toml:4: sources.in.path: must not be empty
        error: copy.toml:4: sources.in.path: file `no-such.csv` does not exist; paths are relative to the folder of the query file
        error: copy.toml:4: sources.in.path: file `a\u{202e}b.csv` does not exist; did you mean `in.csv`?
        error: copy.toml:4: sources.in.path.env: the variable `HOSTILE` has 100000 bytes: the maximum is 65536; keep long texts in files
        error: copy.toml:4: sources.in.path: the format cannot be determined from the suffix of `yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...`; add `format`, one of `json_lines`, `csv`, `parquet`, `arrow_ipc`
        copy.toml:4: sources.in.path: `yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy...` cannot be read: File name too long (os error 36)
        error: copy.toml:4: sources.in.path.env: the variable `HOSTILE` is not UTF-8
    "#]].assert_eq(&all);
}

/// A query whose options are all markers, written out and from the environment.
fn marked(folder: &Path, name: &str, broker: &str, more: &str) {
    let options = |who: &str| {
        format!(
            "options = {{ \"client.id\" = \"{MARKER}-{who}\", \"client.rack\" = {{ env = \"MARKED\" }}, \"sasl.mechanism\" = \"PLAIN\", \
             \"sasl.username\" = \"{MARKER}-user\", \"sasl.password\" = {{ env = \"MARKED\" }}, \
             \"security.protocol\" = \"SASL_PLAINTEXT\"{more} }}"
        )
    };
    let text = format!(
        "name = \"{name}\"\n[sources.in]\nkind = \"kafka\"\nbrokers = \"{broker}\"\ntopic = \"in\"\nformat = \"raw\"\n{}\n\
         [sinks.out]\nkind = \"kafka\"\nbrokers = \"{broker}\"\ntopic = \"out\"\n{}\non_error = \"retry\"\n\
         [delivery]\nguarantee = \"exactly_once\"\n",
        options("in"),
        options("out"),
    );
    fs::write(folder.join(format!("{name}.toml")), text).unwrap();
}

#[test]
fn no_value_of_an_option_is_shown_by_a_check() {
    let folder = tempfile::tempdir().unwrap();
    marked(folder.path(), "right", "127.0.0.1:1", "");
    marked(folder.path(), "wrong", "127.0.0.1:1", &format!(", \"socket.timeout.ms\" = \"{MARKER}\""));
    marked(folder.path(), "unknown", "127.0.0.1:1", &format!(", \"sasl.pasword\" = \"{MARKER}\""));
    marked(folder.path(), "protocol", "127.0.0.1:1", &format!(", \"broker.address.family\" = \"{MARKER}\""));
    marked(folder.path(), "nested", "127.0.0.1:1", &format!(", ssl.key.pem = \"{MARKER}\""));
    marked(folder.path(), "control", "127.0.0.1:1", &format!(", \"ssl.key.password\" = \"{MARKER}\\u0007\""));
    marked(folder.path(), "twice", "127.0.0.1:1", &format!(", \"client.id\" = \"{MARKER}\""));
    marked(folder.path(), "torn", "127.0.0.1:1", &format!(", \"ssl.key.password\" = \"{MARKER}"));
    marked(folder.path(), "bare", "127.0.0.1:1", &format!(", \"ssl.key.password\" = {MARKER}"));
    for name in ["right", "wrong", "unknown", "protocol", "nested", "control", "twice", "torn", "bare"] {
        for args in [&["check"][..], &["--json", "check"], &["run"], &["status"]] {
            if (name, args) == ("right", &["run"]) {
                continue;
            }
            let file = format!("{name}.toml");
            let args = [args, &[&*file]].concat();
            let said = said(weir(folder.path(), &args).env("MARKED", format!("{MARKER}-env")).output().unwrap());
            assert!(!said.out.contains(MARKER) && !said.err.contains(MARKER), "{args:?}: {}{}", said.out, said.err);
            assert!(!(said.out + &said.err).is_empty(), "{args:?}");
        }
    }
}

#[test]
fn no_value_of_an_option_is_shown_by_a_run() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there: librdkafka says so again and again.
    marked(folder.path(), "away", "127.0.0.1:1", "");
    let err = folder.path().join("err");
    let mut command = weir_in(folder.path(), &["run", "--grace-ms", "2000", "away.toml"]);
    command.env("MARKED", format!("{MARKER}-env")).env("WEIR_LOG", "trace").env("RUST_LOG", "trace");
    let mut child = command.stdout(Stdio::null()).stderr(fs::File::create(&err).unwrap()).spawn().unwrap();
    let read = || fs::read_to_string(&err).unwrap_or_default();
    wait_for("librdkafka's lines", LONG, || read().contains("librdkafka").then_some(()));
    for args in [&["status"][..], &["status", "--json"], &["top", "--once"]] {
        let said = tell(folder.path(), args);
        assert!(!said.out.contains(MARKER) && !said.err.contains(MARKER), "{args:?}: {}{}", said.out, said.err);
    }
    let stopped = Instant::now();
    tell(folder.path(), &["stop", "--all", "--timeout-ms", "100"]);
    wait_for("the end", LONG, || {
        if stopped.elapsed().as_secs() > 10 {
            child.kill().unwrap();
        }
        child.try_wait().unwrap()
    });
    assert!(
        !read().contains(MARKER),
        "{}",
        read().lines().filter(|line| line.contains(MARKER)).collect::<Vec<_>>().join("\n")
    );
    // What is scraped.
    fs::write(
        folder.path().join("served.toml"),
        fs::read_to_string(folder.path().join("away.toml")).unwrap().replace("away", "served"),
    )
    .unwrap();
    let served = Served::start_with(folder.path(), &["served.toml"], &[("MARKED", "mArKeR-env")], Stdio::null());
    let scraped = served.get("/metrics") + &served.ask("/healthz").1 + &served.ask("/readyz").1;
    assert!(scraped.contains("served") && !scraped.contains(MARKER), "{scraped}");
}
