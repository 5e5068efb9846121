//! What older versions left on disk: state, output, dead letters and modules are taken up where they are.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use weir_tests::Weir;

use crate::support::{PATIENCE, assert_once, run_to_end, summary, written};

/// Ids of the input that do not decode, and the one that the stage refuses.
const BAD: [u64; 5] = [997, 1234, 1994, 2991, 3988];

/// The records of the input.
const RECORDS: u64 = 4_000;

fn fixtures(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(version)
}

/// A copy of what a version left, in a folder that its paths name.
fn left_by(version: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a folder");
    copy(&fixtures(version), root.path());
    let folder = root.path().join("files");
    let place = |text: String| text.replace("@FOLDER@", folder.to_str().expect("a path of text"));
    let read = |path: &Path| fs::read_to_string(path).expect("a file of the fixtures");

    let letters = place(read(&folder.join("dead.jsonl")));
    fs::write(folder.join("dead.jsonl"), &letters).expect("the letters");
    // The manifest holds the length of the letters, which depends on the folder's name, and its own checksum.
    let manifest = place(read(&folder.join("state/manifest")));
    let body = manifest.lines().nth(1).expect("a line of JSON");
    let length = |bytes: usize| format!("\"dead_letter_bytes\":{bytes}");
    assert_eq!(body.matches(&length(712)).count(), 1);
    let body = body.replace(&length(712), &length(letters.len()));
    let checksum: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(folder.join("state/manifest"), format!("weir-manifest 1 {checksum}\n{body}\n")).expect("the manifest");
    root
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder of the fixtures") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).expect("a copy")),
        }
    }
}

fn letters(folder: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a letter")).collect()
}

#[test]
fn a_query_of_0_1_0_goes_on_where_it_was() {
    let root = left_by("0.1.0");
    let folder = root.path().join("files");
    let summary = run_to_end(&folder);

    let mut found = written(&folder);
    // The fourth commit's file was prepared, and had no name yet.
    assert!(folder.join("out/ids-000004.csv").is_file());
    found.extend(BAD);
    // Ids begin at 1.
    found.push(0);
    assert_once(&found, RECORDS + 1);
    let counted = summary["metrics"].as_array().and_then(|metrics| {
        metrics.iter().find(|series| series["metric"] == "records").and_then(|series| series["total"].as_f64())
    });
    assert_eq!(counted, Some((RECORDS - BAD.len() as u64) as f64), "{summary}");
    assert_eq!(letters(&folder, "dead.jsonl").len(), BAD.len());
}

#[test]
fn dead_letters_of_0_1_0_are_listed_and_replayed() {
    let root = left_by("0.1.0");
    let folder = root.path().join("files");
    // The rest of the input is read first, so that only old letters and newer ones are left.
    run_to_end(&folder);
    let mut list = Weir::in_folder(&folder).run(&["--json", "dead-letters", "list", "numbers.toml"]);
    assert!(list.wait(PATIENCE).success(), "{}", list.stderr());
    for (place, code) in [("ids", "undecodable"), ("check", "guest:1")] {
        assert!(list.stdout().contains(place) && list.stdout().contains(code), "{}", list.stdout());
    }

    // What was wrong with the records is mended: the stage refuses another one.
    let query = fs::read_to_string(folder.join("numbers.toml")).expect("the query");
    fs::write(folder.join("numbers.toml"), query.replace("at = 1234", "at = 5")).expect("the query");
    let arguments = ["--json", "dead-letters", "replay", "numbers.toml", "--place", "check"];
    let mut replay = Weir::in_folder(&folder).run(&arguments);
    let status = replay.wait(PATIENCE);
    assert!(status.success(), "{status}\n{}", replay.stderr());
    assert!(written(&folder).contains(&1234), "{}", summary(&replay));
    assert!(letters(&folder, "dead.jsonl").iter().all(|letter| letter["place"] == "ids"));
}

#[test]
fn modules_of_0_1_0_run() {
    let root = left_by("0.1.0");
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/flights-sample.parquet");
    let input = sample.to_str().expect("a path of text");
    let module = root.path().join("modules/flights.wasm");
    let arguments = ["--json", "try", module.to_str().expect("a path of text"), "--input", input, "--function", "late"];
    let mut weir = Weir::in_folder(root.path()).run(&arguments);
    assert!(weir.wait(PATIENCE).success(), "{}", weir.stderr());
    let account: Value = weir
        .stderr()
        .lines()
        .chain(weir.stdout().lines())
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["function"] == "late")
        .expect("an account");
    // Counted from the same file by plain Arrow code in the tests of the example query.
    assert_eq!((account["records"].as_u64(), account["rows_out"].as_u64()), (Some(20_000), Some(985)), "{account}");
}
