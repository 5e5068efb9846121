//! Paths outside of a tenant's folders: attack 60, "output to an unowned topic or path, `../`: denied".

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use expect_test::expect;

use super::super::{LimitsFile, Plan};
use super::{GOOD, relative};
use weir_files::Folders;

/// A folder in which `acme` has `acme` (with `data` below it) and `beta` has `beta`.
fn folder() -> tempfile::TempDir {
    let folder = super::folder();
    for below in ["acme/data", "acme-evil", "beta", "ACME"] {
        fs::create_dir_all(folder.path().join(below)).unwrap();
    }
    for name in ["flights.wasm", "flights.csv"] {
        fs::copy(folder.path().join(name), folder.path().join("acme").join(name)).unwrap();
    }
    fs::copy(folder.path().join("flights.csv"), folder.path().join("beta/secret.csv")).unwrap();
    fs::copy(folder.path().join("flights.wasm"), folder.path().join("beta/secret.wasm")).unwrap();
    folder
}

/// The good query, of `acme`, with its files in acme's folder.
fn query() -> String {
    GOOD.replace("\"demo\"", "\"acme\"")
        .replace("\"flights.csv\"", "\"acme/flights.csv\"")
        .replace("\"flights.wasm\"", "\"acme/flights.wasm\"")
        .replace("\"out/late.parquet\"", "\"acme/late.parquet\"")
}

fn parse(folder: &Path, text: &str) -> Result<Plan, String> {
    let limits = LimitsFile::parse("[tenants.acme]\nfolders = [\"acme\"]", folder).unwrap();
    Plan::parse_with(text, folder, &limits).map_err(|problems| {
        let problems = problems.iter().map(|problem| format!("{}: {problem}\n", problem.line));
        relative(&problems.collect::<String>(), folder)
    })
}

/// The query with another path for its output, as it stands in TOML.
fn output(folder: &Path, path: &str) -> Result<Plan, String> {
    parse(folder, &query().replace("\"acme/late.parquet\"", &format!("\"{path}\"\nformat = \"csv\"")))
}

#[test]
fn inside_is_allowed_however_it_is_written() {
    let folder = folder();
    let absolute = format!("{}/acme/late.csv", folder.path().display());
    symlink("data", folder.path().join("acme/link")).unwrap();
    symlink("acme", folder.path().join("to-acme")).unwrap();
    for path in [
        "acme/late.csv",
        "acme/new/folders/late.csv",
        "acme/./data//late.csv",
        "beta/../acme/late.csv",
        "acme/link/late.csv",
        "to-acme/late.csv",
        "acme/link/../late.csv",
        "acme/..late.csv",
        "acme/late.csv.",
        &absolute,
    ] {
        let plan = output(folder.path(), path).unwrap_or_else(|problems| panic!("{path}: {problems}"));
        let weir_sinks::SinkConfig::File(config) = &plan.sinks[1].config else { panic!("a file") };
        let real = folder.path().canonicalize().unwrap().join("acme");
        assert!(config.path.starts_with(&real), "{}", config.path.display());
        assert!(!config.path.components().any(|part| part.as_os_str() == ".." || part.as_os_str() == "link"));
    }
}

