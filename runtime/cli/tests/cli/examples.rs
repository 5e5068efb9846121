//! The query files in `examples/`: none of them may rot.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::common::{root, run};

#[test]
fn every_example_is_right_and_runs() {
    let mut examples: Vec<_> = fs::read_dir(root().join("examples"))
        .expect("the examples")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "toml") && !path.ends_with("limits.toml"))
        .collect();
    examples.sort();
    assert!(examples.len() >= 3, "{examples:?}");
    for example in examples {
        for verb in ["check", "run"] {
            let said = run(&root(), &[verb, example.to_str().expect("UTF-8")]);
            assert_eq!(said.code, Some(0), "weir {verb} {}: {}", example.display(), said.err);
            assert!(!said.err.contains("error"), "weir {verb} {}: {}", example.display(), said.err);
        }
    }
}

#[test]
fn the_examples_of_one_run_keep_to_the_limits_file_beside_them() {
    let limits = ["--limits", "examples/limits.toml"];
    let said = run(&root(), &[&["run"], &limits[..], &["examples/seed.toml", "examples/late-flights.toml"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    for query in ["seed", "late-flights"] {
        assert!(said.err.contains(&format!("query {query} of tenant demo: end of input")), "{}", said.err);
    }
    // Two tables on one terminal.
    let said =
        run(&root(), &[&["check"], &limits[..], &["examples/nexmark.toml", "examples/late-flights.toml"]].concat());
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("late-flights.toml:30: sinks.table: query `nexmark` of tenant `demo`"), "{}", said.err);
}

/// The query file of the reference page is a whole one; its module and data stand where the examples' do.
#[test]
fn the_query_file_of_the_reference_is_right() {
    let page = fs::read_to_string(root().join("runtime/query/QUERY.md")).expect("the reference");
    let (_, from) = page.split_once("```toml\n").expect("a query file");
    let (text, _) = from.split_once("```").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    let text = text.replace("\"../", &format!("\"{}/", root().display()));
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    let said = run(folder.path(), &["check", "q.toml"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let said = run(folder.path(), &["run", "q.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(folder.path().join("out/late-000001.jsonl").is_file());
}

#[test]
fn the_limits_file_of_the_reference_is_right() {
    let page = fs::read_to_string(root().join("runtime/query/QUERY.md")).expect("the reference");
    let (_, page) = page.split_once("## The limits file").expect("the limits file's section");
    let (_, from) = page.split_once("```toml\n").expect("a limits file");
    let (text, _) = from.split_once("```").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("limits.toml"), text).expect("the limits file");
    for below in ["out/acme", "data", "queries/acme"] {
        fs::create_dir_all(folder.path().join(below)).expect("a folder");
    }
    let query = "name = \"q\"\ntenant = \"acme\"\n[sources.seed]\nkind = \"generator\"\nbatches = 1\n[sinks.out]\nkind = \"file\"\n";
    for (file, path, code) in [
        ("queries/acme/q.toml", "../../out/acme/ids.csv", 0),
        ("queries/acme/q.toml", "../../out/ids.csv", 2),
        ("q.toml", "out/acme/ids.csv", 2),
    ] {
        fs::write(folder.path().join(file), format!("{query}path = \"{path}\"")).expect("the query file");
        let said = run(folder.path(), &["check", "--limits", "limits.toml", file]);
        assert_eq!(said.code, Some(code), "{}", said.err);
    }
}

#[test]
fn the_query_file_of_the_readme_is_right_and_runs() {
    let page = fs::read_to_string(root().join("README.md")).expect("the README");
    let (_, from) = page.split_once("```toml\n").expect("a query file");
    let (text, _) = from.split_once("```").expect("its end");
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("q.toml"), text).expect("the query file");
    fs::copy(root().join("data/flights-sample.parquet"), folder.path().join("flights.parquet")).expect("the flights");
    let module = weir_tests::guest_path("flights").expect("the flights guest");
    fs::copy(module, folder.path().join("flights.wasm")).expect("the module");
    let said = run(folder.path(), &["run", "q.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for file in ["late.parquet", "all.arrow"] {
        assert!(folder.path().join("out").join(file).is_file(), "{file}");
    }
}

/// The README and every page of `docs`.
fn pages() -> Vec<(PathBuf, String)> {
    let docs = fs::read_dir(root().join("docs")).expect("the pages").map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|suffix| suffix == "md")).collect();
    paths.extend(["README.md", "CONTRIBUTING.md", "runtime/query/QUERY.md"].map(|page| root().join(page)));
    paths.into_iter().map(|path| (path.clone(), fs::read_to_string(path).expect("a page"))).collect()
}

/// The blocks of code in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    let after = page.split(&fence).skip(1);
    after.map(|from| from.split_once("\n```").expect("a block ends").0).collect()
}

#[test]
fn every_query_file_in_the_docs_is_right() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(root().join("data/flights-sample.parquet"), folder.path().join("flights.parquet")).expect("the flights");
    let module = weir_tests::guest_path("flights").expect("the flights guest");
    fs::copy(module, folder.path().join("flights.wasm")).expect("the module");
    let mut checked = 0;
    for (path, page) in pages() {
        for block in blocks(&page, "toml") {
            let parsed: Result<toml::Table, _> = toml::from_str(block);
            let table = parsed.unwrap_or_else(|error| panic!("{}: {error}\n{block}", path.display()));
            if !table.contains_key("name") || !table.contains_key("sources") {
                continue;
            }
            let text = block.replace("\"../", &format!("\"{}/", root().display()));
            fs::write(folder.path().join("q.toml"), text).expect("the query file");
            let said = run(folder.path(), &["check", "q.toml"]);
            assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}:\n{block}", path.display());
            checked += 1;
        }
    }
    assert!(checked >= 3, "{checked}");
}

