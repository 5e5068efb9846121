//! Runs an attack as the crate of attacks says, and looks at what it did to others.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use expect_test::Expect as Snapshot;
use weir_batch::arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use weir_batch::{Batch, DataType, Field, Schema};
use weir_hostile::{ATTACKS, Attack, Expect, Target};
use weir_sandbox::{
    CallError, Carry, Engine, EngineConfig, Instance, Limits, MetricDelta, Module, Outcome, Refusal, TenantId,
};

/// Rows of a batch, and batches of an attack.
const ROWS: usize = 1_000;
const BATCHES: usize = 3;

/// Small, so that an attack is over soon. Fuel ends what runs too long, so that the message is the same each time.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    // Attacks are handed in by the thousand.
    limits.trap_pause_ms_max = 0;
    limits.module_bytes_max = 256 << 10;
    limits.memory_bytes_max = 4 << 20;
    limits.table_elements_max = 1_000;
    limits.fuel_batch_max = Some(10_000_000);
    limits.fuel_init_max = Some(10_000_000);
    limits.deadline_ms_max = 30_000;
    limits.deadline_init_ms_max = 30_000;
    limits.output_rows_max = 50_000;
    limits.output_rows_per_input_max = 4;
    limits.output_bytes_max = 256 << 10;
    limits.row_error_bytes_max = 64;
    limits.row_errors_bytes_max = 4 << 10;
    limits.log_lines_batch_max = 3;
    limits.log_line_bytes_max = 64;
    limits.series_max = 20;
    limits
}

/// As before, for what is dear to compile: as much of it as 16 KiB hold.
fn small_limits() -> Limits {
    limits().with(|it| it.module_bytes_max = 16 << 10)
}

/// Without fuel, so that the deadline ends what runs too long.
fn timed_limits() -> Limits {
    limits().with(|it| {
        it.fuel_batch_max = None;
        it.fuel_init_max = None;
        it.deadline_ms_max = 50;
        it.deadline_init_ms_max = 50;
    })
}

/// One engine for all tests, as a process has one.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&EngineConfig::default().with(|it| it.instances_max = 50)).unwrap())
}

pub(crate) fn target(limits: &Limits) -> Target {
    Target {
        module_bytes_max: limits.module_bytes_max,
        memory_bytes_max: limits.memory_bytes_max,
        table_elements_max: limits.table_elements_max,
        output_rows_max: limits.output_rows_max,
        output_rows_per_input_max: limits.output_rows_per_input_max,
        output_bytes_max: limits.output_bytes_max,
        log_line_bytes_max: limits.log_line_bytes_max,
        log_lines_batch_max: limits.log_lines_batch_max,
        series_max: limits.series_max,
    }
}

pub(crate) fn attack(name: &str) -> &'static Attack {
    ATTACKS.iter().find(|attack| attack.name == name).unwrap_or_else(|| panic!("no attack is called {name}"))
}

/// What withstood an attack, as text.
pub(crate) fn check(name: &str, snapshot: Snapshot) {
    let attack = attack(name);
    let ran = run(engine(), attack, &limits());
    snapshot.assert_eq(&ran.text(attack));
    check_neighbours();
    // By its deadline too, where that is what ends it.
    if matches!(attack.expect, Expect::Ended(codes) if codes.contains(&"deadline")) {
        let started = Instant::now();
        let text = run(engine(), attack, &timed_limits()).text(attack);
        assert!(started.elapsed() < Duration::from_secs(60), "{name} took {:?}", started.elapsed());
        assert!(!text.contains("out_of_fuel"), "{text}");
        check_neighbours();
    }
}

/// The same for what is made to be just within every cap on shapes.
pub(crate) fn check_small(name: &str, snapshot: Snapshot) {
    let attack = attack(name);
    snapshot.assert_eq(&run(engine(), attack, &small_limits()).text(attack));
    check_neighbours();
}

/// The output of the batches that an attack answers, twice: the very same bytes.
pub(crate) fn check_same_bytes(name: &str) {
    let bytes = || match run(engine(), attack(name), &limits()) {
        Ran::Called(outcomes) => outcomes.into_iter().map(|outcome| bits(&outcome.unwrap())).collect::<Vec<_>>(),
        Ran::Refused(refusal) => panic!("{refusal}"),
    };
    assert_eq!(bytes(), bytes());
}

fn bits(outcome: &Outcome) -> Vec<u64> {
    let column = outcome.output.column(0).as_any().downcast_ref::<Float64Array>().unwrap();
    column.values().iter().map(|value| value.to_bits()).collect()
}

/// How an attack went.
pub(crate) enum Ran {
    Refused(Refusal),
    // Up to the first call that failed.
    Called(Vec<Result<Outcome, CallError>>),
}

