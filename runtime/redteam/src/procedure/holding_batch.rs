//! Row 68: however a call ends, the batch is held by nobody afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_batch::Batch;
use weir_hostile::Class;
use weir_sandbox::CallError;

use super::{Broken, Finding, Procedure, admit, at, code, hold, instance, limits, small_engine};
use crate::ground::Ground;
use crate::guest;

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 68,
    name: "holding_batch",
    title: "every way to end a call, with the instance kept",
    class: Class::Life,
    expected: "the batch and its columns are held as often as before",
    steps,
};

/// How a call ends, by what its guest does.
const ENDS: [(&str, &str); 7] = [
    ("answered", ""),
    ("unreachable", "(unreachable)"),
    ("out_of_bounds", "(drop (i32.load (i32.const 0x7fffffff)))"),
    ("out_of_fuel", "(loop $again (br $again))"),
    ("bad_host_call", "(drop (call $get_i64 (i32.const 9) (i32.const 0)))"),
    ("failed", "(return (i32.const 7))"),
    ("malformed_output", "(return (i32.const 0))"),
];

fn held(batch: &Arc<Batch>) -> (usize, usize) {
    let columns = (0..batch.schema().len()).map(|column| Arc::strong_count(batch.column(column))).sum();
    (Arc::strong_count(batch), columns)
}

fn steps(ground: &Ground) -> Finding {
    let engine = small_engine(4)?;
    let limits = limits(ground).with(|it| it.fuel_batch_max = Some(10_000_000));
    let batch = ground.batch();
    let before = held(batch);
    let same = |after: &str| {
        let now = held(batch);
        hold(now == before, || format!("after {after}: held {now:?} times, and {before:?} before"))
    };
    for (end, body) in ENDS {
        let module = admit(&engine, "holding", &guest::filter("", body), &limits)?;
        let mut instance = instance(&module, batch.schema(), &limits)?;
        for _ in 0..3 {
            let called = ground.block_on(instance.call(batch));
            if end == "answered" {
                drop(called.map_err(at("a good guest"))?);
            } else {
                let code = code(end, called)?;
                hold(code == end, || format!("{end} was expected, and it ended with {code}"))?;
            }
            same(end)?;
        }
        drop(instance);
        same("the instance is gone")?;
    }
    // A caller that does not wait for the end.
    let limits = limits.with(|it| {
        it.fuel_batch_max = None;
        it.deadline_ms_max = 5_000;
    });
    let module = admit(&engine, "holding", &guest::filter("", "(loop $again (br $again))"), &limits)?;
    let mut instance = instance(&module, batch.schema(), &limits)?;
    let left = ground.block_on(async { tokio::time::timeout(Duration::from_millis(20), instance.call(batch)).await });
    hold(left.is_err(), || "an endless loop ended within 20 ms".to_owned())?;
    drop(left);
    // Its guest is ended at the next tick.
    let patience = Instant::now() + Duration::from_secs(2);
    while held(batch) != before && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(1));
    }
    same("the caller left")?;
    // The pool is full: refused before it is shown anything.
    let module = admit(&engine, "holding", &guest::filter("", ""), &limits)?;
    let mut holders = Vec::new();
    for _ in 0..4 {
        let mut holder = self::instance(&module, batch.schema(), &limits)?;
        let mut called = ground.block_on(holder.call(batch));
        // The slot of the guest that was left is free a moment after what it held is.
        while called.as_ref().is_err_and(CallError::no_instance) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
            called = ground.block_on(holder.call(batch));
        }
        called.map_err(at("a good guest"))?;
        holders.push(holder);
    }
    let mut late = self::instance(&module, batch.schema(), &limits)?;
    let full = code("a full pool", ground.block_on(late.call(batch)))?;
    hold(full == "pool_exhausted", || format!("a full pool: {full}"))?;
    same("pool_exhausted")?;
    if holders.len() != 4 {
        return Err(Broken("the pool was not full".to_owned()));
    }
    Ok(format!("held {} times after each of {} ends", before.0, ENDS.len() + 2))
}
