//! The host functions in native builds: records and results of a thread are kept in memory.
//!
//! Tests call the functions of authors directly, and need only the log of this. It exists so that the layers between a function and
//! the host (windows, sinks, series) can be tested without WebAssembly.

use std::cell::RefCell;

use crate::native_host::{Host, Value};

thread_local! {
    static HOST: RefCell<Host> = RefCell::new(Host::default());
}

/// Calls `work` with this thread's host.
pub(crate) fn host<T>(work: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(work)
}

/// A fixed-width type for which all bytes are valid.
pub(crate) trait Fixed: Copy + Default + 'static {
    fn from_value(value: &Value) -> Self;
    fn into_value(self) -> Value;
}

macro_rules! fixed {
    ($($ty:ty: $variant:ident,)*) => {$(
        impl Fixed for $ty {
            fn from_value(value: &Value) -> Self {
                match value {
                    Value::Null => Self::default(),
                    Value::$variant(value) => *value,
                    other => panic!("{other:?} read as {}", stringify!($ty)),
                }
            }
            fn into_value(self) -> Value {
                Value::$variant(self)
            }
        }
    )*};
}

fixed! { u8: Bool, i8: I8, i16: I16, i32: I32, i64: I64, f64: F64, }

pub(crate) fn get_bool(column: u32, row: u32) -> bool {
    host(|host| u8::from_value(host.value(column, row)) != 0)
}

pub(crate) fn get_i64(column: u32, row: u32) -> i64 {
    host(|host| match *host.value(column, row) {
        Value::I8(value) => value.into(),
        Value::I16(value) => value.into(),
        Value::I32(value) => value.into(),
        ref value => i64::from_value(value),
    })
}

pub(crate) fn get_f64(column: u32, row: u32) -> f64 {
    host(|host| f64::from_value(host.value(column, row)))
}

pub(crate) fn get_bytes(column: u32, row: u32, buffer: &mut [u8]) -> usize {
    host(|host| copy(host.value(column, row).bytes(), buffer))
}

/// Copies `bytes` if they fit, and returns their length.
fn copy(bytes: &[u8], buffer: &mut [u8]) -> usize {
    if let Some(buffer) = buffer.get_mut(..bytes.len()) {
        buffer.copy_from_slice(bytes);
    }
    bytes.len()
}

pub(crate) fn is_null(column: u32, row: u32) -> bool {
    host(|host| *host.value(column, row) == Value::Null)
}

pub(crate) fn validity_word(column: u32, row: u32) -> u64 {
    host(|host| {
        let values = &host.columns[column as usize][row as usize..];
        values.iter().take(64).enumerate().fold(0, |word, (i, value)| word | u64::from(*value != Value::Null) << i)
    })
}

pub(crate) fn window<T: Fixed>(column: u32, row: u32, values: &mut [T]) {
    host(|host| {
        for (value, row) in values.iter_mut().zip(row..) {
            *value = T::from_value(host.value(column, row));
        }
    });
}

pub(crate) fn window_bytes(column: u32, row: u32, offsets: &mut [u32], data: &mut [u8]) -> usize {
    host(|host| {
        let (mut read, mut end) = (0, 0);
        offsets[0] = 0;
        for row in (row..).take(offsets.len() - 1) {
            let bytes = host.value(column, row).bytes();
            if end + bytes.len() > data.len() {
                break;
            }
            data[end..end + bytes.len()].copy_from_slice(bytes);
            end += bytes.len();
            read += 1;
            offsets[read] = end as u32;
        }
        read
    })
}

pub(crate) fn window_validity(column: u32, row: u32, count: usize, words: &mut [u64]) -> bool {
    host(|host| {
        let valid: Vec<bool> = (row..).take(count).map(|row| *host.value(column, row) != Value::Null).collect();
        if valid.iter().all(|valid| *valid) {
            return true;
        }
        words.fill(0);
        for (i, valid) in valid.into_iter().enumerate() {
            words[i / 64] |= u64::from(valid) << (i % 64);
        }
        false
    })
}

