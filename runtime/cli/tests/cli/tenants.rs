//! Several queries of several tenants in one process.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use weir_tests::guest_path;

use crate::common::{ONE_PROCESS, run, said, weir};
use crate::lifecycle::send;

/// Writes the query file `<name>.toml`: `batches` thousand records through a function into `<name>.csv`.
fn query(folder: &Path, name: &str, tenant: &str, batches: u64, function: &str, stage: &str) {
    let module = guest_path("faulty").expect("the faulty guest");
    let text = format!(
        r#"name = "{name}"
tenant = "{tenant}"
[sources.seed]
kind = "generator"
batches = {batches}
[[stages]]
name = "stage"
module = {module:?}
function = "{function}"
{stage}
[sinks.out]
kind = "file"
path = "{name}.csv"
"#
    );
    fs::write(folder.join(format!("{name}.toml")), text).expect("the query file");
}

/// The JSON lines on standard error that have this key.
fn lines(err: &str, key: &str) -> Vec<Value> {
    let lines = err.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line.get(key).is_some()).collect()
}

fn rows(folder: &Path, file: &str) -> usize {
    fs::read_to_string(folder.join(file)).expect("the output").lines().count() - 1
}

#[test]
fn two_queries_run_side_by_side_and_each_is_called_by_its_name() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "one", "acme", 30, "panics", "");
    query(folder.path(), "two", "beta", 20, "loops", "");
    let told = run(folder.path(), &["run", ONE_PROCESS, "one.toml", "two.toml"]);
    assert_eq!((told.code, told.out.as_str()), (Some(0), ""), "{}", told.err);
    for name in ["query one of tenant acme: end of input", "query two of tenant beta: end of input"] {
        assert!(told.err.contains(name), "{}", told.err);
    }
    assert_eq!((rows(folder.path(), "one.csv"), rows(folder.path(), "two.csv")), (30_000, 20_000));
}