impl Ran {
    /// What happened, as text, if it is what a host that withstands the attack does.
    pub(crate) fn text(&self, attack: &Attack) -> String {
        match (self, attack.expect) {
            (Ran::Refused(refusal), Expect::Refused(codes)) if codes.contains(&refusal.code()) => {
                format!("{}: {refusal}\n", refusal.code())
            }
            (Ran::Called(outcomes), expect) => match (outcomes.last(), expect) {
                (Some(Err(error)), Expect::Ended(codes)) if codes.contains(&error.code()) => {
                    format!("{}, batch {}: {}", error.code(), outcomes.len(), show_error(error))
                }
                (Some(Ok(_)), Expect::Answered) if outcomes.len() == BATCHES => {
                    outcomes.iter().flatten().map(show).collect()
                }
                (Some(Err(error)), _) => panic!("{}, expected {:?}: {}: {error}", attack.name, expect, error.code()),
                _ => panic!("{}, expected {:?}: it answered", attack.name, expect),
            },
            (Ran::Refused(refusal), expect) => {
                panic!("{}, expected {:?}: {}: {refusal}", attack.name, expect, refusal.code())
            }
        }
    }
}

/// Runs an attack on an engine, and sees to it that nothing of its batch is held or changed.
pub(crate) fn run(engine: &Engine, attack: &Attack, limits: &Limits) -> Ran {
    let tenant: TenantId = "mallory".parse().unwrap();
    let bytes = (attack.bytes)(&target(limits));
    let module = match engine.admit(&tenant, &bytes, limits) {
        Ok(module) => module,
        Err(refusal) => return Ran::Refused(refusal),
    };
    let batch = batch();
    let mut instance = instance(&module, &batch, limits);
    let mut outcomes = Vec::new();
    for _ in 0..BATCHES {
        let outcome = call(&mut instance, &batch);
        let failed = outcome.is_err();
        outcomes.push(outcome);
        if failed {
            break;
        }
    }
    assert_eq!(batch.columns(), self::batch().columns(), "{} wrote to its input", attack.name);
    let shared = outcomes.iter().flatten().filter(|outcome| Arc::ptr_eq(&outcome.output, &batch)).count();
    assert_eq!(Arc::strong_count(&batch), 1 + shared, "{} holds its batch", attack.name);
    for (column, others) in batch.columns().iter().zip(column_counts(&outcomes, &batch)) {
        assert_eq!(Arc::strong_count(column), 1 + others, "{} holds a column", attack.name);
    }
    Ran::Called(outcomes)
}

/// How often the outcomes hold each column of a batch, beside the batch itself.
fn column_counts(outcomes: &[Result<Outcome, CallError>], batch: &Arc<Batch>) -> Vec<usize> {
    let of = |column: &ArrayRef| {
        let outputs = outcomes.iter().flatten().map(|outcome| &outcome.output);
        let others = outputs.filter(|output| !Arc::ptr_eq(output, batch));
        others.flat_map(|output| output.columns()).filter(|other| Arc::ptr_eq(other, column)).count()
    };
    batch.columns().iter().map(of).collect()
}

/// A batch of the stream that attacks are bound to.
pub(crate) fn batch() -> Arc<Batch> {
    let fields = [("n", DataType::I64), ("s", DataType::Utf8), ("f", DataType::F64)];
    let schema = Schema::new(fields.map(|(name, data_type)| Field::new(name, data_type)).to_vec()).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..ROWS as i64)),
        Arc::new(StringArray::from_iter_values((0..ROWS).map(|row| format!("record_{row}")))),
        Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| row as f64 * 1.5))),
    ];
    Arc::new(Batch::new(Arc::new(schema), columns).unwrap())
}

pub(crate) fn instance(module: &Arc<Module>, batch: &Batch, limits: &Limits) -> Instance {
    let bound = module.manifest().functions[0].bind(batch.schema(), &Carry::None, &BTreeMap::new()).unwrap();
    Instance::new(module, &Arc::new(bound), limits)
}

pub(crate) fn call(instance: &mut Instance, batch: &Arc<Batch>) -> Result<Outcome, CallError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(instance.call(batch))
}

/// Another tenant on the same engine keeps the rows of even numbers, and goes on to.
pub(crate) fn check_neighbours() {
    thread_local!(static VICTIM: std::cell::RefCell<Option<Instance>> = const { std::cell::RefCell::new(None) });
    VICTIM.with_borrow_mut(|victim| {
        let batch = batch();
        let victim = victim.get_or_insert_with(|| {
            let limits = Limits::default();
            let module = engine().admit(&"victim".parse().unwrap(), &victim_wasm(), &limits).unwrap();
            instance(&module, &batch, &limits)
        });
        let outcome = call(victim, &batch).unwrap();
        assert_eq!((outcome.output.rows(), outcome.filtered), (ROWS / 2, ROWS / 2));
        assert_eq!(victim.instantiations(), 1);
        let parity = |row| outcome.output.physical_row(row).unwrap() % 2;
        assert!((0..outcome.output.rows()).all(|row| parity(row) == 0));
    });
}

