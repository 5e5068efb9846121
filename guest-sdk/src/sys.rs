//! Safe wrappers of the host functions. The only file with `unsafe`.
//!
//! `ABI.md` describes every import. All wrappers are sound for the same reason: a pointer comes from a slice that lives as long as
//! the call, the count is that slice's length, and the host writes nowhere else, keeps no pointer and does not call back. The host
//! knows the width of a column from the manifest, which is created from the same [`Field`](crate::rt::Field) implementations as the
//! buffers.
#![expect(unsafe_code, reason = "the border to the host: imports, and the pointers that they take")]

use weir_abi::Status;

#[link(wasm_import_module = "weir_v1")]
unsafe extern "C" {
    #[link_name = "get_bool"]
    safe fn host_get_bool(column: u32, row: u32) -> i32;
    #[link_name = "get_i64"]
    safe fn host_get_i64(column: u32, row: u32) -> i64;
    #[link_name = "get_f64"]
    safe fn host_get_f64(column: u32, row: u32) -> f64;
    #[link_name = "get_bytes"]
    fn host_get_bytes(column: u32, row: u32, pointer: *mut u8, capacity: usize) -> i32;
    #[link_name = "is_null"]
    safe fn host_is_null(column: u32, row: u32) -> i32;
    #[link_name = "validity_word"]
    safe fn host_validity_word(column: u32, row: u32) -> u64;
    #[link_name = "window"]
    fn host_window(column: u32, row: u32, count: usize, pointer: *mut u8) -> i32;
    #[link_name = "window_bytes"]
    fn host_window_bytes(
        column: u32,
        row: u32,
        count: usize,
        offsets: *mut u32,
        pointer: *mut u8,
        capacity: usize,
    ) -> i32;
    #[link_name = "window_validity"]
    fn host_window_validity(column: u32, row: u32, count: usize, pointer: *mut u64) -> i32;
    #[link_name = "emit_filter"]
    fn host_emit_filter(pointer: *const u64, count: usize) -> i32;
    #[link_name = "emit_parents"]
    fn host_emit_parents(pointer: *const u32, count: usize) -> i32;
    #[link_name = "emit_column"]
    fn host_emit_column(field: u32, pointer: *const u8, count: usize, validity: *const u64) -> i32;
    #[link_name = "emit_bytes"]
    fn host_emit_bytes(
        field: u32,
        offsets: *const u32,
        count: usize,
        pointer: *const u8,
        length: usize,
        validity: *const u64,
    ) -> i32;
    #[link_name = "row_error"]
    fn host_row_error(row: u32, code: i32, pointer: *const u8, length: usize) -> i32;
    #[link_name = "metric_series"]
    fn host_metric_series(metric: u32, pointer: *const u8, length: usize) -> i32;
    #[link_name = "metric_record_many"]
    fn host_metric_record_many(series: *const u32, values: *const f64, count: usize) -> i32;
    #[link_name = "metric_record_column"]
    fn host_metric_record_column(series: u32, values: *const f64, count: usize) -> i32;
    #[link_name = "metric_record_input"]
    safe fn host_metric_record_input(series: u32, column: u32, row: u32, count: u32) -> i32;
    #[link_name = "param_i64"]
    safe fn host_param_i64(param: u32) -> i64;
    #[link_name = "param_f64"]
    safe fn host_param_f64(param: u32) -> f64;
    #[link_name = "param_bytes"]
    fn host_param_bytes(param: u32, pointer: *mut u8, capacity: usize) -> i32;
    #[link_name = "log"]
    fn host_log(level: i32, pointer: *const u8, length: usize) -> i32;
    #[link_name = "last_words"]
    fn host_last_words(pointer: *const u8, length: usize) -> i32;
}

/// A fixed-width type for which all bytes are valid.
pub(crate) trait Fixed: Copy + Default + 'static {}
impl Fixed for u8 {}
impl Fixed for i8 {}
impl Fixed for i16 {}
impl Fixed for i32 {}
impl Fixed for i64 {}
impl Fixed for f64 {}

/// Returns the result of `function`. If it refused, ends the guest with the reason as its last words.
///
/// The SDK uses types and indices of the manifest, so a refusal is either a limit of the tenant or a bug of the SDK.
#[inline]
fn answered(function: &str, answer: i32) -> u32 {
    match u32::try_from(answer) {
        Ok(answer) => answer,
        Err(_) => refused(function, answer),
    }
}

