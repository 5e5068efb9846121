//! Row 64: what a tenant leaves in memory, tables and globals is never another's to find.

use std::sync::Arc;

use weir_hostile::Class;
use weir_sandbox::{Engine, Instance, Limits, Module};

use super::{Broken, Finding, Procedure, admit, at, code, hold, instance, limits, small_engine};
use crate::ground::Ground;
use crate::guest;

pub(super) const PROCEDURE: Procedure = Procedure {
    row: 64,
    name: "leftovers",
    title: "a canary in all memory, tables and globals, then another tenant in the same slots",
    class: Class::Life,
    expected: "zeroes and its own data, after answers, traps and time-outs",
    steps,
};

const SLOTS: u32 = 4;
const ROUNDS: usize = 4;
/// More than a slot keeps resident, so that both ways to clear it are taken.
const MEMORY_BYTES: usize = 8 << 20;
const PAGES: usize = MEMORY_BYTES >> 16;
const TABLE: usize = 5_000;

/// Fills everything: memory as far as it grows, a table as far as it grows, globals.
fn filler(end: &str) -> Vec<u8> {
    let items = format!(
        r#"(table $t 10 funcref) (elem declare func $canary) (func $canary)
           (global $g (mut i64) (i64.const 0)) (global $r (mut funcref) (ref.null func))
           (func $fill
             (drop (memory.grow (i32.const {})))
             (memory.fill (i32.const 0) (i32.const 0xa5) (i32.shl (memory.size) (i32.const 16)))
             (drop (table.grow $t (ref.func $canary) (i32.const {})))
             (table.fill $t (i32.const 0) (ref.func $canary) (table.size $t))
             (global.set $g (i64.const 0x5a5a5a5a5a5a5a5a)) (global.set $r (ref.func $canary)))"#,
        PAGES - 1,
        TABLE - 10,
    );
    guest::filter(&items, &format!("(call $fill) {end}"))
}

/// Looks through everything that it can get, and fails with the number of what it found: 1 memory before it grew,
/// 2 memory after, 3 its own data, 4 a table before it grew, 5 after, 6 globals, 8 and 9 that it could not grow at all.
/// Its own marks stay, so that it finds them in the next batch if that gets the same instance.
fn finder() -> Vec<u8> {
    let items = format!(
        r#"(table $t 10 funcref) (elem declare func $mark) (func $mark)
           (global $g (mut i64) (i64.const 0)) (global $r (mut funcref) (ref.null func))
           (data (i32.const 4096) "its own data")
           (func $memory_is_clean (param $from i32) (result i32)
             (loop $words
               (if (i64.ne (i64.load (local.get $from)) (i64.const 0)) (then
                 (if (i32.or (i32.lt_u (local.get $from) (i32.const 4096)) (i32.ge_u (local.get $from) (i32.const 4112)))
                   (then (return (i32.const 0))))))
               (local.set $from (i32.add (local.get $from) (i32.const 8)))
               (br_if $words (i32.lt_u (local.get $from) (i32.shl (memory.size) (i32.const 16)))))
             (i32.const 1))
           (func $table_is_clean (result i32) (local $i i32)
             (loop $slots
               (if (i32.eqz (ref.is_null (table.get $t (local.get $i)))) (then (return (i32.const 0))))
               (local.set $i (i32.add (local.get $i) (i32.const 1)))
               (br_if $slots (i32.lt_u (local.get $i) (table.size $t))))
             (i32.const 1))
           (func $find (result i32)
             (if (i32.eqz (call $memory_is_clean (i32.const 0))) (then (return (i32.const 1))))
             (if (i32.lt_s (memory.grow (i32.const {})) (i32.const 0)) (then (return (i32.const 8))))
             (if (i32.eqz (call $memory_is_clean (i32.const 65536))) (then (return (i32.const 2))))
             (if (i64.ne (i64.load (i32.const 4096)) (i64.const 0x206e776f20737469)) (then (return (i32.const 3))))
             (if (i64.ne (i64.load (i32.const 4104)) (i64.const 0x61746164)) (then (return (i32.const 3))))
             (if (i32.eqz (call $table_is_clean)) (then (return (i32.const 4))))
             (if (i32.lt_s (table.grow $t (ref.null func) (i32.const {})) (i32.const 0)) (then (return (i32.const 9))))
             (if (i32.eqz (call $table_is_clean)) (then (return (i32.const 5))))
             (if (i64.ne (global.get $g) (i64.const 0)) (then (return (i32.const 6))))
             (if (i32.eqz (ref.is_null (global.get $r))) (then (return (i32.const 6))))
             (table.set $t (i32.const 3) (ref.func $mark))
             (global.set $g (i64.const 1)) (global.set $r (ref.func $mark))
             (i32.const 0))"#,
        PAGES - 1,
        TABLE - 10,
    );
    let body = "(local $found i32) (local.set $found (call $find))
                (if (local.get $found) (then (return (local.get $found))))";
    guest::filter(&items, body)
}

