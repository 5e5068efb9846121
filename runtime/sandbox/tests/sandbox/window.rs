//! Code of a window: a supervisor (the test) puts it there while a confined worker (this program again) runs it.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::process::{Command, Stdio, exit};
use std::sync::Arc;

use expect_test::expect;
use weir_admission::{CodeSettings, compile_here};
use weir_confine::{Budgets, CodeWindow, Confinement, MappedWindow, confine};
use weir_sandbox::{Carry, CodePlace, Engine, EngineConfig, Instance, Limits, Module, PlacedCode, Tier, TrustedWindow};

use crate::support::{batch, block_on, i64s, show, tenant, wasm};

/// The environment variable with the number of the window's descriptor, which makes this program a worker.
const ROLE: &str = "WEIR_SANDBOX_TEST_WORKER";

/// Before `main`: the harness runs tests in threads, and a process with threads is not confined.
#[used]
#[expect(unsafe_code, reason = "a process is confined before it starts a thread, and the test harness starts one")]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    if let Some(window) = std::env::var_os(ROLE) {
        be_a_worker(window.to_str().unwrap().parse().unwrap());
        exit(0);
    }
}

/// A module whose function keeps the rows of which `$row` is true, with data and a table.
fn module(kind: &str) -> Vec<u8> {
    let body = match kind {
        "all" => "i32.const 1",
        "first" => "(i32.eqz (local.get $row))",
        "unreachable" => "unreachable",
        // Signals become traps: an address, a division, and the end of the stack.
        "out of bounds" => "(i32.load (i32.const 0x7fffffff))",
        "division by zero" => "(i32.div_u (i32.const 1) (i32.load (i32.const 1024)))",
        "recursion" => "(call $recursion)",
        "indirect call" => "(call_indirect (result i32) (i32.const 3))",
        other => panic!("no such module: {other}"),
    };
    wasm(
        r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64"}]}"#,
        &format!(
            r#"(memory (export "memory") 1) (data (i32.const 0) "\00") (table 4 funcref)
               (func $recursion (result i32) (i32.add (call $recursion) (i32.const 1)))
               (func $keep (param $row i32) (result i32) {body})
               (func (export "weir_call_f") (param $rows i32) (result i32) (local $row i32)
                 (loop $each
                   (i32.store8 (i32.add (i32.const 64) (i32.div_u (local.get $row) (i32.const 8)))
                     (i32.or
                       (i32.load8_u (i32.add (i32.const 64) (i32.div_u (local.get $row) (i32.const 8))))
                       (i32.shl (call $keep (local.get $row)) (i32.rem_u (local.get $row) (i32.const 8)))))
                   (local.set $row (i32.add (local.get $row) (i32.const 1)))
                   (br_if $each (i32.lt_u (local.get $row) (local.get $rows))))
                 (call $emit_filter (i32.const 64) (local.get $rows)))"#
        ),
    )
}

fn answers(module: &Arc<Module>, limits: &Limits) -> String {
    let rows = batch(vec![("n", i64s([Some(1), Some(2)]))]);
    let bound = module.manifest().functions[0].bind(rows.schema(), &Carry::None, &[].into()).unwrap();
    let mut instance = Instance::new(module, &Arc::new(bound), limits);
    let shown = show(block_on(instance.call(&rows)));
    shown.lines().collect::<Vec<_>>().join(" ")
}

fn be_a_worker(window: i32) {
    #[expect(unsafe_code, reason = "a descriptor that was inherited by number")]
    // SAFETY: the supervisor left this descriptor open for this process, and nothing else has it.
    let mapped = MappedWindow::map(unsafe { BorrowedFd::borrow_raw(window) }).unwrap();
    #[expect(unsafe_code, reason = "the supervisor answers for its code")]
    // SAFETY: the test below writes compiled modules only, and names their places.
    let trusted = unsafe { TrustedWindow::new(mapped) };
    Engine::before_confinement();
    // The descriptor is closed with all others that were inherited.
    let budgets = Budgets {
        address_space_bytes_max: Some(64 << 30),
        data_bytes_max: Some(256 << 20),
        file_bytes_max: Some(0),
        descriptors_max: Some(32),
        cpu_s_max: None,
    };
    let walls = confine(&Confinement::tenant_worker(budgets)).unwrap();
    assert!(walls.missing().is_empty(), "{walls}");
    let config = EngineConfig::default().with(|it| (it.window, it.instances_max) = (Some(trusted), 8));
    let engine = Engine::new(&config).unwrap();
    println!("ready");
    let mut last: Option<Arc<Module>> = None;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let mut words = line.splitn(3, ' ');
        let mut number = || words.next().unwrap().parse().unwrap();
        let place = CodePlace { offset: number(), bytes: number() };
        let kind = words.next().unwrap();
        let limits = Limits::default().with(|it| it.hardened = kind.ends_with(" hardened"));
        let (optimised, baseline) = (PlacedCode::new(place, Tier::Optimised), PlacedCode::new(place, Tier::Baseline));
        let admitted = match (kind, &last) {
            ("better", Some(module)) => {
                engine.improve_in_place(module, &limits, Ok(&optimised)).map(|()| Arc::clone(module))
            }
            ("first baseline", _) => {
                let mut placed = baseline;
                placed.better_follows = true;
                engine.admit_in_place(&tenant(), &module("first"), &limits, &placed)
            }
            (kind, _) => {
                engine.admit_in_place(&tenant(), &module(kind.trim_end_matches(" hardened")), &limits, &optimised)
            }
        };
        match admitted {
            Ok(module) => {
                println!("{kind}: {:?}: {}", module.tier(), answers(&module, &limits));
                last = Some(module);
            }
            Err(refusal) => println!("{kind}: {refusal}"),
        }
    }
    let refusal = engine.admit(&tenant(), &module("all"), &Limits::default()).unwrap_err();
    println!("compiled here: {refusal}");
}

