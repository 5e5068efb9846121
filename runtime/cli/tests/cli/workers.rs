//! Each tenant in a worker: files read by a process without a tenant, queries run by confined ones.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};

use crate::common::{run, said, weir};
use crate::lifecycle::send;
use crate::workers_lies::seen;

/// A folder a tenant, each with its query file `q.toml`, and a limits file that bounds each to its folder.
pub(crate) fn tenants(folder: &Path, texts: &[(&str, &str)]) {
    let mut limits = String::new();
    for (tenant, text) in texts {
        fs::create_dir_all(folder.join(tenant).join("out")).expect("a folder");
        let text = format!("name = \"q\"\ntenant = \"{tenant}\"\n{text}");
        fs::write(folder.join(tenant).join("q.toml"), text).expect("the query file");
        limits.push_str(&format!("[tenants.{tenant}]\nfolders = [\"{tenant}\"]\nqueries = [\"{tenant}\"]\n"));
    }
    fs::write(folder.join("limits.toml"), limits).expect("the limits file");
}

pub(crate) fn seed(batches: u64) -> String {
    format!(
        "[sources.seed]\nkind = \"generator\"\nbatches = {batches}\n\
         [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n"
    )
}

pub(crate) const RUN: [&str; 4] = ["run", "--workers", "--limits", "limits.toml"];

pub(crate) fn rows(folder: &Path, tenant: &str) -> usize {
    fs::read_to_string(folder.join(tenant).join("out/rows.csv")).expect("the output").lines().count() - 1
}

/// Processes whose parent is this one, or was.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    let mut all: Vec<u32> = list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    // Those that another thread of the parent has started.
    for task in fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten() {
        let list = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    all.sort_unstable();
    all.dedup();
    all
}

pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(60), "not within a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The lines of errors, without times.
pub(crate) fn check(folder: &Path, files: &[&str], code: i32, expect: Expect) {
    let told = run(folder, &[&RUN[..], files].concat());
    let lines: Vec<&str> =
        told.err.lines().filter(|line| line.starts_with("error") || line.contains(".toml")).collect();
    expect.assert_eq(&lines.join("\n").replace(&folder.display().to_string(), "<folder>"));
    assert_eq!(told.code, Some(code), "{}", told.err);
}

#[test]
fn each_tenant_runs_in_a_confined_process_and_the_accounts_are_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(30)), ("beta", &seed(20))]);
    let told = run(folder.path(), &[&RUN[..], &["acme/q.toml", "beta/q.toml"]].concat());
    assert_eq!((told.code, told.out.as_str()), (Some(0), ""), "{}", told.err);
    for line in ["query q of tenant acme: end of input", "query q of tenant beta: end of input"] {
        assert!(told.err.contains(line), "{}", told.err);
    }
    assert_eq!((rows(folder.path(), "acme"), rows(folder.path(), "beta")), (30_000, 20_000));
}

