//! Parses decimal numbers exactly.
//!
//! The text is a sign, digits with a point, and an exponent: the syntax of JSON, plus forms in CSV and in quotes (`+5`, `.5`,
//! `5.`). The work is linear in the text, whatever the exponent.

/// An integer, also if written with a fraction of zeros or an exponent. `None` if the text is not a number, has a fraction, or is
/// out of range for `N`.
pub(super) fn integer<N: TryFrom<i64>>(text: &str) -> Option<N> {
    let value = match text.parse::<i64>() {
        Ok(value) => value,
        Err(_) => scaled(text, 0).filter(|(_, exact)| *exact)?.0,
    };
    N::try_from(value).ok()
}

/// The nearest double, including `NaN` and the infinities if written as words. `None` if the text is not a number, or if a number
/// in digits is out of range.
pub(super) fn double(text: &str) -> Option<f64> {
    let value = text.parse::<f64>().ok()?;
    let word = || !text.bytes().any(|byte| byte.is_ascii_digit());
    (value.is_finite() || word()).then_some(value)
}

/// Whether a double can hold this integer exactly.
pub(super) fn fits_double(value: i64) -> bool {
    i128::from(value) == value as f64 as i128
}

/// The number times `10^shift`, rounded towards minus infinity, and whether this is exact. `None` if the text is not a decimal
/// number, or the result is out of range for an `i64`.
pub(super) fn scaled(text: &str, shift: i64) -> Option<(i64, bool)> {
    let (negative, text) = match text.as_bytes() {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let (mantissa, exponent) = match text.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&text[..at], exponent(&text[at + 1..])?),
        None => (text, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &b""[..]),
    };
    let digits = whole.iter().chain(fraction).copied();
    let length = whole.len() + fraction.len();
    if length == 0 || !digits.clone().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let zeros = digits.clone().take_while(|&byte| byte == b'0').count();
    if zeros == length {
        return Some((0, true));
    }
    let mut digits = digits.skip(zeros);
    // The number of digits before the shifted point, without leading zeros.
    let before = (whole.len() as i64 - zeros as i64).saturating_add(exponent).saturating_add(shift);
    // The first digit is not zero, so with twenty digits the number exceeds an `i64`.
    if before > 19 {
        return None;
    }
    let mut value: i128 = 0;
    for _ in 0..before {
        value = value * 10 + i128::from(digits.next().unwrap_or(b'0') - b'0');
    }
    let exact = digits.all(|byte| byte == b'0');
    if negative {
        value = -value - i128::from(!exact);
    }
    Some((i64::try_from(value).ok()?, exact))
}

/// The exponent, limited to values that no text is long enough to compensate.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let most = i64::MAX / 4;
    let value = digits.iter().fold(0_i64, |value, digit| {
        if value > most { value } else { value.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(most) }
    });
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_exact() {
        for (text, value) in [
            ("0", Some(0)),
            ("-0", Some(0)),
            ("-0.0e-5", Some(0)),
            ("61.0", Some(61)),
            ("61.", Some(61)),
            ("+61", Some(61)),
            ("1e3", Some(1000)),
            ("1E+3", Some(1000)),
            ("1000e-3", Some(1)),
            ("0.001e3", Some(1)),
            ("007", Some(7)),
            ("9007199254740993.0", Some(9_007_199_254_740_993)),
            ("9223372036854775807.000", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9.223372036854775808e18", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809.0", None),
            ("1.5", None),
            ("1.0000000000000001", None),
            ("1e-1", None),
            ("1e19", None),
            ("1e99999999999999999999999999", None),
            ("1e-99999999999999999999999999", None),
            ("0e99999999999999999999999999", Some(0)),
            ("", None),
            (".", None),
            ("-", None),
            ("e5", None),
            ("1e", None),
            ("1e+", None),
            ("1.2.3", None),
            ("--1", None),
            (" 1", None),
            ("1_000", None),
            ("0x10", None),
            ("１", None),
        ] {
            assert_eq!(integer::<i64>(text), value, "{text}");
        }
        assert_eq!(integer::<i8>("127.0"), Some(127));
        assert_eq!(integer::<i8>("128"), None);
        let long = format!("0.{}1e100001", "0".repeat(100_000));
        assert_eq!(integer::<i64>(&long), Some(1));
    }

    #[test]
    fn doubles_do_not_become_infinite() {
        assert_eq!(double("1e308"), Some(1e308));
        assert_eq!(double("1e999"), None);
        assert_eq!(double("-1e999"), None);
        assert_eq!(double("1e-999"), Some(0.0));
        assert_eq!(double("-Infinity"), Some(f64::NEG_INFINITY));
        assert!(double("NaN").is_some_and(f64::is_nan));
        assert_eq!(double("half"), None);
    }

    #[test]
    fn scaling_rounds_down() {
        assert_eq!(scaled("1.9999999", 6), Some((1_999_999, false)));
        assert_eq!(scaled("-1.9999999", 6), Some((-2_000_000, false)));
        assert_eq!(scaled("-1", -3), Some((-1, false)));
        assert_eq!(scaled("1", -3), Some((0, false)));
        assert_eq!(scaled("1000", -3), Some((1, true)));
        assert_eq!(scaled("9223372036854775807", 3), None);
    }

    proptest::proptest! {
        #[test]
        fn every_integer_comes_back(value: i64, zeros in 0_usize..40) {
            proptest::prop_assert_eq!(integer(&format!("{value}.{}", "0".repeat(zeros))), Some(value));
            proptest::prop_assert_eq!(integer(&format!("{value}{}e-{zeros}", "0".repeat(zeros))), Some(value));
            proptest::prop_assert_eq!(integer::<i64>(&format!("{value}.{}1", "0".repeat(zeros))), None);
        }

        #[test]
        fn whatever_the_text_nothing_panics(text in "[-+0-9.eE]{0,30}") {
            let found = scaled(&text, 0);
            // If a double holds a whole number exactly, it equals the integer.
            if let (Some((value, true)), Some(double)) = (found, double(&text)) {
                proptest::prop_assert_eq!(value as f64, double);
            }
        }
    }
}