#[test]
fn a_confined_worker_runs_code_that_arrives_later() {
    let mut window = CodeWindow::create(4 << 20).unwrap();
    let left_open = rustix::io::dup(window.as_fd()).unwrap();
    let mut worker = Command::new(std::env::current_exe().unwrap())
        .env_clear()
        .env(ROLE, left_open.as_raw_fd().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(left_open);
    let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    let mut stdin = worker.stdin.take().unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let mut said = String::new();
    let mut ask = |window: CodePlace, kind: &str| {
        writeln!(stdin, "{} {} {kind}", window.offset, window.bytes).unwrap();
        said += &(lines.next().unwrap_or_else(|| panic!("the worker ended at {kind}")).unwrap() + "\n");
    };
    let mut put = |kind: &str, tier, hardened: bool| {
        let engine = wasmtime::Engine::new(&CodeSettings { fuel: true, hardened }.compiler(tier)).unwrap();
        let artefact = compile_here(&engine, tier, &module(kind)).unwrap();
        window.write(artefact.code.bytes()).unwrap()
    };
    // Traps between modules that work: each is put there after the worker was confined.
    let kinds =
        ["all", "out of bounds", "first", "division by zero", "recursion", "indirect call", "unreachable", "first"];
    for kind in kinds {
        ask(put(kind, Tier::Optimised, false), kind);
    }
    ask(put("first", Tier::Optimised, true), "first hardened");
    ask(put("out of bounds", Tier::Optimised, true), "out of bounds hardened");
    ask(put("first", Tier::Baseline, false), "first baseline");
    ask(put("first", Tier::Optimised, false), "better");
    // Places that hold no code of this engine.
    ask(put("all", Tier::Optimised, true), "all");
    ask(CodePlace { offset: 2 << 20, bytes: 4096 }, "all");
    ask(CodePlace { offset: 4 << 20, bytes: 4096 }, "all");
    drop(stdin);
    said.extend(lines.map(|line| line.unwrap() + "\n"));
    assert!(worker.wait().unwrap().success());
    expect![[r#"
        all: Optimised: +---+ | n | +---+ | 1 | | 2 | +---+
        out of bounds: Optimised: out_of_bounds (tenant): acme, module <digest>, function f, in a batch of 2 rows: memory access out of bounds
        first: Optimised: +---+ | n | +---+ | 1 | +---+ filtered 1
        division by zero: Optimised: trap (tenant): acme, module <digest>, function f, in a batch of 2 rows: trap: wasm trap: integer divide by zero
        recursion: Optimised: stack_overflow (tenant): acme, module <digest>, function f, in a batch of 2 rows: stack overflow: calls are nested too deeply
        indirect call: Optimised: trap (tenant): acme, module <digest>, function f, in a batch of 2 rows: trap: wasm trap: uninitialized element
        unreachable: Optimised: unreachable (tenant): acme, module <digest>, function f, in a batch of 2 rows: unreachable code was reached
        first: Optimised: +---+ | n | +---+ | 1 | +---+ filtered 1
        first hardened: Optimised: +---+ | n | +---+ | 1 | +---+ filtered 1
        out of bounds hardened: Optimised: out_of_bounds (tenant): acme, module <digest>, function f, in a batch of 2 rows: memory access out of bounds
        first baseline: Baseline: +---+ | n | +---+ | 1 | +---+ filtered 1
        better: Optimised: +---+ | n | +---+ | 1 | +---+ filtered 1
        all: the module could not be compiled: Module was compiled with a memory reservation of '67108864' but '4294967296' is expected for the host
        all: the module could not be compiled: failed to parse precompiled artifact as an ELF: Unsupported ELF header
        all: no code can be at offset 4194304 of the code window with 4096 bytes
        compiled here: this engine runs code of its code window only
    "#]].assert_eq(&said);
}