#[test]
fn every_mistake_is_named_with_its_line_and_who_may_not_speak_learns_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(1)), ("beta", &seed(1))]);
    let file = |name: &str, text: &str| fs::write(folder.path().join("acme").join(name), text).expect("a file");
    file("typo.toml", &format!("name = \"typo\"\ntenant = \"acme\"\n{}", seed(1).replace("batches", "batchs")));
    file("other.toml", &format!("name = \"o\"\ntenant = \"beta\"\n{}", seed(1)));
    file("out.toml", &format!("name = \"x\"\ntenant = \"acme\"\n{}", seed(1).replace("out/rows", "../beta/out/rows")));
    file("toml.toml", "name = \n");
    fs::write(folder.path().join("acme/utf8.toml"), b"name = \"\xff\"").expect("a file");
    let all =
        ["acme/typo.toml", "acme/other.toml", "acme/out.toml", "acme/toml.toml", "acme/utf8.toml", "acme/none.toml"];
    check(
        folder.path(),
        &all,
        2,
        expect![[r#"
            error: acme/other.toml:2: tenant: this file may not use the tenant `beta`; set the tenant of the query, and keep the file in a folder of that tenant; the operator lists these folders in the limits file (`[tenants.NAME]`, `queries`; `unknown_tenants`)
            error: acme/toml.toml:1: not valid TOML: string values must be quoted, expected literal string
            error: acme/utf8.toml: is not valid UTF-8 at byte 8: save it as UTF-8
            error: acme/none.toml: cannot be opened: No such file or directory (os error 2)
            error: acme/typo.toml:3: sources.seed.batches: missing; set the number of batches of 1000 records
            acme/typo.toml:5: sources.seed.batchs: a generator source has no such key; did you mean `batches`?
            error: acme/out.toml:8: sinks.out.path: `../beta/out/rows.csv` is outside of the folders of tenant `acme`; use a path below `<folder>/acme`"#]],
    );
    // One of them keeps none of the others from running.
    check(
        folder.path(),
        &["acme/typo.toml", "beta/q.toml"],
        1,
        expect![[r#"
        error: acme/typo.toml:3: sources.seed.batches: missing; set the number of batches of 1000 records
        acme/typo.toml:5: sources.seed.batchs: a generator source has no such key; did you mean `batches`?"#]],
    );
    assert_eq!(rows(folder.path(), "beta"), 1_000);
}

#[test]
fn queries_of_different_workers_are_held_against_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(1)), ("beta", &seed(1))]);
    // The operator lets both write to one folder.
    fs::write(
        folder.path().join("limits.toml"),
        "[tenants.acme]\nfolders = [\"acme\"]\n[tenants.beta]\nfolders = [\"acme\", \"beta\"]\n",
    )
    .expect("the limits file");
    let text = fs::read_to_string(folder.path().join("beta/q.toml")).expect("the file");
    fs::write(folder.path().join("beta/q.toml"), text.replace("out/rows", "../acme/out/rows")).expect("the file");
    check(
        folder.path(),
        &["acme/q.toml", "beta/q.toml"],
        1,
        expect![
            "error: beta/q.toml:8: sinks.out.path: a query of another tenant in this run writes this file; use separate files for each query"
        ],
    );
    assert_eq!(rows(folder.path(), "acme"), 1_000);
}

#[test]
fn a_tenant_without_folders_is_refused_unless_the_operator_gives_that_wall_up() {
    let folder = tempfile::tempdir().expect("a folder");
    tenants(folder.path(), &[("acme", &seed(1))]);
    fs::write(folder.path().join("limits.toml"), "[tenants.acme]\n").expect("the limits file");
    check(
        folder.path(),
        &["acme/q.toml"],
        2,
        expect![
            "error: acme/q.toml: tenant `acme` has no `folders` in the limits file, so that its worker would reach the files of others; bound them there, or give that wall up with `--allow-weak=landlock`"
        ],
    );
    check(
        folder.path(),
        &["--allow-weak=seccomp", "acme/q.toml"],
        2,
        expect![
            "error: acme/q.toml: tenant `acme` has no `folders` in the limits file, so that its worker would reach the files of others; bound them there, or give that wall up with `--allow-weak=landlock`"
        ],
    );
    check(folder.path(), &["--allow-weak=landlock", "acme/q.toml"], 0, expect![""]);
    assert_eq!(rows(folder.path(), "acme"), 1_000);
    let told = run(folder.path(), &[&RUN[..], &["--allow-weak=moat", "acme/q.toml"]].concat());
    assert_eq!(told.code, Some(2));
    assert!(told.err.contains("unknown wall"), "{}", told.err);
}

#[test]
fn variables_reach_the_tenants_that_may_read_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let text =
        seed(1).replace("\"out/rows.csv\"", "{ env = \"WEIR_TEST_OUT\" }").replace("path", "format = \"csv\"\npath");
    tenants(folder.path(), &[("acme", &text), ("beta", &text)]);
    let limits = fs::read_to_string(folder.path().join("limits.toml")).expect("the limits file");
    let limits = limits.replace("[tenants.acme]", "[tenants.acme]\nenv = [\"WEIR_TEST_*\"]");
    fs::write(folder.path().join("limits.toml"), limits).expect("the limits file");
    let mut command = weir(folder.path(), &[&RUN[..], &["acme/q.toml", "beta/q.toml"]].concat());
    let told = said(command.env("WEIR_TEST_OUT", "out/rows.csv").output().expect("the command"));
    assert_eq!(told.code, Some(1), "{}", told.err);
    assert!(told.err.contains("`WEIR_TEST_OUT` is not an allowed variable of tenant `beta`"), "{}", told.err);
    assert_eq!(rows(folder.path(), "acme"), 1_000);
}

