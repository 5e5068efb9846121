//! Guests that do not stop by themselves, or say how they ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use weir_batch::Batch;
use weir_sandbox::{Engine, EngineConfig, Instance, Limits, TrapCause};

use crate::support::{batch, block_on, call, i64s, instance, show_error, tenant, wasm};

const MANIFEST: &str =
    r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64"}]}"#;
const LOOP: &str = "(loop $again (br $again))";

fn rows() -> Arc<Batch> {
    batch(vec![("n", i64s([Some(1), Some(2)]))])
}

fn guest(items: &str, body: &str, limits: &Limits) -> Instance {
    let body = format!(
        r#"(memory (export "memory") 1) (data (i32.const 0) "last words\1b[0m") {items}
           (func $weir_call_f (export "weir_call_f") (param $rows i32) (result i32) {body} (i32.const 0))"#
    );
    instance(&wasm(MANIFEST, &body), rows().schema(), limits)
}

fn check(items: &str, body: &str, limits: &Limits, expect: Expect) {
    let mut guest = guest(items, body, limits);
    let error = call(&mut guest, &rows()).unwrap_err();
    expect.assert_eq(&show_error(&error));
    // The next batch gets a new instance.
    call(&mut guest, &rows()).unwrap_err();
    assert_eq!(guest.instantiations(), 2);
}