#[test]
fn every_weir_command_in_the_docs_is_one() {
    let mut helps: BTreeMap<String, String> = BTreeMap::new();
    let mut seen = 0;
    for (path, page) in pages() {
        for line in blocks(&page, "sh").into_iter().flat_map(str::lines) {
            let command = line.split(" #").next().unwrap_or(line);
            let words =
                command.split_once("weir-cli -- ").map(|(_, words)| words).or_else(|| command.strip_prefix("weir "));
            let Some(words) = words else { continue };
            let words: Vec<&str> = words.split_whitespace().collect();
            let name = words.iter().copied().find(|word| !word.starts_with('-')).expect("a command");
            let mut verb = vec![name];
            if name == "dead-letters" {
                verb.extend(words.iter().copied().filter(|word| ["list", "show", "replay"].contains(word)));
            }
            let help = helps.entry(verb.join(" ")).or_insert_with(|| {
                let said = run(&root(), &[&verb[..], &["--help"]].concat());
                assert_eq!(said.code, Some(0), "{}: {line}: {}", path.display(), said.err);
                said.out
            });
            for option in words.iter().filter(|word| word.starts_with("--")) {
                let option = option.split('=').next().unwrap_or(option);
                assert!(help.contains(option), "{}: {line}: `weir {}` has no {option}", path.display(), verb.join(" "));
            }
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
}

#[test]
fn the_links_of_the_docs_lead_somewhere() {
    for (path, page) in pages() {
        let folder = path.parent().expect("a folder");
        for target in page.split("](").skip(1).filter_map(|from| from.split(')').next()) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            if target.contains("://") {
                continue;
            }
            let linked = if file.is_empty() { path.clone() } else { folder.join(file) };
            assert!(linked.exists(), "{}: {target}", path.display());
            if !anchor.is_empty() && linked.extension().is_some_and(|suffix| suffix == "md") {
                let text = fs::read_to_string(&linked).expect("a page");
                let titles = text.lines().filter(|line| line.starts_with('#')).map(|line| {
                    let title = line.trim_start_matches('#').trim().to_lowercase();
                    title
                        .chars()
                        .filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign))
                        .collect::<String>()
                        .replace(' ', "-")
                });
                assert!(titles.into_iter().any(|title| title == anchor), "{}: {target}", path.display());
            }
        }
    }
}
