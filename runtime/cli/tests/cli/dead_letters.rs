//! Dead letters listed, shown and replayed.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use weir_tests::{guest_path, wait_for};

use crate::common::{Said, run, said, summary};
use crate::control::{LONG, tell, weir_in};

/// A thousand records, numbered, and a query over them.
struct Case {
    folder: TempDir,
    query: String,
}

impl Case {
    /// With the function `function` of the guest `faulty`, which fails at the record `at`.
    fn stage(function: &str, at: i64) -> Case {
        let folder = tempfile::tempdir().expect("a folder");
        let lines: String = (0..1000).map(|id| format!("{{\"id\": {id}}}\n")).collect();
        fs::write(folder.path().join("in.jsonl"), lines).expect("the input");
        let module = guest_path("faulty").expect("the faulty guest");
        let query = format!(
            r#"name = "case"
[sources.ids]
kind = "file"
path = "in.jsonl"
schema = {{ id = "i64" }}
on_error = "dead_letter"
[[stages]]
name = "check"
module = {module:?}
function = "{function}"
params = {{ at = {at} }}
on_error = "dead_letter"
[sinks.out]
kind = "file"
path = "out/out.jsonl"
[delivery]
commit_ms = 60000
[dead_letters]
path = "dead.jsonl"
"#
        );
        let case = Case { folder, query };
        case.save();
        case
    }

    fn save(&self) {
        fs::write(self.path("q.toml"), &self.query).expect("the query file");
    }

