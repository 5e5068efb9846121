//! Modules compiled in a process of their own: what it answers, how it ends, and what it may not do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_batch::Batch;
use weir_sandbox::{Carry, Compiler, Engine, EngineConfig, Instance, Limits, Module, Origin, Refusal, Tier};

use crate::support::{batch, block_on, i64s, tenant, wasm};

const WORKER: &str = env!("CARGO_BIN_EXE_weir-compile-worker");
const MANIFEST: &str =
    r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64"}]}"#;

fn engine(program: impl AsRef<Path>, arguments: &[&str]) -> Engine {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let compiler = Compiler::Worker { program: program.as_ref().to_owned(), arguments };
    Engine::new(&EngineConfig { compiler, instances_max: 8, ..EngineConfig::default() }).unwrap()
}

/// Keeps the first of two rows.
fn module() -> Vec<u8> {
    wasm(
        MANIFEST,
        r#"(memory (export "memory") 1) (data (i32.const 0) "\01")
           (func (export "weir_call_f") (param $rows i32) (result i32)
             (call $emit_filter (i32.const 0) (local.get $rows)))"#,
    )
}

fn rows() -> Arc<Batch> {
    batch(vec![("n", i64s([Some(1), Some(2)]))])
}

fn call(module: &Arc<Module>, limits: &Limits) -> usize {
    let bound = module.manifest().functions[0].bind(rows().schema(), &Carry::None, &[].into()).unwrap();
    let mut instance = Instance::new(module, &Arc::new(bound), limits);
    block_on(instance.call(&rows())).unwrap().output.rows()
}

#[test]
fn a_worker_compiles_fast_and_then_well() {
    let engine = engine(WORKER, &[]);
    for limits in [Limits::default(), Limits { hardened: true, ..Limits::default() }] {
        let module = engine.admit(&tenant(), &module(), &limits).unwrap();
        assert_eq!(call(&module, &limits), 1, "whichever code there is");
        assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Optimised);
        assert_eq!(call(&module, &limits), 1);
        assert_eq!(module.origin(), Origin::Compiler);
        let cost = module.compile_cost();
        assert!(cost.cpu.unwrap() > Duration::from_millis(1), "{cost:?}");
        assert!(cost.memory_bytes_peak.unwrap() > 1 << 20, "{cost:?}");
    }
}

#[test]
fn an_engine_that_does_not_optimise_leaves_code_as_it_is() {
    let worker = Compiler::Worker { program: WORKER.into(), arguments: Vec::new() };
    for compiler in [Compiler::InProcess, worker] {
        let config = EngineConfig { optimise: false, compiler, instances_max: 8, ..EngineConfig::default() };
        let engine = Engine::new(&config).unwrap();
        let module = engine.admit(&tenant(), &module(), &Limits::default()).unwrap();
        assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Baseline);
        assert_eq!(call(&module, &Limits::default()), 1);
    }
}

/// What a worker that is not what it should be leads to.
fn refused(program: impl AsRef<Path>, arguments: &[&str], limits: &Limits) -> Refusal {
    let engine = engine(program, arguments);
    let refusal = engine.admit(&tenant(), &module(), limits).unwrap_err();
    // The next one is not held up by it.
    engine.admit(&"other".parse().unwrap(), &module(), limits).unwrap_err();
    refusal
}

#[test]
fn a_worker_that_ends_is_a_refused_module() {
    let check = |script: &str, code: &str, expect: &str| {
        let refusal = refused("/bin/sh", &["-c", script], &Limits::default());
        assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, expect), "{script}");
    };
    check("cat > /dev/null & kill -SEGV $$", "compile_crash", "the compiler ended by signal 11 (SEGV) on this module");
    check(
        "echo memory allocation of 8388608 bytes failed >&2; kill -ABRT $$",
        "compile_crash",
        "the compiler ended by signal 6 (ABORT) on this module: memory allocation of 8388608 bytes failed",
    );
    check(
        "kill -XCPU $$",
        "compile_cpu",
        "the module takes too much to compile: compile time limit reached: limit 10 s, current 10 s, requested 1 s; \
         make its largest functions smaller",
    );
    check("echo no >&2; exit 3", "compile_worker", "no worker to compile the module: the worker ended with code 3: no");
    check(
        "cat > /dev/null; exit 0",
        "compile_worker",
        "no worker to compile the module: the worker's answer makes no sense: failed to fill whole buffer",
    );
    check(
        "cat > /dev/null; printf '\\377\\377\\377\\377'",
        "compile_worker",
        "no worker to compile the module: the worker's answer makes no sense: a message begins with a length out of range",
    );
    let missing = refused("/nowhere/worker", &[], &Limits::default());
    assert_eq!(missing.code(), "compile_worker");
    assert!(missing.to_string().contains("/nowhere/worker: No such file"), "{missing}");
}