#[test]
fn one_that_fails_does_not_end_the_others_and_the_exit_code_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "bad", "acme", 10, "panics", "params = { at = 500 }");
    query(folder.path(), "good", "beta", 300, "panics", "");
    let told = run(folder.path(), &["run", ONE_PROCESS, "bad.toml", "good.toml"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.err.contains("error: query bad of tenant acme: stages.stage: "), "{}", told.err);
    assert!(told.err.contains("query bad of tenant acme: failed"), "{}", told.err);
    assert!(told.err.contains("query good of tenant beta: end of input"), "{}", told.err);
    assert!(!folder.path().join("bad.csv").exists());
    assert_eq!(rows(folder.path(), "good.csv"), 300_000);

    fs::remove_file(folder.path().join("good.csv")).expect("the output");
    let told = run(folder.path(), &["--json", "run", ONE_PROCESS, "bad.toml", "good.toml"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    let errors = lines(&told.err, "error");
    assert_eq!((errors.len(), &errors[0]["query"], &errors[0]["tenant"]), (1, &"bad".into(), &"acme".into()));
    let mut ends: Vec<_> = lines(&told.err, "summary").iter().map(|line| line["query"].clone()).collect();
    ends.sort_by_key(ToString::to_string);
    assert_eq!(ends, ["bad", "good"]);
}

#[test]
fn one_that_cannot_start_is_reported_and_the_others_run() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["good", "inway", "bad"] {
        query(folder.path(), name, "acme", 10, "panics", "");
    }
    fs::write(folder.path().join("inway.csv"), "there").expect("a file in the way");
    // One whose module is refused, and one whose file is wrong.
    fs::write(folder.path().join("none.wasm"), b"\0asm\x01\0\0\0").expect("a module");
    let text = fs::read_to_string(folder.path().join("bad.toml")).expect("the query file");
    let module = text.lines().find(|line| line.starts_with("module")).expect("the module");
    fs::write(folder.path().join("bad.toml"), text.replace(module, "module = \"none.wasm\"")).expect("the file");
    fs::write(folder.path().join("wrong.toml"), "name = \"wrong\"\n").expect("a query file");
    let told = run(folder.path(), &["run", ONE_PROCESS, "inway.toml", "bad.toml", "wrong.toml", "good.toml"]);
    assert_eq!(told.code, Some(1), "{}", told.err);
    for part in [
        "error: query inway of tenant acme: sinks.out: ",
        "error: bad.toml:8: stages.stage.module: ",
        "error: wrong.toml:1: sources: ",
        "query good of tenant acme: end of input",
    ] {
        assert!(told.err.contains(part), "{part}\n{}", told.err);
    }
    assert_eq!(rows(folder.path(), "good.csv"), 10_000);
    assert_eq!(fs::read_to_string(folder.path().join("inway.csv")).expect("the file"), "there");

    // Where none can start, nothing was run.
    let told = run(folder.path(), &["run", ONE_PROCESS, "inway.toml", "wrong.toml"]);
    assert_eq!(told.code, Some(2), "{}", told.err);
    let told = run(folder.path(), &["run", ONE_PROCESS, "bad.toml", "wrong.toml"]);
    assert_eq!(told.code, Some(2), "{}", told.err);
}

#[test]
fn one_that_opens_more_files_than_there_may_be_leaves_the_others_theirs() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "greedy", "acme", 10, "panics", "");
    query(folder.path(), "good", "beta", 10, "panics", "");
    let mut text = fs::read_to_string(folder.path().join("greedy.toml")).expect("the query file");
    for sink in 0..200 {
        text.push_str(&format!("[sinks.s{sink}]\nkind = \"file\"\npath = \"{sink}.csv\"\n"));
    }
    fs::write(folder.path().join("greedy.toml"), text).expect("the query file");
    // More sinks than a query may have where the operator does not say so.
    let limits = "[tenants.acme]\nsinks_max = 300\n[tenants.beta]\n";
    fs::write(folder.path().join("limits.toml"), limits).expect("the limits file");
    let mut command = Command::new("sh");
    let weir = weir(folder.path(), &[]);
    command.envs(weir.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("WEIR_LOG");
    let script = r#"ulimit -n 128; exec "$0" run "$1" --limits limits.toml greedy.toml good.toml"#;
    command.args(["-c", script]).arg(weir.get_program()).arg(ONE_PROCESS).current_dir(folder.path());
    let told = said(command.output().expect("the command"));
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.err.contains("error: query greedy of tenant acme: sinks."), "{}", told.err);
    assert!(told.err.contains("query good of tenant beta: end of input"), "{}", told.err);
    assert_eq!(rows(folder.path(), "good.csv"), 10_000);
}

#[test]
fn every_mistake_of_every_file_is_named_before_anything_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "right", "acme", 1, "panics", "");
    query(folder.path(), "greedy", "acme", 1, "panics", "[stages.limits]\nmemory_bytes_max = 33554432\ncpu_weight = 9");
    query(folder.path(), "wrong", "beta", 1, "panic", "");
    fs::create_dir(folder.path().join("acme")).expect("a folder");
    let limits = "[tenants.acme]\nmemory_bytes_max = 16777216\nfolders = [\"acme\"]\n[tenants.beta]\n";
    fs::write(folder.path().join("limits.toml"), limits).expect("the limits file");
    for command in ["check", "run"] {
        let shared: &[&str] = if command == "run" { &[ONE_PROCESS] } else { &[] };
        let args = [command, "--limits", "limits.toml", "right.toml", "greedy.toml", "wrong.toml"];
        let told = run(folder.path(), &[&args[..], shared].concat());
        assert_eq!((told.code, told.out.as_str()), (Some(2), ""), "{}", told.err);
        for mistake in [
            "right.toml:13: sinks.out.path: `right.csv` is outside of the folders of tenant `acme`",
            "greedy.toml:11: stages.stage.limits.memory_bytes_max: 33554432 (32 MiB) exceeds the limit of tenant `acme`: 16777216 (16 MiB)",
            "greedy.toml:12: stages.stage.limits.cpu_weight: this limit applies to all queries",
            "wrong.toml:9: stages.stage.function: ",
        ] {
            assert!(told.err.contains(mistake), "{mistake}\n{}", told.err);
        }
    }
    // Limits that are wrong hide no mistake of a query that has nothing to do with them.
    fs::write(folder.path().join("limits.toml"), "[tenants.acme]\nmemory = 1\n").expect("the limits file");
    let told = run(folder.path(), &["check", "--limits", "limits.toml", "right.toml", "wrong.toml"]);
    assert_eq!(told.code, Some(2));
    for mistake in ["limits.toml:2: tenants.acme.memory: a tenant has no such key", "wrong.toml:9: "] {
        assert!(told.err.contains(mistake), "{mistake}\n{}", told.err);
    }
    for file in ["right.csv", "greedy.csv", "wrong.csv"] {
        assert!(!folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn machines_are_told_of_each_file_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "one", "acme", 1, "panics", "");
    query(folder.path(), "two", "beta", 1, "panics", "");
    let told = run(folder.path(), &["--json", "check", "one.toml", "two.toml"]);
    let said: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(said.len(), 2);
    let second = [&said[1]["file"], &said[1]["right"], &said[1]["query"], &said[1]["tenant"]];
    assert_eq!(second, [&Value::from("two.toml"), &true.into(), &"two".into(), &"beta".into()]);
    let told = run(folder.path(), &["--json", "check", "one.toml", "one.toml"]);
    assert_eq!(told.code, Some(2));
    let said: Value = serde_json::from_str(told.out.lines().next().expect("a line")).expect("JSON");
    assert_eq!(
        (&said["file"], &said["right"], &said["problems"][0]["line"]),
        (&"one.toml".into(), &false.into(), &1.into())
    );
}

