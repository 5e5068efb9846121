//! Shapes that are small to hand in and much work to compile.

use std::fmt::Write as _;

use crate::Target;
use crate::text::{binary, filter};

/// Functions beside the bomb: a filter that keeps all.
pub(crate) const KEEPS_ALL: &str = r#"(memory (export "memory") 1)
(func (export "weir_call_f") (param i32) (result i32) (call $keep_all (i32.const 0) (local.get 0)))"#;

/// Imports, manifest and what else is beside the bomb; generously.
const BESIDE_BYTES: usize = 6 << 10;

/// More than the largest module of the default limits is handed in to nobody: what a host allows beyond that, its
/// operator wants to pay for.
const BYTES_MAX: usize = 4 << 20;

/// Keeps all, and holds this too.
pub(crate) fn beside(fields: &str) -> Vec<u8> {
    filter(&format!("{KEEPS_ALL}{fields}"))
}

/// Keeps all, and holds as many copies of these fields as the target lets in, `most` at most.
pub(crate) fn filled_with(target: &Target, fields: &str, most: usize) -> Vec<u8> {
    filled_beside(target, "", fields, most)
}

/// The same beside what they need to be there once.
pub(crate) fn filled_beside(target: &Target, once: &str, fields: &str, most: usize) -> Vec<u8> {
    let each = binary(&format!("(module {once} {fields})")).len();
    let room = target.module_bytes_max.min(BYTES_MAX).saturating_sub(BESIDE_BYTES);
    beside(&format!("{once} {}", fields.repeat((room / each).clamp(1, most))))
}

/// How many items of this size a function may hold such that the target admits it; at most `most`.
pub(crate) fn sized(target: &Target, bytes: usize, most: usize) -> usize {
    let room = target.module_bytes_max.min(BYTES_MAX).saturating_sub(BESIDE_BYTES);
    (room.min(64 << 10) / bytes).saturating_sub(100).clamp(1, most)
}

/// `what`, `count` times.
pub(crate) fn times(count: usize, what: &str) -> String {
    what.repeat(count)
}

/// What `one` makes of 0, 1, … `count`.
pub(crate) fn each(count: usize, one: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for index in 0..count {
        text.push_str(&one(index));
    }
    text
}

/// A function with this number of locals that is `times` a nest of blocks which may be left before any local is set: each block's
/// end is a place where every local has one of two values.
pub(crate) fn joins(locals: usize, depth: usize, repeats: usize) -> String {
    let mut nest = times(depth, "block ");
    for level in 0..depth {
        write!(nest, "local.get 0 br_if {level} ").unwrap_or_default();
    }
    nest.push_str(&each(locals, |local| format!("local.get 0 local.set {} ", 1 + local)));
    nest.push_str(&times(depth, "end "));
    let reads = each(locals, |local| format!("local.get {} i32.xor ", 1 + local));
    format!(
        "(func (param i32) (result i32) (local{}) {} i32.const 0 {reads})",
        times(locals, " i32"),
        nest.repeat(repeats)
    )
}

/// The same with loops.
pub(crate) fn loops(locals: usize, depth: usize, repeats: usize) -> String {
    let mut nest = times(depth, "loop ");
    nest.push_str(&each(locals, |local| format!("local.get {0} local.get 0 i32.add local.set {0} ", 1 + local)));
    nest.push_str(&times(depth, "local.get 0 br_if 0 end "));
    let reads = each(locals, |local| format!("local.get {} i32.xor ", 1 + local));
    format!(
        "(func (param i32) (result i32) (local{}) {} i32.const 0 {reads})",
        times(locals, " i32"),
        nest.repeat(repeats)
    )
}

/// A `br_table` with this number of targets, all of them one block at whose end this number of locals may have been set or not.
pub(crate) fn table_joins(locals: usize, targets: usize) -> String {
    let sets = each(locals, |local| format!("local.get 0 local.set {} ", 1 + local));
    let reads = each(locals, |local| format!("local.get {} i32.xor ", 1 + local));
    format!(
        "(func (param i32) (result i32) (local{}) block local.get 0 br_if 0 {sets} block local.get 0 br_table {} end end i32.const 0 {reads})",
        times(locals, " i32"),
        times(targets, "1 "),
    )
}

/// So many functions of a hundred parameters and sixteen results that can be called through a table: each needs a
/// bridge from the host's way of calling.
pub(crate) fn bridges(count: usize) -> String {
    format!(
        "(type $t (func (param{}) (result{}))) {} (table {count} funcref) (elem declare func{})",
        times(100, " v128"),
        times(16, " v128"),
        times(count, "(func (type $t) unreachable)"),
        each(count, |index| format!(" {}", 24 + index)),
    )
}

/// Values that are all wanted at the same time.
pub(crate) fn live_values(count: usize) -> String {
    format!(
        "(func (param i32) (result i32) {} {})",
        each(count, |index| format!("local.get 0 i32.load offset={} ", index % 64)),
        times(count - 1, "i32.add "),
    )
}

/// So many branches that carry sixteen values each, to one place.
pub(crate) fn carrying(count: usize) -> String {
    format!(
        "(func (param i32) (result i32) block (result{}) {} {} end {})",
        times(16, " i32"),
        times(16, "local.get 0 "),
        times(count, "local.get 0 br_if 0 "),
        times(15, "i32.add "),
    )
}

/// A function that calls itself this number of times, with sixteen vectors each way.
pub(crate) fn calls(count: usize) -> String {
    format!(
        "(func $c (param{0}) (result{0}) {1} {2})",
        times(16, " v128"),
        each(16, |index| format!("local.get {index} ")),
        times(count, "call $c "),
    )
}

/// What an indirect call needs to be there, and the call.
pub(crate) const INDIRECT: &str = "(table 10 funcref) (type $i (func (param i32) (result i32)))";
pub(crate) const CALL_INDIRECT: &str = "local.get 0 call_indirect (type $i) ";

/// One instruction after the other, each of which takes what the one before left.
pub(crate) fn chain(count: usize, step: &str) -> String {
    format!("(func (param i32) (result i32) local.get 0 {})", times(count, step))
}
