//! Refuses to build the tests where an attack has none, or a test is of no attack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let attacks_root = root.join("../udfs/hostile");
    let mut attacks = BTreeMap::new();
    for path in
        files(&attacks_root.join("attacks"), "wat").into_iter().chain(files(&attacks_root.join("src/made"), "rs"))
    {
        // `03a_name.wat` and `r03a_name.rs` are both `name`.
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if let Some((_, name)) = stem.split_once('_') {
            attacks.insert(name.to_owned(), path);
        }
    }
    let tests = root.join("tests/hostile");
    let mut tested = BTreeMap::new();
    for path in files(&tests, "rs") {
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        for name in checked(&text) {
            tested.insert(name, path.clone());
        }
    }
    let mut mistakes = Vec::new();
    for (name, path) in &attacks {
        if !tested.contains_key(name) {
            let (file, tests) = (path.display(), tests.display());
            mistakes.push(format!("{file} has no test: add a test with `check(\"{name}\", …)` to one of {tests}/*.rs"));
        }
    }
    for (name, path) in &tested {
        if !attacks.contains_key(name) {
            mistakes.push(format!("{} checks `{name}`, and no attack is called so", path.display()));
        }
    }
    assert!(mistakes.is_empty(), "\n\n{}\n\n", mistakes.join("\n"));
}

/// The names in `check…("name"`.
fn checked(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("check") {
        let rest = text.get(at..).unwrap_or_default();
        let rest = rest.trim_start_matches(|character: char| character.is_ascii_lowercase() || character == '_');
        let Some(rest) = rest.strip_prefix('(') else { continue };
        let Some(rest) = rest.trim_start().strip_prefix('"') else { continue };
        if let Some((name, _)) = rest.split_once('"') {
            names.push(name.to_owned());
        }
    }
    names
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path());
    let wanted: Vec<PathBuf> = paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect();
    for path in &wanted {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    wanted
}
