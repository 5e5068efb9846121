//! Functions that answer with what they read, of every type and by every way there is: that nothing is lost or made up on
//! the way through the SDK's windows and builders, compiled as they are for tenants.
#![forbid(unsafe_code)]

use weir_guest::prelude::*;
use weir_guest::raw;

/// A value of each type, none of which may be missing.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct Values<'a> {
    /// True or false.
    pub b: bool,
    /// 8 bits.
    pub i8: i8,
    /// 16 bits.
    pub i16: i16,
    /// 32 bits.
    pub i32: i32,
    /// 64 bits.
    pub i64: i64,
    /// A double.
    pub f: f64,
    /// Text.
    pub s: &'a str,
    /// Bytes.
    pub y: &'a [u8],
    /// A time.
    pub t: Timestamp,
}

/// A value of each type, each of which may be missing.
#[derive(Row, Clone, Debug, PartialEq)]
pub struct Optional<'a> {
    /// True or false.
    pub b: Option<bool>,
    /// 8 bits.
    pub i8: Option<i8>,
    /// 16 bits.
    pub i16: Option<i16>,
    /// 32 bits.
    pub i32: Option<i32>,
    /// 64 bits.
    pub i64: Option<i64>,
    /// A double.
    pub f: Option<f64>,
    /// Text.
    pub s: Option<&'a str>,
    /// Bytes.
    pub y: Option<&'a [u8]>,
    /// A time.
    pub t: Option<Timestamp>,
}

/// Every row as it is.
#[transform]
pub fn values(row: Values<'_>) -> Values<'_> {
    row
}

/// Every row as it is, whatever is missing.
#[transform]
pub fn optional(row: Optional<'_>) -> Optional<'_> {
    row
}

/// Rows with an even number, or none.
#[transform]
pub fn even(row: Optional<'_>) -> Option<Optional<'_>> {
    is_even(&row).then_some(row)
}

/// Rows with an even number, or none; the others fail.
#[transform]
pub fn even_or_error(row: Optional<'_>) -> Result<Optional<'_>, String> {
    if is_even(&row) { Ok(row) } else { Err("odd".to_owned()) }
}

/// Rows with an even number, or none, twice.
#[transform]
pub fn even_twice(row: Optional<'_>) -> Vec<Optional<'_>> {
    if is_even(&row) { vec![row.clone(), row] } else { Vec::new() }
}

fn is_even(row: &Optional<'_>) -> bool {
    row.i32.is_none_or(|number| number % 2 == 0)
}

/// Rows of which the getters say what the windows say: all of them, then.
#[raw::raw_filter(Optional<'_>)]
pub fn getters_agree(rows: u32) {
    raw::emit_filter_with(rows, |row| {
        let (mut text, mut bytes) = (Vec::new(), Vec::new());
        raw::get_bytes(6, row, &mut text);
        raw::get_bytes(7, row, &mut bytes);
        let is_text = std::str::from_utf8(&text).is_ok();
        // What is missing reads as nothing.
        let nothing = |column: u32, is_zero: bool| !raw::is_null(column, row) || is_zero;
        is_text
            && nothing(0, !raw::get_bool(0, row))
            && (1..=4).all(|column| nothing(column, raw::get_i64(column, row) == 0))
            && nothing(5, raw::get_f64(5, row) == 0.0)
            && nothing(6, text.is_empty())
            && nothing(7, bytes.is_empty())
            && nothing(8, raw::get_i64(8, row) == 0)
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(number: Option<i32>) -> Optional<'static> {
        Optional { b: None, i8: None, i16: None, i32: number, i64: None, f: None, s: Some("s"), y: None, t: None }
    }

    #[test]
    fn what_is_even_comes_back() {
        assert_eq!(even(row(Some(2))), Some(row(Some(2))));
        assert_eq!(even(row(Some(3))), None);
        assert_eq!(even_twice(row(None)), [row(None), row(None)]);
        assert_eq!(even_or_error(row(Some(-1))), Err("odd".to_owned()));
        assert_eq!(optional(row(None)), row(None));
    }
}