pub(crate) fn emit_filter(words: &[u64], count: usize) {
    host(|host| host.kept.extend(bits(Some(words), count)));
}

pub(crate) fn emit_parents(rows: &[u32]) {
    host(|host| host.parents.extend_from_slice(rows));
}

pub(crate) fn emit_column<T: Fixed>(field: u32, values: &[T], validity: Option<&[u64]>) {
    let values = values.iter().zip(bits(validity, values.len()));
    host(|host| {
        host.emit(field, values.map(|(value, valid)| if valid { value.into_value() } else { Value::Null }));
    });
}

pub(crate) fn emit_bytes(field: u32, offsets: &[u32], data: &[u8], validity: Option<&[u64]>) {
    let values = offsets.windows(2).zip(bits(validity, offsets.len() - 1));
    host(|host| {
        host.emit(
            field,
            values.map(|(ends, valid)| {
                let bytes = &data[ends[0] as usize..ends[1] as usize];
                if valid { Value::Bytes(bytes.to_vec()) } else { Value::Null }
            }),
        );
    });
}

fn bits(words: Option<&[u64]>, count: usize) -> impl Iterator<Item = bool> {
    (0..count).map(move |i| words.is_none_or(|words| words[i / 64] >> (i % 64) & 1 == 1))
}

pub(crate) fn row_error(row: u32, code: i32, message: &str) {
    host(|host| host.row_errors.push((row, code, message.to_owned())));
}

pub(crate) fn metric_series(metric: u32, labels: &[u8]) -> u32 {
    host(|host| host.series(metric, labels))
}

pub(crate) fn metric_record_many(series: &[u32], values: &[f64]) {
    assert_eq!(series.len(), values.len());
    host(|host| host.records.extend(series.iter().copied().zip(values.iter().copied())));
}

pub(crate) fn metric_record_column(series: u32, values: &[f64]) {
    host(|host| host.records.extend(values.iter().map(|value| (series, *value))));
}

pub(crate) fn metric_record_input(series: u32, column: u32, row: u32, count: u32) -> u32 {
    host(|host| {
        let values = &host.columns[column as usize][row as usize..(row + count) as usize];
        // This host does not know the metric's kind, so it accepts all finite values.
        let values: Vec<f64> = values.iter().filter_map(Value::number).collect();
        let taken = values.iter().filter(|value| value.is_finite());
        host.records.extend(taken.map(|value| (series, *value)));
        values.iter().filter(|value| !value.is_finite()).count() as u32
    })
}

pub(crate) fn param_i64(param: u32) -> i64 {
    host(|host| match host.param(param) {
        Value::Bool(value) => i64::from(*value),
        value => i64::from_value(value),
    })
}

pub(crate) fn param_f64(param: u32) -> f64 {
    host(|host| f64::from_value(host.param(param)))
}

pub(crate) fn param_bytes(param: u32, buffer: &mut [u8]) -> usize {
    host(|host| copy(host.param(param).bytes(), buffer))
}

pub(crate) fn log(level: i32, line: &str) {
    let level = ["error", "warn", "info", "debug"][(level - 1) as usize];
    eprintln!("{level}: {line}");
    host(|host| host.log.push(format!("{level}: {line}")));
}

pub(crate) fn last_words(text: &str) {
    eprintln!("{text}");
}

/// A window of a `utf8` column.
pub(crate) struct TextWindow(crate::bytes_window::BytesWindow);

impl TextWindow {
    pub(crate) fn new() -> Self {
        Self(crate::bytes_window::BytesWindow::new())
    }

    pub(crate) fn fill(&mut self, column: u32, row: u32, count: usize) -> usize {
        let read = |offsets: &mut [u32], data: &mut [u8]| window_bytes(column, row, offsets, data);
        self.0.fill(count, read, || get_bytes(column, row, &mut []))
    }

    pub(crate) fn get(&self, slot: usize) -> &str {
        match std::str::from_utf8(self.0.get(slot)) {
            Ok(text) => text,
            Err(error) => panic!("a utf8 column holds what is no UTF-8: {error}"),
        }
    }
}
