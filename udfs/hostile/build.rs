//! Makes the catalogue out of the files: `attacks/NN_name.wat` are text with a header, `src/made/rNN_name.rs` hold a
//! constant `MADE`. Row and name are the file's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    // By row, letter and name, as the catalogue is read.
    let mut attacks = BTreeMap::new();
    for path in files(&root.join("attacks"), "wat") {
        let (row, letter, name) = parts(&path, "");
        let source = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let entry = text_entry(&path, row, &name, &source);
        attacks.insert((row, letter, name), entry);
    }
    for path in files(&root.join("src/made"), "rs") {
        if path.file_stem().is_some_and(|stem| stem == "mod") {
            continue;
        }
        let (row, letter, name) = parts(&path, "r");
        let module = stem(&path).to_owned();
        let entry = format!("made::{module}::MADE.attack({row}, {name:?}),\n");
        attacks.insert((row, letter, name), entry);
    }
    let mut names: Vec<&String> = attacks.keys().map(|(_, _, name)| name).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        panic!("two attacks are called `{}`: a name says which test is whose", twice[0]);
    }
    let entries: String = attacks.into_values().collect();
    let text = format!("/// Every attack, by row.\npub static ATTACKS: &[Attack] = &[\n{entries}];\n");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it")).join("catalogue.rs");
    std::fs::write(&out, text).unwrap_or_else(|error| panic!("{}: {error}", out.display()));
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_else(|| panic!("{}: an odd name", path.display()))
}

/// `03a_endless_recursion` is row 3, letter `a`, name `endless_recursion`.
fn parts(path: &Path, prefix: &str) -> (u8, String, String) {
    let wrong = || -> ! { panic!("{}: call it {prefix}NN_name or {prefix}NNa_name", path.display()) };
    let Some(rest) = stem(path).strip_prefix(prefix) else { wrong() };
    let Some((number, name)) = rest.split_once('_') else { wrong() };
    let (digits, letter) = number.split_at(2.min(number.len()));
    match digits.parse() {
        Ok(row) if (1..=72).contains(&row) && !name.is_empty() => (row, letter.to_owned(), name.to_owned()),
        _ => wrong(),
    }
}

/// The entry of a text, of which the header says title, class and expectation.
fn text_entry(path: &Path, row: u8, name: &str, source: &str) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    let header = |key: &str| {
        let found = source.lines().find_map(|line| line.strip_prefix(";; ")?.strip_prefix(key)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("{}: no line `;; {key}: …`", path.display())).trim()
    };
    let class = match header("class") {
        "cpu" => "Cpu",
        "memory" => "Memory",
        "compile" => "Compile",
        "upload" => "Upload",
        "border" => "Border",
        "output" => "Output",
        "speech" => "Speech",
        "life" => "Life",
        other => panic!("{}: class `{other}` is not known", path.display()),
    };
    let mut words = header("expect").split_whitespace();
    let kind = words.next();
    let codes: Vec<&str> = words.collect();
    let expect = match (kind, codes.as_slice()) {
        (Some("answered"), []) => "Expect::Answered".to_owned(),
        (Some("refused"), [_, ..]) => format!("Expect::Refused(&{codes:?})"),
        (Some("ended"), [_, ..]) => format!("Expect::Ended(&{codes:?})"),
        _ => panic!("{}: expect is `answered`, `refused CODE…` or `ended CODE…`", path.display()),
    };
    let mut entry = String::new();
    let title = header("title");
    writeln!(
        entry,
        "Attack {{ row: {row}, name: {name:?}, title: {title:?}, class: Class::{class}, expect: {expect},\n\
         bytes: |target| text::assemble(include_str!({path:?}), target) }},",
    )
    .expect("a string takes everything");
    entry
}