#[cold]
#[inline(never)]
fn refused(function: &str, answer: i32) -> ! {
    let reason = Status::from_code(answer).map_or("an unknown status", Status::name);
    panic!("the host refused `{function}`: {reason}")
}

#[inline]
pub(crate) fn get_bool(column: u32, row: u32) -> bool {
    host_get_bool(column, row) != 0
}

#[inline]
pub(crate) fn get_i64(column: u32, row: u32) -> i64 {
    host_get_i64(column, row)
}

#[inline]
pub(crate) fn get_f64(column: u32, row: u32) -> f64 {
    host_get_f64(column, row)
}

/// Returns the value's length; the value is in `buffer` if it fits.
pub(crate) fn get_bytes(column: u32, row: u32, buffer: &mut [u8]) -> usize {
    // SAFETY: the host writes at most `buffer.len()` bytes to `buffer`.
    let answer = unsafe { host_get_bytes(column, row, buffer.as_mut_ptr(), buffer.len()) };
    answered("get_bytes", answer) as usize
}

#[inline]
pub(crate) fn is_null(column: u32, row: u32) -> bool {
    host_is_null(column, row) != 0
}

#[inline]
pub(crate) fn validity_word(column: u32, row: u32) -> u64 {
    host_validity_word(column, row)
}

/// Fills `values` from row `row` on. `T` must have the width of the column's type.
pub(crate) fn window<T: Fixed>(column: u32, row: u32, values: &mut [T]) {
    // SAFETY: the host writes `values.len()` values of the column's width, which is that of `T`: see above. Any bytes
    // are a value of a `Fixed` type.
    let answer = unsafe { host_window(column, row, values.len(), values.as_mut_ptr().cast()) };
    answered("window", answer);
}

/// Reads as many of `offsets.len() - 1` values as fit in `data`, and returns how many.
pub(crate) fn window_bytes(column: u32, row: u32, offsets: &mut [u32], data: &mut [u8]) -> usize {
    let count = offsets.len() - 1;
    // SAFETY: the host writes at most `count + 1` offsets and `data.len()` bytes.
    let answer = unsafe { host_window_bytes(column, row, count, offsets.as_mut_ptr(), data.as_mut_ptr(), data.len()) };
    answered("window_bytes", answer) as usize
}

/// Whether none of `count` values is null. Otherwise `words` has the bitmap.
pub(crate) fn window_validity(column: u32, row: u32, count: usize, words: &mut [u64]) -> bool {
    assert!(count <= words.len() * 64);
    // SAFETY: the host writes at most `ceil(count / 8)` bytes, which `words` has by the line above.
    let answer = unsafe { host_window_validity(column, row, count, words.as_mut_ptr()) };
    answered("window_validity", answer) == 1
}

pub(crate) fn emit_filter(words: &[u64], count: usize) {
    assert!(count <= words.len() * 64);
    // SAFETY: the host reads `ceil(count / 8)` bytes, which `words` has by the line above.
    let answer = unsafe { host_emit_filter(words.as_ptr(), count) };
    answered("emit_filter", answer);
}

pub(crate) fn emit_parents(rows: &[u32]) {
    // SAFETY: the host reads `rows.len()` values.
    let answer = unsafe { host_emit_parents(rows.as_ptr(), rows.len()) };
    answered("emit_parents", answer);
}

/// Emits `values`. `T` must have the width of the field's type.
pub(crate) fn emit_column<T: Fixed>(field: u32, values: &[T], validity: Option<&[u64]>) {
    let validity = bitmap(validity, values.len());
    // SAFETY: the host reads `values.len()` values of the field's width, which is that of `T`, and as many bits at
    // `validity` unless it is null.
    let answer = unsafe { host_emit_column(field, values.as_ptr().cast(), values.len(), validity) };
    answered("emit_column", answer);
}

/// Emits `offsets.len() - 1` values.
pub(crate) fn emit_bytes(field: u32, offsets: &[u32], data: &[u8], validity: Option<&[u64]>) {
    let count = offsets.len() - 1;
    let validity = bitmap(validity, count);
    // SAFETY: the host reads `count + 1` offsets, `data.len()` bytes, and `count` bits at `validity` unless it is null.
    let answer = unsafe { host_emit_bytes(field, offsets.as_ptr(), count, data.as_ptr(), data.len(), validity) };
    answered("emit_bytes", answer);
}

