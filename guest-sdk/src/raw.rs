//! The getters of the ABI by column and row, without rows or windows. Low level.
//!
//! [`transform`](macro@crate::prelude::transform) reads windows of 1,024 values and is faster, unless a function reads few rows of
//! many columns. Use this module in that case, and for measuring the cost of host calls.
//!
//! ```
//! use weir_guest::prelude::*;
//! use weir_guest::raw;
//!
//! #[derive(Row)]
//! struct Reading { id: i64, value: f64 }
//!
//! /// Keeps readings above one half.
//! #[raw::raw_filter(Reading)]
//! fn high(rows: u32) {
//!     raw::emit_filter_with(rows, |row| raw::get_f64(1, row) > 0.5);
//! }
//! ```
//!
//! A column's index is its field's position in the row. A wrong index, row or type ends the guest.

use crate::sys;

pub use weir_guest_macros::raw_filter;

/// A `bool`; false for null.
#[inline(always)]
pub fn get_bool(column: u32, row: u32) -> bool {
    sys::get_bool(column, row)
}

/// An integer of any width, or a timestamp in microseconds; 0 for null.
#[inline(always)]
pub fn get_i64(column: u32, row: u32) -> i64 {
    sys::get_i64(column, row)
}

/// An `f64`; 0.0 for null.
#[inline(always)]
pub fn get_f64(column: u32, row: u32) -> f64 {
    sys::get_f64(column, row)
}

/// Reads a text or binary value into `buffer`, which is resized to its length; empty for null.
pub fn get_bytes(column: u32, row: u32, buffer: &mut Vec<u8>) {
    buffer.resize(buffer.capacity(), 0);
    let length = sys::get_bytes(column, row, buffer);
    if length > buffer.len() {
        buffer.resize(length, 0);
        sys::get_bytes(column, row, buffer);
    }
    buffer.truncate(length);
}

/// Whether the value is null.
#[inline(always)]
pub fn is_null(column: u32, row: u32) -> bool {
    sys::is_null(column, row)
}

/// Bit *i* is 1 if row `row` + *i* exists and is not null.
#[inline(always)]
pub fn validity_word(column: u32, row: u32) -> u64 {
    sys::validity_word(column, row)
}

/// Emits the next `count` rows of a filter: bit *i* of word *i* / 64 is 1 for a row that is kept.
///
/// # Panics
///
/// If `words` has fewer than `count` bits.
pub fn emit_filter(words: &[u64], count: usize) {
    sys::emit_filter(words, count);
}

/// Filters a whole batch of `rows` rows, calling `keep` for each.
#[inline(always)]
pub fn emit_filter_with(rows: u32, keep: impl Fn(u32) -> bool) {
    let mut words = vec![0u64; rows.div_ceil(64) as usize];
    for (word, start) in words.iter_mut().zip((0..rows).step_by(64)) {
        let mut bits = 0;
        for row in start..rows.min(start.saturating_add(64)) {
            bits |= u64::from(keep(row)) << (row - start);
        }
        *word = bits;
    }
    sys::emit_filter(&words, rows as usize);
}