/// A run that goes on until it is stopped, each tenant with its state.
pub(crate) fn endless(folder: &Path) -> Child {
    endless_with(folder, &[])
}

/// The same, with further arguments.
pub(crate) fn endless_with(folder: &Path, further: &[&str]) -> Child {
    let text = "[sources.seed]\nkind = \"generator\"\nbatches = 1000000000\n\
                [delivery]\nguarantee = \"exactly_once\"\nstate = \"out/state\"\ncommit_ms = 50\n\
                [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n";
    tenants(folder, &[("acme", text), ("beta", text)]);
    let mut command = weir(folder, &[&RUN[..], further, &["acme/q.toml", "beta/q.toml"]].concat());
    // Other tests run queries of the same names.
    command.env("WEIR_RUNTIME_DIR", folder.join("run"));
    let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("the command");
    for tenant in ["acme", "beta"] {
        until("the first commit", || {
            fs::read_dir(folder.join(tenant).join("out")).is_ok_and(|files| files.count() > 1)
        });
    }
    child
}

/// Kills a worker.
fn kill(worker: u32) {
    // SAFETY: `kill` takes two integers and touches no memory of ours; the process is the child's, which has not waited for it.
    #[expect(unsafe_code, reason = "the process is not this one's child")]
    let sent = unsafe { libc::kill(i32::try_from(worker).expect("a process id"), libc::SIGKILL) };
    assert_eq!(sent, 0);
}

/// How many files a tenant's query has published.
pub(crate) fn published(folder: &Path, tenant: &str) -> usize {
    let files = fs::read_dir(folder.join(tenant).join("out")).expect("the output").flatten();
    files.filter(|file| file.file_name().to_string_lossy().starts_with("rows")).count()
}

/// The first column of every file that a tenant published.
pub(crate) fn ids(folder: &Path, tenant: &str) -> Vec<u64> {
    let mut ids = Vec::new();
    for file in fs::read_dir(folder.join(tenant).join("out")).expect("the output").flatten() {
        let name = file.file_name().into_string().expect("a name");
        if !name.starts_with("rows") {
            continue;
        }
        let text = fs::read_to_string(file.path()).expect("a file");
        ids.extend(text.lines().skip(1).filter_map(|line| line.split(',').next()?.parse::<u64>().ok()));
    }
    ids
}

#[test]
fn a_worker_that_is_killed_is_started_again_and_touches_nobody_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = endless(folder.path());
    let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
    let before = children(child.id());
    assert_eq!(before.len(), 2, "a worker a tenant");
    let victim = before[0];
    kill(victim);
    let mut line = String::new();
    until("it is said", || stderr.read_line(&mut line).is_ok() && line.contains("ended by signal 9"));
    until("another one is there", || {
        let now = children(child.id());
        now.len() == 2 && !now.contains(&victim) && now.contains(&before[1])
    });
    let at_the_kill = ["acme", "beta"].map(|tenant| (tenant, published(folder.path(), tenant)));
    until("both go on", || at_the_kill.iter().all(|(tenant, files)| published(folder.path(), tenant) > *files));
    send(&child, libc::SIGTERM);
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).expect("standard error");
    let told = said(child.wait_with_output().expect("an end"));
    assert_eq!(told.code, Some(0), "{line}{rest}");
    for tenant in ["acme", "beta"] {
        let ids = ids(folder.path(), tenant);
        assert!(!ids.is_empty() && ids.len().is_multiple_of(1_000), "{tenant}: {} rows", ids.len());
        let of_one = ids.iter().filter(|id| **id == 7).count();
        assert_eq!(of_one, ids.len() / 1_000, "{tenant}: every batch once and whole");
    }
}