/// How the tenant before ended.
const ENDS: [(&str, &str); 3] =
    [("answered", ""), ("unreachable", "(unreachable)"), ("out_of_fuel", "(loop $again (br $again))")];

fn steps(ground: &Ground) -> Finding {
    let engine = small_engine(SLOTS)?;
    let limits = limits(ground).with(|it| {
        it.memory_bytes_max = MEMORY_BYTES;
        it.table_elements_max = TABLE;
        it.fuel_batch_max = Some(200_000_000);
    });
    let finder = admit(&engine, "finder", &finder(), &limits)?;
    can_find(ground, &finder, &limits)?;
    let mut looks = 0;
    for (end, body) in ENDS {
        let filler = admit(&engine, "filler", &filler(body), &limits)?;
        for _ in 0..ROUNDS {
            fill(ground, &filler, &limits, end)?;
            looks += look(ground, &engine, &finder, &limits, end)?;
        }
    }
    Ok(format!("nothing found in {looks} looks at {} MiB, {TABLE} table elements and globals", MEMORY_BYTES >> 20))
}

/// The finder finds what is there: its own marks, in the second batch of one instance.
fn can_find(ground: &Ground, finder: &Arc<Module>, limits: &Limits) -> Result<(), Broken> {
    let mut instance = instance(finder, ground.batch().schema(), limits)?;
    ground.block_on(instance.call(ground.batch())).map_err(at("a finder in an unused slot"))?;
    let code = code("a finder that left marks itself", ground.block_on(instance.call(ground.batch())))?;
    hold(code == "failed", || format!("a finder that left marks itself ended with {code}"))
}

/// Every slot, filled and given back.
fn fill(ground: &Ground, filler: &Arc<Module>, limits: &Limits, end: &str) -> Result<(), Broken> {
    let mut holders: Vec<Instance> = Vec::new();
    for _ in 0..SLOTS {
        let mut holder = instance(filler, ground.batch().schema(), limits)?;
        let called = ground.block_on(holder.call(ground.batch()));
        if end == "answered" {
            let outcome = called.map_err(at("a filler"))?;
            let filled = outcome.usage.memory_bytes;
            hold(filled == MEMORY_BYTES, || format!("a filler got only {filled} bytes"))?;
            // Those that answer hold their slots until all are taken.
            holders.push(holder);
        } else {
            let code = code("a filler", called)?;
            hold(code == end, || format!("a filler ended with {code}, and {end} was expected"))?;
        }
    }
    Ok(())
}

/// Every slot at once, looked through.
fn look(ground: &Ground, engine: &Engine, finder: &Arc<Module>, limits: &Limits, after: &str) -> Result<usize, Broken> {
    let mut holders: Vec<Instance> = Vec::new();
    for slot in 0..engine.instances_max() {
        let mut holder = instance(finder, ground.batch().schema(), limits)?;
        let called = ground.block_on(holder.call(ground.batch()));
        called.map_err(|error| Broken(format!("slot {slot} after {after}: found: {}", error.cause)))?;
        holders.push(holder);
    }
    Ok(holders.len())
}
