//! Dead letters replayed by a process that ends at every step of it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use serde_json::Value;
use weir_tests::{Weir, guest_path};

use crate::support::{AT_LEAST_ONCE, EXACTLY_ONCE, PATIENCE, assert_all, assert_once, input, run_to_end, written};

/// Letters to replay, in batches of 500; as many more are not meant, and stay.
const LETTERS: u64 = 3_000;

/// The one that dies again.
const AGAIN: u64 = 1_234;

fn case(folder: &Path, delivery: &str) {
    let module = guest_path("faulty").expect("a built guest");
    let text = format!(
        "name = \"numbers\"\n\
         [sources.ids]\nkind = \"file\"\npath = \"in.csv\"\nschema = {{ id = \"i64\" }}\n\
         [[stages]]\nname = \"check\"\nmodule = {module:?}\nfunction = \"refuses\"\nparams = {{ at = {AGAIN} }}\n\
         on_error = \"dead_letter\"\n\
         [sinks.out]\nkind = \"file\"\npath = \"out/ids.csv\"\n\
         [batching]\nrecords_max = 500\n[dead_letters]\npath = \"dead.jsonl\"\n{}\n",
        delivery.replace("commit_ms = 10", "commit_ms = 1")
    );
    fs::write(folder.join("numbers.toml"), text).expect("the query");
    // The query's own input is read by runs between replays, and comes to its end once.
    input(folder, 10);
    let mut letters = String::new();
    for id in 0..LETTERS {
        for (code, id) in [("meant", id + 10), ("other", id)] {
            let letter = serde_json::json!({
                "query": "numbers", "tenant": "default", "place": "check", "code": code, "message": "",
                "origin": "elsewhere", "partition": 0, "offset": id, "record": { "id": id },
            });
            writeln!(letters, "{letter}").expect("a string");
        }
    }
    fs::write(folder.join("dead.jsonl"), letters).expect("the letters");
}

const REPLAY: [&str; 6] = ["--json", "dead-letters", "replay", "numbers.toml", "--code", "meant"];

/// Ends a replay at each step, runs the query in between if `between`, and takes the replay up again.
fn ended_at_each_step(delivery: &str, steps: &[&str], between: bool, exact: bool) {
    for step in steps {
        let folder = tempfile::tempdir().expect("a folder");
        let folder = folder.path();
        case(folder, delivery);
        let mut weir = Weir::in_folder(folder).env("WEIR_FAILPOINT", step).run(&REPLAY);
        let status = weir.wait(PATIENCE);
        assert_eq!(status.signal(), Some(6), "{step} was not reached: {status}\n{}", weir.stderr());
        if between {
            run_to_end(folder);
        }
        let mut again = Weir::in_folder(folder).run(&REPLAY);
        let status = again.wait(PATIENCE);
        assert!(status.success(), "{step}: {status}\n{}", again.stderr());
        if !between {
            run_to_end(folder);
        }
        let found = written(folder);
        println!("{step}: {} records", found.len());
        // The record that died again is in none of the files.
        let mut sorted = found.clone();
        assert!(!found.contains(&AGAIN), "{step}");
        sorted.push(AGAIN);
        match exact {
            true => assert_once(&sorted, LETTERS + 10),
            false => assert_all(&sorted, LETTERS + 10),
        }
        let letters = fs::read_to_string(folder.join("dead.jsonl")).expect("the letters");
        let letters: Vec<Value> = letters.lines().map(|line| serde_json::from_str(line).expect("a letter")).collect();
        let with = |code: &str| letters.iter().filter(|letter| letter["code"] == code).collect::<Vec<_>>();
        let others: Vec<u64> =
            with("other").iter().map(|letter| letter["record"]["id"].as_u64().expect("an id")).collect();
        assert_eq!(others, (0..LETTERS).collect::<Vec<_>>(), "{step}");
        assert_eq!(with("meant").len(), 0, "{step}");
        let again = letters.len() as u64 - LETTERS;
        assert!(if exact { again == 1 } else { again >= 1 }, "{step}: {again} new letters");
        let kept = fs::read_to_string(folder.join("dead.jsonl.replayed-1")).expect("what was replayed");
        assert_eq!(kept.lines().count() as u64, LETTERS, "{step}");
        assert!(!folder.join("dead.jsonl.replaying").exists(), "{step}");
    }
}

const STEPS: [&str; 5] = ["replay.divided", "replay.taken_out", "replay.put_back", "replay.ran", "replay.put_away"];

#[test]
fn each_letter_has_its_effect_once_whichever_step_was_the_last() {
    let commits = ["commit.begin:2", "commit.letters:2", "commit.prepared:2", "manifest.written:3", "commit.saved:2"];
    let steps = [&STEPS[..], &commits, &["commit.published:2", "commit.published:1", "manifest.renamed:2"]].concat();
    for between in [false, true] {
        ended_at_each_step(EXACTLY_ONCE, &steps, between, true);
    }
}

#[test]
fn no_letter_is_lost_whichever_step_was_the_last() {
    let steps = [&STEPS[..], &["commit.begin:2", "commit.letters:2", "commit.sinks:2", "manifest.renamed:2"]].concat();
    for between in [false, true] {
        ended_at_each_step(AT_LEAST_ONCE, &steps, between, false);
        let stateless = AT_LEAST_ONCE.replace("state = \"state\"\n", "");
        ended_at_each_step(&stateless, &steps[..steps.len() - 1], between, false);
    }
}

#[test]
fn links_beside_the_letters_lead_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    case(folder, EXACTLY_ONCE);
    let victim = folder.join("victim");
    let link = |name: &str| std::os::unix::fs::symlink(&victim, folder.join(name)).expect("a link");
    let replay = || {
        let mut weir = Weir::in_folder(folder).run(&REPLAY);
        (weir.wait(PATIENCE).code(), weir.stderr())
    };
    fs::write(&victim, "theirs").expect("a file");
    // In place of the letters, and of those that a replay has left according to its report.
    let letters = fs::read(folder.join("dead.jsonl")).expect("the letters");
    for name in ["dead.jsonl", "dead.jsonl.replaying"] {
        fs::remove_file(folder.join("dead.jsonl")).expect("the letters to go");
        if name != "dead.jsonl" {
            fs::write(folder.join("dead.jsonl"), &letters).expect("the letters");
        }
        link(name);
        let (code, said) = replay();
        assert!(code != Some(0) && said.contains("is a link, which is not followed here"), "{name}: {code:?} {said}");
        fs::remove_file(folder.join(name)).expect("the link to go");
        fs::write(folder.join("dead.jsonl"), &letters).expect("the letters");
    }
    // In the place of what a replay writes: it is removed, and what it leads to stays.
    link("dead.jsonl.replaying.new");
    link("dead.jsonl.rest");
    let (code, said) = replay();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(written(folder).len() as u64, LETTERS - 1, "one has died again");
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "theirs");
    assert!(fs::symlink_metadata(folder.join("dead.jsonl")).expect("the letters").is_file());
}