#[test]
fn fuel_ends_what_runs_too_long() {
    let limits = Limits::default().with(|it| {
        it.fuel_batch_max = Some(1_000_000);
        it.fuel_init_max = Some(1_000_000);
    });
    check(
        "",
        LOOP,
        &limits,
        expect![[r#"
        out_of_fuel (tenant): acme, module <digest>, function f, in a batch of 2 rows: out of fuel: limit 1000000
    "#]],
    );
    check(
        "(start $s) (func $s (loop $again (br $again)))",
        "",
        &limits,
        expect![[r#"
        out_of_fuel (tenant): acme, module <digest>, function f, at instantiation: out of fuel: limit 1000000
    "#]],
    );
    check(
        &format!(r#"(func (export "weir_init_f") (result i32) {LOOP} (i32.const 0))"#),
        "",
        &limits,
        expect![[r#"
        out_of_fuel (tenant): acme, module <digest>, function f, in init: out of fuel: limit 1000000
    "#]],
    );
    for export in ["_initialize", "__wasm_call_ctors"] {
        check(
            &format!(r#"(func (export "{export}") {LOOP})"#),
            "",
            &limits,
            expect![[r#"
            out_of_fuel (tenant): acme, module <digest>, function f, in init: out of fuel: limit 1000000
        "#]],
        );
    }
    // Host calls cost, refused ones too, and so does what the engine does by the byte.
    check(
        "",
        "(loop $again (drop (call $window (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 0))) (br $again))",
        &limits,
        expect![[r#"
            out_of_fuel (tenant): acme, module <digest>, function f, in a batch of 2 rows: out of fuel: limit 1000000
        "#]],
    );
    check(
        "",
        "(loop $again (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br $again))",
        &limits,
        expect![[r#"
            out_of_fuel (tenant): acme, module <digest>, function f, in a batch of 2 rows: out of fuel: limit 1000000
        "#]],
    );
    let mut flood = guest("", "(loop $again (drop (call $get_i64 (i32.const 0) (i32.const 0))) (br $again))", &limits);
    let error = call(&mut flood, &rows()).unwrap_err();
    assert_eq!(error.code(), "out_of_fuel");
}

#[test]
fn the_same_call_costs_the_same_fuel() {
    let used = || {
        let body = "(drop (call $get_i64 (i32.const 0) (i32.const 1))) (i32.store8 (i32.const 0) (i32.const 3)) (drop (call $emit_filter (i32.const 0) (i32.const 2)))";
        let mut guest = guest("", body, &Limits::default());
        let first = call(&mut guest, &rows()).unwrap().usage;
        let second = call(&mut guest, &rows()).unwrap().usage;
        (first.fuel, second.fuel, first.host_calls, second.host_calls)
    };
    let usage = used();
    assert_eq!(usage, used());
    assert_eq!((usage.2, usage.3), (2, 2));
    assert!(usage.1 > 20, "{usage:?}");
}

#[test]
fn time_in_host_functions_is_a_part_of_the_call_and_rises_with_them() {
    let many = batch(vec![("n", i64s((0..4_096).map(Some).collect::<Vec<_>>()))]);
    let used = |windows: u32| {
        let calls = format!(
            "(local $left i32) (local.set $left (i32.const {windows}))
             (block $done (loop $again (br_if $done (i32.eqz (local.get $left)))
               (drop (call $window (i32.const 0) (i32.const 0) (i32.const 4096) (i32.const 16384)))
               (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br $again)))"
        );
        // A filter that says nothing fails: how it ended does not matter.
        let mut guest = guest("", &calls, &Limits::default());
        let usage = call(&mut guest, &many).unwrap_err().context.usage;
        assert_eq!(usage.host_calls, u64::from(windows));
        assert!(usage.host_time <= usage.time.saturating_sub(usage.waited), "{usage:?}");
        usage
    };
    assert_eq!(used(0).host_time, Duration::ZERO);
    let (few, many) = (used(20), used(20_000));
    assert!(few.host_time > Duration::ZERO, "{few:?}");
    assert!(many.host_time > few.host_time * 50, "{few:?} {many:?}");
    // It does nothing else.
    assert!(many.host_time > many.time.saturating_sub(many.waited) / 10, "{many:?}");
}

#[test]
fn a_deadline_ends_a_guest_and_others_go_on_meanwhile() {
    let limits = Limits::default().with(|it| {
        it.fuel_batch_max = None;
        it.deadline_ms_max = 100;
    });
    let mut guest = guest("", LOOP, &limits);
    let progress = AtomicU64::new(0);
    let started = Instant::now();
    let error = block_on(async {
        let batch = rows();
        tokio::select! {
            outcome = guest.call(&batch) => outcome.unwrap_err(),
            () = async { loop { progress.fetch_add(1, Ordering::Relaxed); tokio::task::yield_now().await; } } => unreachable!(),
        }
    });
    expect![[r#"
        deadline (tenant): acme, module <digest>, function f, in a batch of 2 rows: deadline passed: limit 100 ms of CPU time
    "#]]
    .assert_eq(&show_error(&error));
    assert!(error.retryable());
    assert!(started.elapsed() >= Duration::from_millis(100));
    assert!(progress.load(Ordering::Relaxed) >= 5, "{progress:?} turns");
    let mut flood = self::guest(
        "",
        "(loop $again (drop (call $param_bytes (i32.const 9) (i32.const 0) (i32.const 0))) (br $again))",
        &limits,
    );
    assert_eq!(call(&mut flood, &rows()).unwrap_err().code(), "deadline");
}

#[test]
fn what_a_language_sets_up_is_under_the_limits_of_init() {
    let limits = Limits::default().with(|it| {
        it.fuel_init_max = None;
        it.deadline_init_ms_max = 30;
        it.memory_bytes_max = 2 << 20;
    });
    let initialize = |body: &str| format!(r#"(func (export "_initialize") {body})"#);
    check(
        &initialize(LOOP),
        "",
        &limits,
        expect![[r#"
        deadline (tenant): acme, module <digest>, function f, in init: deadline passed: limit 30 ms of CPU time
    "#]],
    );
    check(
        &initialize("(if (i32.eq (memory.grow (i32.const 64)) (i32.const -1)) (then unreachable))"),
        "",
        &limits,
        expect![[r#"
        memory_limit (tenant): acme, module <digest>, function f, in init: memory limit reached: limit 2 MiB, current 64 KiB, requested 4 MiB
    "#]],
    );
    check(
        &initialize(
            "(drop (call $last_words (i32.const 0) (i32.const 10))) (drop (call $get_i64 (i32.const 0) (i32.const 0)))",
        ),
        "",
        &limits,
        expect![[r#"
        bad_host_call (tenant): acme, module <digest>, function f, in init: invalid call of get_i64: it may only be called within a batch: last words
    "#]],
    );
}

#[test]
fn a_call_that_is_dropped_costs_the_instance_only() {
    let mut guest = guest(
        "",
        "(if (i64.eq (call $get_i64 (i32.const 0) (i32.const 0)) (i64.const 7)) (then (loop $again (br $again)))) (i32.store8 (i32.const 0) (i32.const 3)) (drop (call $emit_filter (i32.const 0) (local.get $rows)))",
        &Limits::default(),
    );
    let endless = batch(vec![("n", i64s([Some(7), Some(2)]))]);
    call(&mut guest, &rows()).unwrap();
    block_on(async {
        assert!(tokio::time::timeout(Duration::from_millis(20), guest.call(&endless)).await.is_err());
    });
    assert_eq!(Arc::strong_count(&endless), 1);
    call(&mut guest, &rows()).unwrap();
    assert_eq!(guest.instantiations(), 2);
}

#[test]
fn traps_keep_cause_backtrace_and_last_words() {
    let limits = Limits::default();
    check(
        "(func $deep (call $deep))",
        "(call $deep)",
        &limits,
        expect![[r#"
        stack_overflow (tenant): acme, module <digest>, function f, in a batch of 2 rows: stack overflow: calls are nested too deeply
    "#]],
    );
    check(
        "",
        "(drop (i32.load (i32.const -1)))",
        &limits,
        expect![[r#"
        out_of_bounds (tenant): acme, module <digest>, function f, in a batch of 2 rows: memory access out of bounds
    "#]],
    );
    check(
        "",
        "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
        &limits,
        expect![[r#"
        trap (tenant): acme, module <digest>, function f, in a batch of 2 rows: trap: wasm trap: integer divide by zero
    "#]],
    );
    check(
        "",
        "(return (i32.const 42))",
        &limits,
        expect![[r#"
        failed (tenant): acme, module <digest>, function f, in a batch of 2 rows: the function failed with code 42
    "#]],
    );
    check(
        "",
        "(drop (call $get_i64 (i32.const 0) (i32.const 2)))",
        &limits,
        expect![[r#"
        bad_host_call (tenant): acme, module <digest>, function f, in a batch of 2 rows: invalid call of get_i64: row 2 of 2
    "#]],
    );
    check(
        "",
        "(drop (call $last_words (i32.const 0) (i32.const 14))) (return (i32.const -5))",
        &limits,
        expect![[r#"
        failed (tenant): acme, module <digest>, function f, in a batch of 2 rows: the function failed with code -5: last words\u{1b}[0m
    "#]],
    );
    check(
        "",
        "",
        &limits,
        expect![[r#"
        malformed_output (tenant): acme, module <digest>, function f, in a batch of 2 rows: malformed output: emit_filter covered 0 of 2 rows
    "#]],
    );
    let mut panics = guest(
        "(func $inner (drop (call $log (i32.const 1) (i32.const 0) (i32.const 4))) (drop (call $last_words (i32.const 0) (i32.const 14))) unreachable)
         (func $_ZN4core9panicking5panic17h0123456789abcdefE (call $inner))",
        "(call $_ZN4core9panicking5panic17h0123456789abcdefE)",
        &limits,
    );
    let error = call(&mut panics, &rows().slice(1, 1).unwrap()).unwrap_err();
    expect![[r#"
        unreachable (tenant): acme, module <digest>, function f, row 0 of a batch of 1: unreachable code was reached: last words\u{1b}[0m
    "#]].assert_eq(&show_error(&error));
    assert_eq!(error.context.backtrace, ["inner", "core::panicking::panic", "weir_call_f"]);
    assert_eq!((error.context.row, error.context.logs.len()), (Some(0), 1));
}

#[test]
fn memory_beyond_the_limit_is_refused_and_said() {
    let limits = Limits::default().with(|it| it.memory_bytes_max = 2 << 20);
    let grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))";
    check(
        "",
        &format!("{grow} unreachable"),
        &limits,
        expect![[r#"
        memory_limit (tenant): acme, module <digest>, function f, in a batch of 2 rows: memory limit reached: limit 2 MiB, current 2 MiB, requested 64 KiB
    "#]],
    );
    check(
        "",
        &format!("{grow} (return (memory.size))"),
        &limits,
        expect![[r#"
        failed (tenant): acme, module <digest>, function f, in a batch of 2 rows: the function failed with code 32
    "#]],
    );
    check(
        "(table $t 1 funcref)",
        "(return (table.grow $t (ref.null func) (i32.const 10000)))",
        &limits,
        expect![[r#"
        failed (tenant): acme, module <digest>, function f, in a batch of 2 rows: the function failed with code -1
    "#]],
    );
}

#[test]
fn log_lines_are_cut_escaped_dropped_and_counted() {
    let limits = Limits::default().with(|it| {
        it.log_lines_batch_max = 2;
        it.log_line_bytes_max = 11;
    });
    let body = "(drop (call $log (i32.const 2) (i32.const 0) (i32.const 14))) (drop (call $log (i32.const 4) (i32.const 0) (i32.const 4))) (drop (call $log (i32.const 4) (i32.const 0) (i32.const 4))) (drop (call $emit_filter (i32.const 0) (local.get $rows)))";
    let outcome = call(&mut guest("", body, &limits), &rows()).unwrap();
    expect![[r#"[LogLine { level: Warn, text: "last words" }, LogLine { level: Debug, text: "last" }] 1"#]]
        .assert_eq(&format!("{:?} {}", outcome.logs, outcome.logs_dropped));
}

#[test]
fn an_engine_gives_out_the_instances_that_it_has() {
    let engine = Engine::new(&EngineConfig::default().with(|it| it.instances_max = 1)).unwrap();
    let wasm = wasm(
        MANIFEST,
        r#"(memory (export "memory") 1) (func (export "weir_call_f") (param i32) (result i32) (call $emit_filter (i32.const 0) (local.get 0)))"#,
    );
    let module = engine.admit(&tenant(), &wasm, &Limits::default()).unwrap();
    let bound = module.manifest().functions[0].bind(rows().schema(), &Default::default(), &Default::default()).unwrap();
    let bound = Arc::new(bound);
    let mut first = Instance::new(&module, &bound, &Limits::default());
    let mut second = Instance::new(&module, &bound, &Limits::default());
    call(&mut first, &rows()).unwrap();
    let error = call(&mut second, &rows()).unwrap_err();
    assert!(matches!(error.cause, TrapCause::PoolExhausted { limit: 1 }), "{error}");
    assert!(error.retryable());
    drop(first);
    call(&mut second, &rows()).unwrap();
}

#[test]
fn an_engine_without_fuel_still_ends_what_runs_too_long() {
    let config = EngineConfig::default().with(|it| {
        it.fuel = false;
        it.instances_max = 10;
    });
    let engine = Engine::new(&config).unwrap();
    let limits = Limits::default().with(|it| it.deadline_ms_max = 20);
    let wasm = wasm(
        MANIFEST,
        &format!(
            r#"(memory (export "memory") 1) (func (export "weir_call_f") (param i32) (result i32) {LOOP} (i32.const 0))"#
        ),
    );
    let module = engine.admit(&tenant(), &wasm, &limits).unwrap();
    let bound = module.manifest().functions[0].bind(rows().schema(), &Default::default(), &Default::default()).unwrap();
    let error = call(&mut Instance::new(&module, &Arc::new(bound), &limits), &rows()).unwrap_err();
    assert_eq!(error.code(), "deadline");
}

#[test]
fn a_thousand_instances_live_at_once() {
    assert_eq!(crate::support::engine().instances_max(), 1_000);
    assert!(
        matches!(Engine::new(&EngineConfig::default().with(|it| it.epoch_tick_ms = 0)), Err(error) if error.to_string() == "epoch_tick_ms: 0 is out of range: use 1 to 1000")
    );
}
