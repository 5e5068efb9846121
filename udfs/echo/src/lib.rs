//! Functions that return what they read, for every type and every API. Tests use them to check that the SDK's windows and builders
//! lose and invent nothing when compiled for tenants.
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

/// The text that is looked for.
#[derive(Params)]
pub struct Wanted {
    /// The text.
    #[param(default = "")]
    pub text: String,
}

/// Rows with this text.
#[transform]
pub fn is_wanted(row: Optional<'_>, wanted: &Wanted) -> bool {
    row.s == Some(wanted.text.as_str())
}

/// All rows, with a line in the log for the beginning of each one's text.
#[transform]
pub fn logged(row: Optional<'_>) -> bool {
    weir_guest::info!("{}", row.s.unwrap_or("none").chars().take(9).collect::<String>());
    true
}

/// What was seen of the rows.
#[derive(Default, MetricSet)]
pub struct Seen {
    /// Rows.
    pub rows: Counter,
    /// Rows by the beginning of their text and the rest of their number.
    #[metric(labels("text", "rest"))]
    pub by_text: Counter<2>,
    /// The last number.
    pub last: Gauge,
    /// Small numbers.
    #[metric(buckets(-64, 0, 64))]
    pub small: Histogram,
}

/// Counts rows.
#[metrics]
impl Metrics for Seen {
    type Row<'a> = Optional<'a>;

    fn observe(&mut self, row: Optional<'_>) {
        self.rows.inc();
        let text: String = row.s.unwrap_or("none").chars().take(4).collect();
        let rest = row.i32.map_or("none".to_owned(), |number| (number % 3).to_string());
        self.by_text.with([&text, &rest]).inc();
        if let Some(number) = row.i32 {
            self.last.set(number);
        }
        if let Some(number) = row.i8 {
            self.small.observe(i32::from(number));
        }
    }
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
        assert!(is_wanted(row(None), &Wanted { text: "s".to_owned() }));
    }

    #[test]
    fn rows_are_counted() {
        let mut seen = Seen::default();
        [Some(-4), Some(2), None].into_iter().for_each(|number| seen.observe(row(number)));
        assert_eq!((seen.rows.value(), seen.last.value(), seen.small.count()), (3.0, Some(2.0), 0));
        assert_eq!(seen.by_text.with(["s", "-1"]).value(), 1.0);
    }
}