#[test]
fn a_signal_drains_all_of_them() {
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, tenant) in [("one", "acme"), ("two", "beta")] {
            query(folder.path(), name, tenant, 1_000_000_000, "panics", "");
        }
        let mut child = weir(folder.path(), &["--json", "run", ONE_PROCESS, "one.toml", "two.toml"]);
        let mut child = child.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command");
        // Progress of both says that records flow in both.
        let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
        let mut seen: Vec<String> = Vec::new();
        while !["one", "two"].iter().all(|name| seen.iter().any(|line| line.contains(&format!("\"query\":\"{name}\""))))
        {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("a progress line") > 0, "{seen:?}");
            seen.push(line);
        }
        send(&child, signal);
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).expect("standard error");
        let told = said(child.wait_with_output().expect("an end"));
        assert_eq!(told.code, Some(0), "{rest}");
        let ends = lines(&rest, "summary");
        assert_eq!(ends.len(), 2, "{rest}");
        for end in ends {
            let (name, summary) = (end["query"].as_str().expect("a name"), &end["summary"]);
            assert_eq!((&summary["query"], &summary["ending"]), (&end["query"], &"stopped".into()));
            let read = summary["sources"][0]["records"].as_u64().expect("a number");
            assert!(read > 0 && summary["committed_records"] == read, "{summary}");
            assert_eq!(rows(folder.path(), &format!("{name}.csv")) as u64, read);
        }
    }
}

#[test]
fn a_function_that_keeps_ending_badly_is_held_back_for_all_to_see() {
    let folder = tempfile::tempdir().expect("a folder");
    query(folder.path(), "good", "beta", 10, "panics", "");
    query(folder.path(), "bad", "acme", 0, "panics", "params = { at = 7 }\non_error = \"skip\"");
    let text = fs::read_to_string(folder.path().join("bad.toml")).expect("the query file");
    let source = "kind = \"file\"\npath = \"in.jsonl\"\nschema = { id = \"i64\" }";
    let text = text.replace("kind = \"generator\"\nbatches = 0", source) + "[batching]\nrecords_max = 4\n";
    fs::write(folder.path().join("bad.toml"), text).expect("the query file");
    fs::write(folder.path().join("in.jsonl"), "{\"id\":7}\n".repeat(24)).expect("the input");
    let told = run(folder.path(), &["run", ONE_PROCESS, "bad.toml", "good.toml"]);
    assert_eq!(told.code, Some(0), "{}", told.err);
    let warned = told.err.lines().find(|line| line.contains("held back: ")).unwrap_or_else(|| panic!("{}", told.err));
    for part in ["query=bad", "tenant=acme", "stage=\"stage\"", "code=\"unreachable\"", "pause_ms=", "bad_batches="] {
        assert!(warned.contains(part), "{part} in {warned}");
    }
    assert!(told.err.contains("24 failed") && told.err.contains("; held back "), "{}", told.err);
}