/// Keeps the rows of which `n` is even: reads them all, and compares what it reads with what it read first.
fn victim_wasm() -> Vec<u8> {
    wat::parse_str(
        r#"(module
            (import "weir_v1" "window" (func $window (param i32 i32 i32 i32) (result i32)))
            (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "weir_call_even") (param $rows i32) (result i32)
                (local $row i32)
                (if (i32.ne (call $window (i32.const 0) (i32.const 0) (local.get $rows) (i32.const 1024)) (local.get $rows))
                    (then (return (i32.const 1))))
                (loop $next
                    (if (i64.ne (i64.load offset=1024 (i32.shl (local.get $row) (i32.const 3)))
                                (i64.extend_i32_u (local.get $row)))
                        (then (return (i32.const 2))))
                    (local.set $row (i32.add (local.get $row) (i32.const 1)))
                    (br_if $next (i32.lt_u (local.get $row) (local.get $rows))))
                (memory.fill (i32.const 0) (i32.const 0x55) (i32.const 125))
                (call $emit_filter (i32.const 0) (local.get $rows)))
            (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22even\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22,\22input\22:[{\22name\22:\22n\22,\22type\22:\22i64\22}]}"))"#,
    )
    .unwrap()
}

/// An outcome in a few lines.
fn show(outcome: &Outcome) -> String {
    let mut text = format!("answered {} rows", outcome.output.rows());
    if outcome.filtered > 0 {
        write!(text, ", {} filtered", outcome.filtered).unwrap();
    }
    if let Some(first) = outcome.failed.first() {
        let bytes: usize = outcome.failed.iter().map(|failure| failure.message.len()).sum();
        let message = cut(&first.message);
        write!(text, ", {} failed with {bytes} B, first {}: {message}", outcome.failed.len(), first.code).unwrap();
    }
    for delta in outcome.metrics.series.iter().take(4) {
        let value = match &delta.value {
            MetricDelta::Counter { sum } => format!("+{sum:e}"),
            MetricDelta::Gauge { last } => format!("={last:e}"),
            MetricDelta::Histogram { count, sum, .. } => format!("count {count} sum {sum:e}"),
        };
        let labels: Vec<String> =
            delta.series.labels.iter().map(|label| cut(&label.escape_debug().to_string())).collect();
        let overflow = if delta.series.overflow { " (overflow)" } else { "" };
        write!(text, "\n  metric {} {labels:?}{overflow} {value}", delta.series.metric).unwrap();
    }
    if outcome.metrics.series.len() > 4 {
        let overflow = outcome.metrics.series.iter().filter(|delta| delta.series.overflow).count();
        write!(text, "\n  {} series, {overflow} of overflow", outcome.metrics.series.len()).unwrap();
    }
    for line in &outcome.logs {
        write!(text, "\n  {} {}", line.level, cut(&line.text)).unwrap();
    }
    if outcome.logs_dropped > 0 {
        write!(text, "\n  {} lines dropped", outcome.logs_dropped).unwrap();
    }
    text.push('\n');
    text
}

/// An error without its digest, with its backtrace.
fn show_error(error: &CallError) -> String {
    let digest = format!("{:.12}", error.context.module);
    let mut text = error.to_string().replace(&digest, "<digest>");
    for line in &error.context.logs {
        write!(text, "\n  {} {}", line.level, cut(&line.text)).unwrap();
    }
    if error.context.logs_dropped > 0 {
        write!(text, "\n  {} lines dropped", error.context.logs_dropped).unwrap();
    }
    let mut frames: Vec<(String, usize)> = Vec::new();
    for frame in &error.context.backtrace {
        match frames.last_mut() {
            Some((last, count)) if last == frame => *count += 1,
            _ => frames.push((frame.clone(), 1)),
        }
    }
    for (frame, count) in frames {
        match count {
            1 => write!(text, "\n  at {}", cut(&frame)).unwrap(),
            _ => write!(text, "\n  at {} ({count} times)", cut(&frame)).unwrap(),
        }
    }
    text.push('\n');
    text
}

fn cut(text: &str) -> String {
    if text.chars().count() <= 80 {
        return text.to_owned();
    }
    format!("{}… ({} B)", text.chars().take(60).collect::<String>(), text.len())
}