#[test]
fn outputs_outside_are_denied() {
    let folder = folder();
    symlink("../beta", folder.path().join("acme/link")).unwrap();
    symlink("../beta/new.csv", folder.path().join("acme/new.csv")).unwrap();
    symlink("../beta/secret.csv", folder.path().join("acme/there.csv")).unwrap();
    symlink("../nowhere", folder.path().join("acme/broken")).unwrap();
    symlink("circle", folder.path().join("acme/circle")).unwrap();
    symlink("acme/late.csv", folder.path().join("beta/into.csv")).unwrap();
    for path in [
        "late.csv",
        "../late.csv",
        "acme/../late.csv",
        "acme/../../late.csv",
        "acme/data/../../beta/late.csv",
        "acme/new/../../beta/late.csv",
        "acme/link/late.csv",
        "acme/link/new/late.csv",
        "acme/data/../link/late.csv",
        "acme//..//beta//late.csv",
        "acme/./.././beta/late.csv",
        "acme/new.csv",
        "acme/there.csv",
        "acme/broken",
        "acme/broken/late.csv",
        "acme/circle",
        "acme/circle/late.csv",
        "beta/into.csv",
        "acme-evil/late.csv",
        "ACME/late.csv",
        "Acme/late.csv",
        "acme./late.csv",
        "acme../late.csv",
        "acme.../late.csv",
        "acme /late.csv",
        "acme\\\\late.csv",
        "beta/late.csv",
        "/tmp/late.csv",
        "//tmp/late.csv",
        "/proc/self/cwd/late.csv",
        "/dev/stdout",
        "/dev/null",
        "acme",
        "acme/",
        "acme/..",
        "acme/.",
        "acme/late.csv\\u0000",
        "acme/\\u0000/../../beta/late.csv",
        "\\u0000",
        "~/late.csv",
        "file:acme/late.csv",
    ] {
        let Err(problems) = output(folder.path(), path) else { panic!("{path} is allowed") };
        assert!(problems.contains("sinks.archive.path: "), "{path}: {problems}");
    }
    let left: Vec<_> = fs::read_dir(folder.path().join("beta")).unwrap().flatten().map(|it| it.file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_folder_of_the_tenant_is_no_file_of_it() {
    // Its numbered and hidden files would lie beside it.
    let folder = folder();
    for rest in ["", "\nrotate_bytes_max = 1"] {
        let text = query().replace("\"acme/late.parquet\"", &format!("\"acme\"\nformat = \"csv\"{rest}"));
        let problems = parse(folder.path(), &text).unwrap_err();
        assert!(problems.contains("is outside"), "{problems}");
    }
}

#[test]
fn every_kind_of_path_is_denied_with_its_line_and_nothing_is_told_of_what_is_there() {
    let folder = folder();
    let text = query()
        .replace("\"acme/flights.csv\"", "[\"acme/flights.csv\", \"beta/secret.csv\", \"beta/secert.csv\"]")
        .replace("path = [", "paths = [")
        .replace("\"acme/flights.wasm\"", "\"acme/../beta/secret.wasm\"")
        .replace("\"acme/late.parquet\"", "\"beta/late.parquet\"\nrotate_bytes_max = 1000")
        + "[dead_letters]\npath = \"acme/../beta/dead.jsonl\"\n";
    expect![[r#"
        6: sources.flights.paths[1]: `beta/secret.csv` is outside of the folders of tenant `acme`; use a path below `acme`
        6: sources.flights.paths[2]: `beta/secert.csv` is outside of the folders of tenant `acme`; use a path below `acme`
        11: stages.late.module: `acme/../beta/secret.wasm` is outside of the folders of tenant `acme`; use a path below `acme`
        26: sinks.archive.path: `beta/late.parquet` is outside of the folders of tenant `acme`; use a path below `acme`
        35: dead_letters.path: `acme/../beta/dead.jsonl` is outside of the folders of tenant `acme`; use a path below `acme`
    "#]]
    .assert_eq(&parse(folder.path(), &text).unwrap_err());
}

#[test]
fn dead_letters_are_not_written_through_links() {
    let folder = folder();
    symlink("../beta/dead.jsonl", folder.path().join("acme/dead.jsonl")).unwrap();
    symlink("../beta", folder.path().join("acme/link")).unwrap();
    for path in ["acme/dead.jsonl", "acme/link/dead.jsonl", "dead.jsonl", "acme/", "acme", "acme/..", ".."] {
        let text = format!("{}[dead_letters]\npath = \"{path}\"\n", query());
        let problems = parse(folder.path(), &text).expect_err(path);
        assert!(problems.contains("dead_letters.path: "), "{problems}");
    }
    assert!(!folder.path().join("beta/dead.jsonl").exists());
}

#[test]
fn a_file_that_is_swapped_for_a_link_after_the_check_is_not_read() {
    let folder = folder();
    let acme = folder.path().join("acme");
    let folders = Folders::within([&acme]).unwrap();
    let path = folders.input(&acme.join("flights.csv")).unwrap();
    folders.open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    symlink("../beta/secret.csv", &path).unwrap();
    assert_eq!(folders.open(&path).unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
    // And a folder above it.
    let path = acme.join("data/secret.csv");
    fs::remove_dir(acme.join("data")).unwrap();
    symlink("../beta", acme.join("data")).unwrap();
    assert_eq!(folders.open(&path).unwrap_err().kind(), std::io::ErrorKind::PermissionDenied);
}

#[test]
fn a_query_cannot_write_over_the_limits_file() {
    let folder = folder();
    let limits = folder.path().join("limits.toml");
    fs::write(&limits, "[tenants.demo]").unwrap();
    let path = folder.path().join("late.toml");
    fs::write(&path, GOOD.replace("out/late.parquet\"", "x/../limits.toml\"\nformat = \"csv\"")).unwrap();
    let error = Plan::load_with(&path, &LimitsFile::load(&limits).unwrap()).unwrap_err();
    let said = relative(&error.to_string(), folder.path());
    expect!["late.toml:26: sinks.archive.path: this is the limits file itself; use another file"].assert_eq(&said);
}