#[test]
fn status_and_top_show_workers() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = endless(folder.path());
    let victim = children(child.id())[0];
    kill(victim);
    let status = || seen(folder.path(), &["status"]).out;
    until("one was started again", || status().contains("started again 1 times"));
    until("it works", || status().matches("): running, ").count() == 4);
    // Without what is different each time: a line of status for each kind of line.
    let shape = |line: &str| {
        let number = |word: &str| word.chars().any(|letter| letter.is_ascii_digit());
        line.split(' ').map(|word| if number(word) { "N" } else { word }).collect::<Vec<_>>().join(" ")
    };
    let told = status();
    let lines: std::collections::BTreeSet<String> = (told.lines())
        .filter(|line| line.starts_with("  worker") || line.starts_with("    "))
        .map(|line| shape(line.trim_start()))
        .collect();
    expect![[r#"
        its last process ended by signal N (KILL)
        walls: seccomp, landlock, landlock-scopes, mdwe
        worker N (pid N running, N s of CPU, N MB, N threads, N descriptors, started again N times"#]]
    .assert_eq(&lines.into_iter().collect::<Vec<_>>().join("\n"));

    let told = seen(folder.path(), &["--json", "status", "--tenant", "acme"]).out;
    let told: serde_json::Value = serde_json::from_str(&told).expect("one query");
    let worker = &told["worker"];
    let queries = serde_json::json!([{ "tenant": "acme", "query": "q" }]);
    assert_eq!(
        (&worker["tenant"], &worker["queries"], &worker["is_running"]),
        (&"acme".into(), &queries, &true.into())
    );
    assert_eq!((&worker["pid"], worker["walls"].as_array().map(Vec::len)), (&told["pid"], Some(4)));
    assert_eq!(told["walls_given_up"], serde_json::json!([]));

    let told = seen(folder.path(), &["top", "--once"]).out;
    let workers: Vec<String> = told.lines().filter(|line| line.trim_start().starts_with("worker")).map(shape).collect();
    assert_eq!(workers.len(), 2, "{told}");
    expect![[r#""#]].assert_eq(workers[1].split("  ").next().expect("a name"));
    send(&child, libc::SIGTERM);
    child.wait().expect("an end");
}

#[test]
fn workers_end_with_the_process_that_started_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut child = endless(folder.path());
    let workers = children(child.id());
    assert_eq!(workers.len(), 2);
    child.kill().expect("the command is there");
    child.wait().expect("its end");
    until("no worker is left", || {
        let alive =
            |pid: &u32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        !workers.iter().any(alive)
    });
}

#[test]
fn modules_are_compiled_for_workers_that_can_make_no_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = weir_tests::guest_path("faulty").expect("the faulty guest");
    let text = |stage: &str| {
        format!(
            "[sources.seed]\nkind = \"generator\"\nbatches = 20\n\
             [[stages]]\nname = \"stage\"\nmodule = \"faulty.wasm\"\nfunction = \"panics\"\n{stage}\
             [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n"
        )
    };
    let skipped = "params = { at = 500 }\non_error = \"skip\"\n";
    tenants(folder.path(), &[("acme", &text("")), ("beta", &text(skipped)), ("evil", &text(""))]);
    for tenant in ["acme", "beta"] {
        fs::copy(&module, folder.path().join(tenant).join("faulty.wasm")).expect("the module");
    }
    fs::write(folder.path().join("evil/faulty.wasm"), b"\0asm\x01\0\0\0").expect("a module");
    let files = ["acme/q.toml", "beta/q.toml", "evil/q.toml"];
    // The first time the modules are compiled; the second time their code is in the cache.
    for _ in 0..2 {
        let told = run(folder.path(), &[&RUN[..], &files].concat());
        assert_eq!(told.code, Some(1), "{}", told.err);
        assert!(told.err.contains("query q of tenant acme: end of input"), "{}", told.err);
        assert!(told.err.contains("20 failed"), "{}", told.err);
        assert!(told.err.contains("evil/q.toml"), "{}", told.err);
        assert_eq!((rows(folder.path(), "acme"), rows(folder.path(), "beta")), (20_000, 19_980));
        for tenant in ["acme", "beta"] {
            fs::remove_file(folder.path().join(tenant).join("out/rows.csv")).expect("the output");
        }
    }
}
