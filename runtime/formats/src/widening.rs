//! Finds the narrowest type that fits all sampled values of a field.
//!
//! Each value is tried with the functions that will read it later, so the result can be read. In addition, a type must preserve the
//! value as written: `007` and `12345678901234567890` stay text, and integers become doubles together with other doubles only if
//! all of them are exact.

use super::json_text::Value;
use super::numbers::{double, fits_double};
use super::timestamp;
use weir_batch::DataType;

/// From the narrowest on: the first that remains is the type.
const CANDIDATES: [DataType; 5] = [DataType::Bool, DataType::I64, DataType::F64, DataType::Timestamp, DataType::Utf8];

/// The result of the values so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Widening {
    fits: [bool; CANDIDATES.len()],
    seen: bool,
    // Whether a value has digits: `NaN` alone is text.
    digits: bool,
}

impl Default for Widening {
    fn default() -> Widening {
        Widening { fits: [true; CANDIDATES.len()], seen: false, digits: false }
    }
}

impl Widening {
    /// Adds a JSON value. Text stays text, whatever it looks like: only its author knows whether `2001-01-31` is a date.
    pub(super) fn see_json(&mut self, value: &Value<'_>) {
        match *value {
            Value::Null => {}
            Value::Bool(_) => self.keep(|data_type| matches!(data_type, DataType::Bool | DataType::Utf8)),
            Value::Number(text) => {
                self.digits = true;
                self.keep(|data_type| match data_type {
                    DataType::I64 => is_i64(text),
                    DataType::F64 => is_f64(text),
                    data_type => data_type == DataType::Utf8,
                });
            }
            Value::Text(_) => self.keep(|data_type| data_type == DataType::Utf8),
            Value::List | Value::Object => self.keep(|_| false),
        }
    }

    /// Adds a CSV value that is not null. A number is not a timestamp, because its unit is unknown.
    pub(super) fn see_text(&mut self, text: &str) {
        self.digits |= text.bytes().any(|byte| byte.is_ascii_digit());
        self.keep(|data_type| match data_type {
            DataType::Bool => text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false"),
            DataType::I64 => is_i64(text),
            DataType::F64 => is_f64(text) || matches!(text, "NaN" | "inf" | "-inf"),
            DataType::Timestamp => timestamp::parse_text(text).is_ok(),
            data_type => data_type == DataType::Utf8,
        });
    }

    /// The type: `utf8` if there were only nulls, and `None` if no type fits (lists and objects).
    pub(super) fn data_type(&self) -> Option<DataType> {
        if !self.seen {
            return Some(DataType::Utf8);
        }
        let mut fitting = CANDIDATES.into_iter().zip(self.fits).filter(|(_, fits)| *fits);
        fitting.find(|(data_type, _)| *data_type != DataType::F64 || self.digits).map(|(data_type, _)| data_type)
    }

    /// Combines the values of both.
    pub(super) fn with(&self, other: &Widening) -> Widening {
        let mut both = self.clone();
        both.fits.iter_mut().zip(other.fits).for_each(|(fits, other)| *fits &= other);
        (both.seen, both.digits) = (self.seen || other.seen, self.digits || other.digits);
        both
    }

    fn keep(&mut self, fits: impl Fn(DataType) -> bool) {
        self.seen = true;
        for (kept, data_type) in self.fits.iter_mut().zip(CANDIDATES) {
            *kept = *kept && fits(data_type);
        }
    }
}

/// An integer in its usual form: without a plus sign, leading zeros, a fraction or an exponent.
fn is_plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0');
    !digits.is_empty() && !padded && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_i64(text: &str) -> bool {
    is_plain_integer(text) && text.parse::<i64>().is_ok()
}

/// A number with a fraction or an exponent, or an integer that a double holds exactly.
fn is_f64(text: &str) -> bool {
    if is_plain_integer(text) {
        return text.parse().is_ok_and(fits_double);
    }
    let digits = text.strip_prefix('-').unwrap_or(text);
    let mut bytes = digits.bytes();
    let padded = bytes.next() == Some(b'0') && bytes.next().is_some_and(|byte| byte.is_ascii_digit());
    let begins = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let fractional = digits.contains(['.', 'e', 'E']);
    begins && fractional && !padded && double(text).is_some_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], expected: DataType) {
        let mut widening = Widening::default();
        texts.iter().for_each(|text| widening.see_text(text));
        assert_eq!(widening.data_type(), Some(expected), "{texts:?}");
    }

    #[test]
    fn texts_widen_until_all_fit() {
        use DataType::{Bool, F64, I64, Timestamp, Utf8};
        check(&[], Utf8);
        check(&["true", "FALSE"], Bool);
        check(&["true", "1"], Utf8);
        check(&["1", "-5", "0", "9223372036854775807"], I64);
        check(&["1", "0.5"], F64);
        check(&["1", "1e3", "-.5", "5."], F64);
        check(&["9007199254740993", "0.5"], Utf8);
        check(&["9007199254740992", "0.5"], F64);
        check(&["9223372036854775808"], Utf8);
        check(&["18446744073709551616"], Utf8);
        check(&["1e999"], Utf8);
        check(&["007"], Utf8);
        check(&["007", "8"], Utf8);
        check(&["00.5"], Utf8);
        check(&["+5"], Utf8);
        check(&["1", "NaN"], F64);
        check(&["1.5", "NaN", "-inf"], F64);
        check(&["NaN", "inf"], Utf8);
        check(&["nan"], Utf8);
        check(&["1_000"], Utf8);
        check(&[" 1"], Utf8);
        check(&["2001-01-31", "2001-01-31T10:00Z"], Timestamp);
        check(&["2001-01-31", "5"], Utf8);
        check(&["2001-01-31 was a Wednesday"], Utf8);
        check(&["2001-01-31", "2001-02-31"], Utf8);
        check(&["20010131"], I64);
        check(&["1640995200000"], I64);
    }
}