/// A module that takes long to compile for its size: nests of blocks over many locals. No two are the same.
fn slow_module(number: usize) -> Vec<u8> {
    let (locals, depth) = (250, 40);
    let each = |text: &dyn Fn(usize) -> String| (1..=locals).map(text).collect::<String>();
    let breaks: String = (0..depth).map(|level| format!("local.get 0 br_if {level} ")).collect();
    let nest = format!(
        "{} {breaks} {} {}",
        "block ".repeat(depth),
        each(&|local| format!("local.get 0 local.set {local} ")),
        "end ".repeat(depth)
    );
    let bomb = format!(
        "(func (param i32) (result i32) (local{}) {} i32.const {number} {})",
        " i32".repeat(locals),
        nest.repeat(2),
        each(&|local| format!("local.get {local} i32.xor "))
    );
    let text = format!(
        r#"(module (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
            (memory (export "memory") 1) {}
            (func (export "weir_call_panics") (param i32) (result i32) (call $emit_filter (i32.const 0) (local.get 0)))
            (@custom "weir.manifest" "{{\22abi\22:1,\22name\22:\22panics\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}}"))"#,
        bomb
    );
    wat::parse_str(text).expect("a module")
}

#[test]
fn slow_modules_of_one_tenant_keep_nobody_from_starting() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let mut files: Vec<String> = Vec::new();
    for number in 0..8 {
        let name = format!("slow{number}");
        query(path, &name, "evil", 1, "panics", "");
        let module = path.join(format!("{name}.wasm"));
        fs::write(&module, slow_module(number)).expect("a module");
        let file = path.join(format!("{name}.toml"));
        let text = fs::read_to_string(&file).expect("the query file");
        let guest = guest_path("faulty").expect("the faulty guest");
        fs::write(&file, text.replace(&format!("{guest:?}"), &format!("{module:?}"))).expect("the query file");
        files.push(format!("{name}.toml"));
    }
    // Named last, and ready first but for what is compiled already when they come.
    for name in ["one", "two"] {
        query(path, name, name, 3, "panics", "");
        files.push(format!("{name}.toml"));
    }
    let mut arguments = vec!["--json", "run", ONE_PROCESS];
    arguments.extend(files.iter().map(String::as_str));
    let told = said(weir(path, &arguments).env("WEIR_CODE_CACHE", path.join("code")).output().expect("the command"));
    assert_eq!(told.code, Some(0), "{}", told.err);
    let ends: Vec<String> =
        lines(&told.err, "summary").iter().map(|line| line["query"].as_str().expect("a name").to_owned()).collect();
    assert_eq!(ends.len(), 10, "{ends:?}");
    let slow_before =
        |name: &str| ends.iter().take_while(|end| *end != name).filter(|end| end.starts_with("slow")).count();
    assert!(slow_before("one") <= 2 && slow_before("two") <= 3, "{ends:?}");
    assert_eq!((rows(path, "one.csv"), rows(path, "two.csv")), (3_000, 3_000));
}

#[test]
fn a_stop_comes_through_while_slow_modules_are_compiled() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    query(path, "slow", "evil", 1, "panics", "");
    let module = path.join("slow.wasm");
    fs::write(&module, slow_module(100)).expect("a module");
    let guest = guest_path("faulty").expect("the faulty guest");
    let text = fs::read_to_string(path.join("slow.toml")).expect("the query file");
    fs::write(path.join("slow.toml"), text.replace(&format!("{guest:?}"), &format!("{module:?}"))).expect("a file");
    query(path, "fast", "acme", 1_000_000_000, "panics", "");
    let mut command = weir(path, &["--json", "run", ONE_PROCESS, "--grace-ms", "3000", "fast.toml", "slow.toml"]);
    command.env("WEIR_CODE_CACHE", path.join("code"));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the command");
    let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
    let mut text = String::new();
    stderr.read_line(&mut text).expect("a line of progress");
    let started = std::time::Instant::now();
    send(&child, libc::SIGTERM);
    stderr.read_to_string(&mut text).expect("the rest");
    let status = child.wait().expect("an end");
    assert!(started.elapsed() < std::time::Duration::from_secs(4), "{:?}: {text}", started.elapsed());
    assert_eq!(status.code(), Some(0), "{text}");
}