/// The pointer to a bitmap of at least `count` bits; null for `None`.
fn bitmap(words: Option<&[u64]>, count: usize) -> *const u64 {
    words.map_or(std::ptr::null(), |words| {
        assert!(count <= words.len() * 64);
        words.as_ptr()
    })
}

pub(crate) fn row_error(row: u32, code: i32, message: &str) {
    // SAFETY: the host reads `message.len()` bytes.
    let answer = unsafe { host_row_error(row, code, message.as_ptr(), message.len()) };
    answered("row_error", answer);
}

pub(crate) fn metric_series(metric: u32, labels: &[u8]) -> u32 {
    // SAFETY: the host reads `labels.len()` bytes.
    let answer = unsafe { host_metric_series(metric, labels.as_ptr(), labels.len()) };
    answered("metric_series", answer)
}

pub(crate) fn metric_record_many(series: &[u32], values: &[f64]) {
    assert_eq!(series.len(), values.len());
    // SAFETY: the host reads as many handles as values, which both slices have.
    let answer = unsafe { host_metric_record_many(series.as_ptr(), values.as_ptr(), values.len()) };
    answered("metric_record_many", answer);
}

pub(crate) fn metric_record_column(series: u32, values: &[f64]) {
    // SAFETY: the host reads `values.len()` values.
    let answer = unsafe { host_metric_record_column(series, values.as_ptr(), values.len()) };
    answered("metric_record_column", answer);
}

/// Records `count` values of an input column. Returns the number of values that the metric does not accept.
pub(crate) fn metric_record_input(series: u32, column: u32, row: u32, count: u32) -> u32 {
    answered("metric_record_input", host_metric_record_input(series, column, row, count))
}

pub(crate) fn param_i64(param: u32) -> i64 {
    host_param_i64(param)
}

pub(crate) fn param_f64(param: u32) -> f64 {
    host_param_f64(param)
}

/// Returns the parameter's length; the parameter is in `buffer` if it fits.
pub(crate) fn param_bytes(param: u32, buffer: &mut [u8]) -> usize {
    // SAFETY: the host writes at most `buffer.len()` bytes to `buffer`.
    let answer = unsafe { host_param_bytes(param, buffer.as_mut_ptr(), buffer.len()) };
    answered("param_bytes", answer) as usize
}

/// Writes a line to the tenant's log. The host counts lines beyond the limits.
pub(crate) fn log(level: i32, line: &str) {
    // SAFETY: the host reads `line.len()` bytes.
    let answer = unsafe { host_log(level, line.as_ptr(), line.len()) };
    answered("log", answer);
}

/// Stores `text` for the following error. The guest is ending, so the result does not matter.
pub(crate) fn last_words(text: &str) {
    // SAFETY: the host reads `text.len()` bytes.
    let _status = unsafe { host_last_words(text.as_ptr(), text.len()) };
}

/// The text of `bytes`, which must be one or more complete values of a `utf8` column.
///
/// # Safety
///
/// The host must have written them for a `utf8` column, which contains valid UTF-8 according to the ABI.
unsafe fn host_text(bytes: &[u8]) -> &str {
    // SAFETY: the caller's promise.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

/// A window of a `utf8` column. Text from the host is not validated again: it is valid according to the ABI.
pub(crate) struct TextWindow(crate::bytes_window::BytesWindow);

impl TextWindow {
    pub(crate) fn new() -> Self {
        Self(crate::bytes_window::BytesWindow::new())
    }

    /// Reads from a column that the manifest declares as `utf8`.
    pub(crate) fn fill(&mut self, column: u32, row: u32, count: usize) -> usize {
        let read = |offsets: &mut [u32], data: &mut [u8]| window_bytes(column, row, offsets, data);
        self.0.fill(count, read, || get_bytes(column, row, &mut []))
    }

    #[inline(always)]
    pub(crate) fn get(&self, slot: usize) -> &str {
        // SAFETY: `slot` bounds one value in a buffer to which only the host wrote, for a column declared as `utf8`:
        // `fill` is the window's only way to be written to.
        unsafe { host_text(self.0.get(slot)) }
    }
}
