//! Row 65: the same batches give the same bytes for the same fuel, whatever NaN the processor makes.

use weir_batch::arrow::array::AsArray;
use weir_batch::arrow::datatypes::Float64Type;
use weir_hostile::Class;
use weir_sandbox::{Engine, EngineConfig};

use super::{Finding, Procedure, admit, at, hold, instance, limits};
use crate::ground::Ground;
use crate::guest;

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 65,
    name: "determinism",
    title: "NaNs of many origins, relaxed SIMD, and state kept from batch to batch",
    class: Class::Life,
    expected: "identical bytes and fuel on two engines, twice each",
    steps,
};

const MANIFEST: &str = r#"{"abi":1,"name":"f","kind":"transform","output_shape":"map","input":[{"name":"f","type":"f64"}],"output":[{"name":"x","type":"f64"}]}"#;

/// For each row one of ten sums, most of which have no result, and a running total that is kept from batch to batch.
const BODY: &str = r#"(memory (export "memory") 2) (global $total (mut f64) (f64.const 0))
(func $pick (param $i i32) (param $f f64) (result f64)
  (if (i32.eq (local.get $i) (i32.const 0)) (then (return (f64.div (f64.const 0) (f64.const 0)))))
  (if (i32.eq (local.get $i) (i32.const 1)) (then (return (f64.sub (f64.const inf) (f64.const inf)))))
  (if (i32.eq (local.get $i) (i32.const 2)) (then (return (f64.sqrt (f64.sub (f64.const -1) (local.get $f))))))
  (if (i32.eq (local.get $i) (i32.const 3)) (then (return (f64.mul (f64.const 0) (f64.const -inf)))))
  (if (i32.eq (local.get $i) (i32.const 4)) (then (return (f64.add (f64.const nan:0x4000000000001) (local.get $f)))))
  (if (i32.eq (local.get $i) (i32.const 5)) (then (return (f64.min (f64.const -nan:0x8000000000007) (local.get $f)))))
  (if (i32.eq (local.get $i) (i32.const 6)) (then (return
    (f64.promote_f32 (f32.demote_f64 (f64.const nan:0x8000000000123))))))
  (if (i32.eq (local.get $i) (i32.const 7)) (then (return (f64x2.extract_lane 0
    (f64x2.relaxed_madd (f64x2.splat (local.get $f)) (f64x2.splat (f64.const 0x1.0000001p0)) (f64x2.splat (f64.const 0.1)))))))
  (if (i32.eq (local.get $i) (i32.const 8)) (then (return (f64x2.extract_lane 1
    (f64x2.relaxed_min (f64x2.splat (f64.const nan)) (f64x2.splat (local.get $f)))))))
  (global.set $total (f64.add (global.get $total) (f64.mul (local.get $f) (f64.const 0.1))))
  (global.get $total))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $row i32)
  (loop $again
    (f64.store (i32.shl (local.get $row) (i32.const 3))
      (call $pick (i32.rem_u (local.get $row) (i32.const 10)) (call $get_f64 (i32.const 0) (local.get $row))))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $row) (local.get $rows))))
  (call $emit_column (i32.const 0) (i32.const 0) (local.get $rows) (i32.const 0)))"#;

/// The one NaN that results may be.
const NAN: u64 = 0x7ff8_0000_0000_0000;

/// The bits and the fuel of each of three batches.
type Run = Vec<(Vec<u64>, u64)>;

fn steps(ground: &Ground) -> Finding {
    let wasm = guest::wasm(MANIFEST, BODY);
    let mut first: Option<Run> = None;
    for number in 0..2 {
        let engine = Engine::new(&EngineConfig::default().with(|it| it.instances_max = 4));
        let engine = engine.map_err(at("an engine"))?;
        for again in 0..2 {
            let run = run(ground, &engine, &wasm)?;
            match &first {
                None => first = Some(run),
                Some(first) => hold(*first == run, || {
                    let fuel = |run: &Run| run.iter().map(|batch| batch.1).collect::<Vec<_>>();
                    format!("engine {number}, run {again}: fuel {:?} and {:?}, or other bytes", fuel(first), fuel(&run))
                })?,
            }
        }
    }
    let run = first.unwrap_or_default();
    let values = run.iter().flat_map(|batch| &batch.0);
    let nans = values.filter(|&&bits| f64::from_bits(bits).is_nan());
    let (all, canonical) = (nans.clone().count(), nans.filter(|&&bits| bits == NAN).count());
    hold(all >= 1_500, || format!("only {all} NaNs were made"))?;
    hold(all == canonical, || format!("{} of {all} NaNs are not the canonical one", all - canonical))?;
    Ok(format!("4 runs of 3 batches alike, {all} NaNs all canonical, {} fuel", run.iter().map(|b| b.1).sum::<u64>()))
}

fn run(ground: &Ground, engine: &Engine, wasm: &[u8]) -> Result<Run, super::Broken> {
    let limits = limits(ground);
    let module = admit(engine, "determinism", wasm, &limits)?;
    let mut instance = instance(&module, ground.batch().schema(), &limits)?;
    let mut run = Vec::new();
    for _ in 0..3 {
        let outcome = ground.block_on(instance.call(ground.batch())).map_err(at("a batch"))?;
        let column = outcome.output.column(0).as_primitive::<Float64Type>();
        hold(column.len() == ground.batch().rows(), || format!("{} rows", column.len()))?;
        run.push((column.values().iter().map(|value| value.to_bits()).collect(), outcome.usage.fuel));
    }
    Ok(run)
}