    fn change(&mut self, from: &str, to: &str) {
        assert_eq!(self.query.matches(from).count(), 1, "{from:?} in {}", self.query);
        self.query = self.query.replace(from, to);
        self.save();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn weir(&self, args: &[&str]) -> Said {
        run(self.folder.path(), args)
    }

    fn right(&self, args: &[&str]) -> Said {
        let said = self.weir(args);
        assert_eq!(said.code, Some(0), "{args:?}: {}", said.err);
        said
    }

    /// What a replay says of itself.
    fn replay(&self, args: &[&str]) -> Value {
        let said = self.right(&[&["--json", "dead-letters", "replay", "q.toml"], args].concat());
        let values = said.err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values.into_iter().find(|value| value.get("replayed").is_some()).unwrap_or_else(|| panic!("{}", said.err))
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The numbers of all records in the output, sorted.
    fn out(&self) -> Vec<i64> {
        let mut ids = Vec::new();
        for file in fs::read_dir(self.path("out")).expect("the output") {
            let text = fs::read_to_string(file.expect("a file").path()).expect("a file");
            for line in text.lines() {
                let record: Value = serde_json::from_str(line).expect("a record");
                ids.push(record["id"].as_i64().expect("a number"));
            }
        }
        ids.sort_unstable();
        ids
    }
}

fn all() -> Vec<i64> {
    (0..1000).collect()
}

fn all_but(id: i64) -> Vec<i64> {
    (0..1000).filter(|&other| other != id).collect()
}

#[test]
fn one_bad_record_in_a_thousand_is_replayed_when_the_function_takes_it() {
    let mut case = Case::stage("refuses", 500);
    case.right(&["run", "q.toml"]);
    assert_eq!(case.out(), all_but(500));
    assert_eq!(case.lines("dead.jsonl").len(), 1);
    // Nothing has changed: it dies again, and there is one letter, as before.
    assert_eq!(case.replay(&[])["died_again"], 1);
    let letters = case.lines("dead.jsonl");
    assert_eq!((case.out(), letters.len()), (all_but(500), 1));
    // It says the same of where it came from.
    assert_eq!(letters, case.lines("dead.jsonl.replayed-1"));
    case.change("at = 500", "at = -1");
    let said = case.replay(&[]);
    assert_eq!((&said["replayed"], &said["died_again"]), (&1.into(), &0.into()));
    assert_eq!(case.out(), all());
    assert_eq!(case.lines("dead.jsonl"), [""; 0]);
    assert_eq!(case.lines("dead.jsonl.replayed-2").len(), 1);
    assert!(!case.path("dead.jsonl.replaying").exists() && !case.path("dead.jsonl.rest").exists());
    assert!(case.right(&["dead-letters", "replay", "q.toml"]).err.contains("no dead letters to replay"));
    assert_eq!(case.out(), all());
}

#[test]
fn a_module_that_was_mended_replays_and_its_other_version_is_told() {
    let mut case = Case::stage("panics", 7);
    case.right(&["run", "q.toml"]);
    // The mended module: another one with a function of the same shape.
    let module = guest_path("seed").expect("the seed guest");
    let faulty = guest_path("faulty").expect("the faulty guest");
    let mended = fs::read(&faulty).expect("the guest");
    // A custom section more makes another digest of the same code.
    fs::write(case.path("mended.wasm"), [mended.as_slice(), b"\x00\x02\x01x"].concat()).expect("the module");
    assert_ne!(module, faulty);
    case.change(&format!("{faulty:?}"), "\"mended.wasm\"");
    case.change("at = 7", "at = -1");
    let said = case.right(&["dead-letters", "replay", "q.toml"]);
    assert!(said.err.contains("the module has changed: 1 dead letters of check"), "{}", said.err);
    assert!(said.err.contains("replayed 1 dead letters, 0 failed again"), "{}", said.err);
    assert_eq!(case.out(), all());
}

#[test]
fn letters_that_all_end_the_guest_again_are_letters_again() {
    let case = Case::stage("panics", 7);
    write_letters(&case.path("dead.jsonl"), &[("check", "a", 7); 150]);
    let said = case.replay(&[]);
    assert_eq!((&said["replayed"], &said["died_again"]), (&150.into(), &150.into()));
    assert_eq!(case.lines("dead.jsonl").len(), 150);
}

#[test]
fn what_a_source_could_not_decode_comes_in_by_its_format_again() {
    for (name, header, good) in [("in.jsonl", "", ["{\"id\":1}", "{\"id\":3}"]), ("in.csv", "x,id\n", ["a,1", "c,3"])] {
        let mut case = Case::stage("refuses", -1);
        fs::write(case.path(name), format!("{header}{}\nb,two\n{}\n", good[0], good[1])).expect("the input");
        case.change("in.jsonl", name);
        case.right(&["run", "q.toml"]);
        assert_eq!(case.out(), [1, 3]);
        assert_eq!(case.replay(&[])["died_again"], 1, "{name}: it still does not decode");
        // The letter's bytes are mended by hand, as an operator may.
        // In base64: `b,2` and `{"id":2}`, in the place of `b,two`.
        let mended = if name == "in.csv" { "Yiwy" } else { "eyJpZCI6Mn0=" };
        let letters = fs::read_to_string(case.path("dead.jsonl")).expect("letters");
        fs::write(case.path("dead.jsonl"), letters.replace("Yix0d28=", mended)).expect("letters");
        let said = case.replay(&[]);
        assert_eq!((&said["replayed"], &said["died_again"]), (&1.into(), &0.into()), "{name}");
        assert_eq!(case.out(), [1, 2, 3], "{name}");
    }
}

/// Letters of the case's stage, with these numbers and messages.
fn write_letters(path: &Path, letters: &[(&str, &str, i64)]) {
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the letters");
    for (place, code, id) in letters {
        let letter = serde_json::json!({
            "query": "case", "tenant": "default", "place": place, "module": "00", "function": "f", "code": code,
            "message": "no", "partition": 0, "offset": id, "record": { "id": id },
        });
        writeln!(file, "{letter}").expect("a letter");
    }
}

#[test]
fn filters_take_letters_out_and_leave_the_others_byte_for_byte() {
    let case = Case::stage("refuses", -1);
    let dead = case.path("dead.jsonl");
    write_letters(&dead, &[("check", "a", 0), ("check", "b", 1), ("check", "a", 2)]);
    let mut file = OpenOptions::new().append(true).open(&dead).expect("the letters");
    // None of these can be replayed: no letter, another place, and a record that is none, torn at its end.
    file.write_all(b"foreign \xff line\n").expect("a line");
    write_letters(&dead, &[("elsewhere", "a", 4)]);
    let unfit = "{\"query\":\"case\",\"tenant\":\"default\",\"place\":\"check\",\"code\":\"a\",\"message\":\"\",\"record\":{\"id\":\"x\"}}";
    file.write_all(unfit.as_bytes()).expect("a line");
    let before = fs::read(&dead).expect("letters");
    let line = |number: usize| before.split(|&byte| byte == b'\n').nth(number).expect("a line").to_vec();
    let lines =
        |numbers: &[usize]| numbers.iter().flat_map(|&n| [line(n), b"\n".to_vec()].concat()).collect::<Vec<u8>>();

    assert_eq!(case.replay(&["--code", "b"])["replayed"], 1);
    assert_eq!(fs::read(&dead).expect("letters"), lines(&[0, 2, 3, 4, 5]));
    assert_eq!(case.replay(&["--only", "0,7"])["replayed"], 1);
    assert_eq!(fs::read(&dead).expect("letters"), lines(&[2, 3, 4, 5]));
    assert_eq!(case.replay(&["--place", "ids"])["replayed"], 0);
    let said = case.right(&["dead-letters", "replay", "q.toml"]);
    for reason in [
        "dead letter 1 cannot be replayed and stays: not a dead letter",
        "source, stage or sink `elsewhere` does not exist",
        "dead letter 3 cannot be replayed and stays: `check` now reads id i64",
    ] {
        assert!(said.err.contains(reason), "{reason}: {}", said.err);
    }
    assert_eq!(fs::read(&dead).expect("letters"), lines(&[3, 4, 5]));
    assert_eq!(case.out(), [0, 1, 2]);
    assert_eq!(fs::read(case.path("dead.jsonl.replayed-3")).expect("letters"), lines(&[2]));
}

#[test]
fn hostile_letters_are_listed_tamely_and_foreign_lines_are_named() {
    let case = Case::stage("refuses", -1);
    let hostile = serde_json::json!({
        "query": "case", "tenant": "default", "place": "check", "module": "00", "function": "f\u{1b}[2J",
        "code": "c\u{9b}31m", "message": format!("\u{1b}]0;title\u{7}\r\n{}", "x".repeat(100_000)),
        "origin": "o\u{202e}", "partition": 3, "offset": 17, "timestamp_us": 1_640_995_200_000_000_i64,
        "key_hex": "6b1b", "headers": [["h\u{7f}", "ff00"]], "record": { "id\u{1b}": "\u{9b}" }, "bytes_hex": "ff1b",
    });
    fs::write(case.path("dead.jsonl"), format!("torn\n{hostile}\n")).expect("letters");
    let tame = |text: &str| !text.chars().any(|char| (char.is_control() && char != '\n') || char == '\u{202e}');

    let said = case.weir(&["dead-letters", "list", "q.toml"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("dead.jsonl:1: not a dead letter"), "{}", said.err);
    assert!(
        said.out.starts_with("     1  check  c\\u{9b}31m  o\\u{202e}/3@17  2022-01-01T00:00:00Z  "),
        "{}",
        said.out
    );
    assert!(said.out.lines().count() == 1 && said.out.len() < 400 && tame(&said.out), "{:?}", said.out);

    let said = case.weir(&["--json", "dead-letters", "list", "q.toml", "--place", "check"]);
    assert_eq!(said.code, Some(1));
    let listed: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((&listed["number"], &listed["code"]), (&1.into(), &hostile["code"]));
    assert!(tame(&said.out));

    let said = case.weir(&["dead-letters", "list", "q.toml", "--summary"]);
    assert_eq!(said.out, "        1  check  c\\u{9b}31m\n");
    assert_eq!(case.weir(&["dead-letters", "list", "q.toml", "--place", "ids"]).out, "");

    let said = case.right(&["dead-letters", "show", "q.toml", "1"]);
    assert!(tame(&said.out), "{:?}", said.out);
    for part in ["module 00", "id\\u{1b}: \"\\u009b\"", "k\\u{1b}", "ff 00", "ff 1b", "header    h\\u{7f}"] {
        assert!(said.out.contains(part), "{part}: {}", &said.out[..2000.min(said.out.len())]);
    }
    let said = case.right(&["--json", "dead-letters", "show", "q.toml", "1"]);
    let shown: Value = serde_json::from_str(&said.out).expect("JSON");
    for key in ["message", "record", "bytes_hex", "key_hex", "headers", "function"] {
        assert_eq!(shown[key], hostile[key], "{key}");
    }
    assert_eq!(case.weir(&["dead-letters", "show", "q.toml", "0"]).code, Some(1));
    assert_eq!(case.weir(&["dead-letters", "show", "q.toml", "2"]).code, Some(2));
}

/// Letters of two records, of which the first is to be replayed.
fn two_letters(case: &Case) -> [String; 2] {
    write_letters(&case.path("dead.jsonl"), &[("check", "a", 1), ("check", "b", 2)]);
    case.lines("dead.jsonl").try_into().expect("two letters")
}

#[test]
fn a_replay_that_crashed_at_any_step_is_taken_up_and_loses_nothing() {
    let put = |case: &Case, name: &str, text: &str| fs::write(case.path(name), text).expect("a file");
    // As the steps leave the files: both parts written; the first named; the second in its place; all of it run.
    for step in 0..4 {
        let case = Case::stage("refuses", -1);
        let [first, second] = two_letters(&case).map(|letter| format!("{letter}\n"));
        match step {
            0 => {
                put(&case, "dead.jsonl.replaying.new", &first);
                put(&case, "dead.jsonl.rest", &second);
            }
            1 => {
                put(&case, "dead.jsonl.replaying", &first);
                put(&case, "dead.jsonl.rest", &second);
            }
            _ => {
                put(&case, "dead.jsonl.replaying", &first);
                put(&case, "dead.jsonl", &second);
            }
        }
        if step == 3 {
            // The letters were taken away meanwhile.
            fs::rename(case.path("dead.jsonl"), case.path("elsewhere.jsonl")).expect("a rename");
        }
        let resumed = step > 0;
        // Whatever is asked for, what was begun is done first.
        let args: &[&str] = if resumed { &["--code", "b"] } else { &["--code", "a"] };
        let said = case.right(&[&["dead-letters", "replay", "q.toml"], args].concat());
        assert_eq!(said.err.contains("an earlier replay did not finish"), resumed, "step {step}: {}", said.err);
        assert_eq!(case.out(), [1], "step {step}");
        let left = fs::read_to_string(case.path("dead.jsonl")).expect("letters");
        assert_eq!(left, if step == 3 { "" } else { second.as_str() }, "step {step}");
        assert_eq!(fs::read_to_string(case.path("dead.jsonl.replayed-1")).expect("letters"), first);
        for name in ["dead.jsonl.replaying", "dead.jsonl.replaying.new", "dead.jsonl.rest"] {
            assert!(!case.path(name).exists(), "step {step}: {name}");
        }
    }
}

#[test]
fn a_query_that_runs_between_a_crash_and_the_next_replay_adds_behind_what_was_left() {
    let mut case = Case::stage("refuses", 500);
    let [first, second] = two_letters(&case).map(|letter| format!("{letter}\n"));
    fs::write(case.path("dead.jsonl.replaying"), &first).expect("a file");
    fs::write(case.path("dead.jsonl.rest"), &second).expect("a file");
    case.right(&["run", "q.toml"]);
    let letters = case.lines("dead.jsonl");
    assert_eq!((letters.len(), &letters[0]), (2, &second.trim_end().to_owned()));
    let said = case.right(&["dead-letters", "list", "q.toml"]);
    assert!(said.err.contains("contains dead letters of an unfinished replay"), "{}", said.err);
    case.change("at = 500", "at = -1");
    assert_eq!(case.replay(&[])["replayed"], 1);
    assert_eq!(case.lines("dead.jsonl"), letters);
    assert_eq!(case.replay(&[])["replayed"], 2);
    let mut expected = [all(), vec![1, 2]].concat();
    expected.sort_unstable();
    assert_eq!(case.out(), expected);
}

#[test]
fn a_file_in_use_is_not_touched() {
    let case = Case::stage("refuses", -1);
    let letters = two_letters(&case);
    let file = File::open(case.path("dead.jsonl")).expect("the letters");
    file.lock().expect("the lock that a running query holds");
    for (args, said) in
        [(&["dead-letters", "replay", "q.toml"][..], "the query is running"), (&["run", "q.toml"], "in use")]
    {
        let told = case.weir(args);
        assert_eq!(told.code, Some(2), "{}", told.err);
        assert!(told.err.contains(said), "{}", told.err);
    }
    assert_eq!(case.lines("dead.jsonl"), letters);
    assert!(!case.path("dead.jsonl.replaying").exists() && !case.path("out").exists());
    drop(file);
    assert_eq!(case.replay(&[])["replayed"], 2);
}

#[test]
fn a_running_query_locks_a_replay_out() {
    let mut case = Case::stage("refuses", -1);
    let letters = two_letters(&case);
    case.change("path = \"in.jsonl\"", "path = \"/dev/stdin\"\nformat = \"json_lines\"");
    let mut command = crate::common::weir(case.folder.path(), &["run", "q.toml"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().expect("the query");
    let file = File::open(case.path("dead.jsonl")).expect("the letters");
    let started = std::time::Instant::now();
    while file.try_lock().is_ok() {
        file.unlock().expect("unlocked");
        assert!(started.elapsed() < std::time::Duration::from_secs(60), "the query takes no lock");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let told = case.weir(&["dead-letters", "replay", "q.toml"]);
    assert_eq!((told.code, told.err.contains("in use")), (Some(2), true), "{}", told.err);
    assert_eq!(case.lines("dead.jsonl"), letters);
    drop(child.stdin.take());
    assert!(child.wait().expect("an end").success());
    assert_eq!(case.replay(&[])["replayed"], 2);
}

#[test]
fn a_sink_that_cannot_add_is_refused_before_anything_moves() {
    let mut case = Case::stage("refuses", -1);
    case.change("[delivery]\ncommit_ms = 60000\n", "");
    let letters = two_letters(&case);
    for policy in ["fail", "replace"] {
        fs::create_dir_all(case.path("out")).expect("a folder");
        fs::write(case.path("out/out.jsonl"), "{\"id\":9}\n").expect("the output");
        let told = case.weir(&["dead-letters", "replay", "q.toml"]);
        assert_eq!(told.code, Some(2), "{policy}: {}", told.err);
        assert!(told.err.contains("sinks.out") && told.err.contains("numbered files"), "{}", told.err);
        assert_eq!((case.lines("dead.jsonl"), case.out()), (letters.to_vec(), vec![9]), "{policy}");
        if policy == "fail" {
            case.change("path = \"out/out.jsonl\"", "path = \"out/out.jsonl\"\nif_exists = \"replace\"");
        }
    }
    fs::remove_file(case.path("out/out.jsonl")).expect("removed");
    assert_eq!(case.replay(&[])["replayed"], 2);
    assert_eq!(case.out(), [1, 2]);
}

#[test]
fn a_query_with_state_goes_on_where_it_was_after_a_replay() {
    let mut case = Case::stage("refuses", 500);
    case.change("commit_ms = 60000", "guarantee = \"exactly_once\"\nstate = \"state\"");
    case.right(&["run", "q.toml"]);
    case.change("at = 500", "at = -1");
    let said = case.replay(&[]);
    assert_eq!((&said["replayed"], &said["died_again"]), (&1.into(), &0.into()));
    assert_eq!(case.out(), all());
    // Neither the records nor the letters come again, although the same letter file's name comes again.
    let again = case.right(&["--json", "run", "q.toml"]);
    assert_eq!(summary(&again)["committed_records"], 0);
    write_letters(&case.path("dead.jsonl"), &[("check", "a", 2000)]);
    // The manifest says that the file is empty: what follows belongs to no commit.
    assert_eq!(case.replay(&[])["replayed"], 0);
    assert_eq!(case.out(), all());
}

#[test]
fn a_replay_is_seen_and_stopped_as_a_query_is() {
    let mut case = Case::stage("refuses", 7);
    // It would wait for half a minute before it tries the letter again.
    let retry = "on_error = \"retry\"\nretry = { times_max = 1, backoff_ms = 30000, then = \"dead_letter\" }";
    case.change("on_error = \"dead_letter\"\n[sinks.out]", &format!("{retry}\n[sinks.out]"));
    write_letters(&case.path("dead.jsonl"), &[("check", "a", 7)]);
    let mut replay = weir_in(case.folder.path(), &["dead-letters", "replay", "q.toml"]);
    let replay = replay.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command");
    let seen = wait_for("the replay is seen", LONG, || {
        let report =
            serde_json::from_str::<Value>(&tell(case.folder.path(), &["--json", "status", "q.toml"]).out).ok()?;
        (report["progress"]["uncommitted_records"] == 1).then_some(report)
    });
    assert_eq!((&seen["query"], &seen["pid"]), (&"case".into(), &replay.id().into()));
    let began = Instant::now();
    let stopped = tell(case.folder.path(), &["stop", "q.toml"]);
    assert_eq!(stopped.code, Some(0), "{}", stopped.err);
    let replayed = said(replay.wait_with_output().expect("its end"));
    assert!(began.elapsed() < Duration::from_secs(20), "{}", replayed.err);
    // The letter is one again, or is to be replayed by the next one: it is not lost.
    let left: usize = ["dead.jsonl", "dead.jsonl.replaying"].map(|name| case.lines(name).len()).into_iter().sum();
    assert!(left >= 1, "{}", replayed.err);
}
