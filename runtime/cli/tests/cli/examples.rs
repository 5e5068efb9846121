//! The query files in `examples/`: none of them may rot.

use std::fs;

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