/// What a real worker answers to another request for the same module, in a file.
fn recorded(folder: &Path) -> PathBuf {
    let recorded = folder.join("answer");
    let record = format!("{WORKER} | tee {}", recorded.display());
    let recording = engine("/bin/sh", &["-c", &record]);
    let module = recording.admit(&tenant(), &module(), &Limits::default()).unwrap();
    assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Optimised);
    recorded
}

#[test]
fn what_a_worker_answers_is_authenticated() {
    // Whole, well formed, and under another key.
    let folder = tempfile::tempdir().unwrap();
    let replay = format!("cat {}; cat > /dev/null", recorded(folder.path()).display());
    let refusal = refused("/bin/sh", &["-c", &replay], &Limits::default());
    assert_eq!(refusal.to_string(), "no worker to compile the module: what the worker answered is not authentic");
}

#[test]
fn a_worker_that_hangs_is_ended() {
    // 2 s of CPU time, so 13 s of patience.
    let limits = Limits { compile_cpu_s_max: 2, ..Limits::default() };
    let engine = engine("/bin/sh", &["-c", "exec sleep 600"]);
    let started = Instant::now();
    let refusal = engine.admit(&tenant(), &module(), &limits).unwrap_err();
    assert_eq!(refusal.code(), "compile_timeout");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn a_module_that_takes_too_long_to_optimise_runs_as_it_is() {
    // The first answer comes, of which the head says how long it is in its last eight bytes, and the second does not.
    let folder = tempfile::tempdir().unwrap();
    let answers = std::fs::read(recorded(folder.path())).unwrap();
    let head = 4 + u32::from_le_bytes(answers[..4].try_into().unwrap()) as usize;
    let code = u64::from_le_bytes(answers[head - 8..head].try_into().unwrap());
    let first = head as u64 + code;
    assert!(first < answers.len() as u64);
    let engine = engine("/bin/sh", &["-c", &format!("{WORKER} | head -c {first}; kill -XCPU $$")]);
    let module = engine.admit(&tenant(), &module(), &Limits::default()).unwrap();
    assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Baseline);
    assert_eq!(call(&module, &Limits::default()), 1);
}

#[test]
fn a_worker_may_do_nothing_but_compute() {
    let probe = |what: &str| {
        let output = Command::new(WORKER).args(["probe", what]).output().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
        (signal, String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (signal, said, _) = probe("nothing");
    assert_eq!(signal, None, "{said}");
    let seccomp = said.starts_with("enforced");
    for what in ["file", "socket", "process", "thread"] {
        let (signal, said, _) = probe(what);
        // What the kernel reports is what it does.
        let expect = if seccomp { (Some(31), false) } else { (None, true) };
        assert_eq!((signal, said.contains("still here")), expect, "{what}: {said}");
    }
    let (signal, said, _) = probe("file_without_seccomp");
    assert_eq!(signal, None);
    let expect = if said.starts_with("not available") { "not available: true\n" } else { said.as_str() };
    assert_eq!(said, expect);
    assert!(said.starts_with("not available") || said.ends_with(": false\n"), "{said}");
    // CPU time and memory do not depend on the kernel.
    assert_eq!(probe("spin").0, Some(24));
    let (signal, _, error) = probe("memory");
    assert!(signal == Some(6) && error.contains("memory allocation of 536870912 bytes failed"), "{signal:?} {error}");
}
