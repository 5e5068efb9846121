//! Parses and writes timestamps as text.

use std::io::Write;

use super::numbers::{integer, scaled};
use weir_batch::TimestampUnit;

const DAY_US: i64 = 86_400_000_000;
/// 0000-01-01T00:00:00Z to 9999-12-31: the range of RFC 3339.
const RFC_3339_US: std::ops::Range<i64> = -62_167_219_200_000_000..253_402_300_800_000_000;

/// Appends `2001-01-01T00:01:00Z`, with six digits of fraction unless it is zero, according to RFC 3339. Returns false and appends
/// nothing for years that RFC 3339 cannot express.
pub(super) fn write_rfc_3339(micros: i64, out: &mut Vec<u8>) -> bool {
    if !RFC_3339_US.contains(&micros) {
        return false;
    }
    let (year, month, day) = civil(micros.div_euclid(DAY_US));
    let of_day = micros.rem_euclid(DAY_US);
    let (second, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    // Writing to a `Vec` cannot fail.
    let written = match fraction {
        0 => write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"),
        _ => write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"),
    };
    written.is_ok()
}

/// Microseconds since the Unix epoch, from a text as in `parse_text`, or from a decimal number of microseconds.
///
/// # Errors
///
/// Any other text, and values that an `i64` cannot hold.
pub fn parse(text: &str) -> Result<i64, String> {
    parse_in(text, None)
}

/// The same, with the unit of numbers. Without a unit, a number is whole microseconds. With a unit it may have a fraction; finer
/// values than microseconds are rounded down.
pub(super) fn parse_in(text: &str, unit: Option<TimestampUnit>) -> Result<i64, String> {
    let number = match unit {
        None => integer(text),
        Some(unit) => scaled(text, unit.micros_exponent()).map(|(micros, _)| micros),
    };
    match number {
        Some(micros) => Ok(micros),
        None => parse_text(text),
    }
}

/// Microseconds since the Unix epoch, from a text: a date, `2001-01-31`; optionally, after `T` or a space, a time, `23:59`,
/// `23:59:59`, `23:59:59.5` or with a comma; and after that `Z`, `UTC`, `GMT` or an offset such as `+02:00`, `+0200` or `+02`, with
/// or without a space. The default is UTC. The time may also be `235959`. Finer values than microseconds are rounded down, also
/// before 1970.
///
/// # Errors
///
/// Any other text, including numbers.
pub(super) fn parse_text(text: &str) -> Result<i64, String> {
    form(text.as_bytes()).ok_or_else(|| "not a timestamp such as 2001-01-31T23:59:59Z".to_owned())
}

fn form(text: &[u8]) -> Option<i64> {
    let (date, rest) = text.split_at_checked(10)?;
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = date else { return None };
    let (year, month, day) = (two(y0, y1)? * 100 + two(y2, y3)?, two(m0, m1)?, two(d0, d1)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) {
        return None;
    }
    let midnight = days_since_epoch(year, month, day) * DAY_US;
    let rest = match rest {
        [] => return Some(midnight),
        [b'T' | b't' | b' ', rest @ ..] => rest,
        _ => return None,
    };
    let (hour, minute, second, rest) = match *rest {
        [h0, h1, b':', m0, m1, b':', s0, s1, ref rest @ ..] => (two(h0, h1)?, two(m0, m1)?, two(s0, s1)?, rest),
        [h0, h1, b':', m0, m1, ref rest @ ..] => (two(h0, h1)?, two(m0, m1)?, 0, rest),
        [h0, h1, m0, m1, s0, s1, ref rest @ ..] => (two(h0, h1)?, two(m0, m1)?, two(s0, s1)?, rest),
        _ => return None,
    };
    // The 60th second is a leap second, and counts as the following second.
    let leap_second = second == 60 && minute == 59;
    if hour > 23 || minute > 59 || (second > 59 && !leap_second) {
        return None;
    }
    let mut micros = midnight + ((hour * 60 + minute) * 60 + second) * 1_000_000;
    let rest = match rest {
        [b'.' | b',', fraction @ ..] => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 {
                return None;
            }
            let six = fraction[..digits].iter().map(|byte| i64::from(byte - b'0')).chain(std::iter::repeat(0)).take(6);
            micros += six.fold(0, |value, digit| value * 10 + digit);
            &fraction[digits..]
        }
        rest => rest,
    };
    let zone = rest.strip_prefix(b" ").unwrap_or(rest);
    let offset_minutes = match *zone {
        // A space with nothing after it is not valid.
        [] if rest.is_empty() => 0,
        [b'Z' | b'z'] => 0,
        _ if zone.eq_ignore_ascii_case(b"UTC") || zone.eq_ignore_ascii_case(b"GMT") => 0,
        [sign @ (b'+' | b'-'), h0, h1, ref minutes @ ..] => {
            let (hours, minutes) = match *minutes {
                [] => (two(h0, h1)?, 0),
                [m0, m1] | [b':', m0, m1] => (two(h0, h1)?, two(m0, m1)?),
                _ => return None,
            };
            if hours > 23 || minutes > 59 {
                return None;
            }
            (hours * 60 + minutes) * if sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    Some(micros - offset_minutes * 60_000_000)
}

fn two(tens: u8, ones: u8) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    Some(digit(tens)? * 10 + digit(ones)?)
}

/// The number of days since 1970-01-01 (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The year, month and day for a number of days since 1970-01-01, in the proleptic Gregorian calendar
/// (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(micros: i64) -> String {
        let mut out = Vec::new();
        assert!(write_rfc_3339(micros, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_moments() {
        assert_eq!(text(0), "1970-01-01T00:00:00Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(text(951_782_400_000_000), "2000-02-29T00:00:00Z");
        assert_eq!(text(1_640_995_200_000_001), "2022-01-01T00:00:00.000001Z");
        assert_eq!(text(RFC_3339_US.start), "0000-01-01T00:00:00Z");
        assert_eq!(text(RFC_3339_US.end - 1), "9999-12-31T23:59:59.999999Z");
        assert!(!write_rfc_3339(RFC_3339_US.end, &mut Vec::new()));
        assert!(!write_rfc_3339(i64::MIN, &mut Vec::new()));
    }

    #[test]
    fn forms_that_are_read() {
        for (form, micros) in [
            ("1970-01-01", 0),
            ("1970-01-01T01:00:00+01:00", 0),
            ("1970-01-01 00:00:01", 1_000_000),
            ("1970-01-01T00:00:00.5Z", 500_000),
            ("1970-01-01T00:01Z", 60_000_000),
            ("1970-01-01 00:00:01 UTC", 1_000_000),
            ("1970-01-01 00:00:01 gmt", 1_000_000),
            ("1970-01-01t00:00:01z", 1_000_000),
            ("1970-01-01T00:00:00,5", 500_000),
            ("1970-01-01T00:00:00.1234567899Z", 123_456),
            ("1969-12-31T23:59:59.9999999Z", -1),
            ("1970-01-01T02:00:00+0200", 0),
            ("1970-01-01T02:00:00 +02", 0),
            ("1969-12-31T22:30:00-01:30", 0),
            ("0000-01-01T00:00:00Z", RFC_3339_US.start),
            ("2000-02-29", 951_782_400_000_000),
            // A leap second counts as the following second.
            ("1970-01-01T23:59:60Z", DAY_US),
            ("1970-01-01T000001.5Z", 1_500_000),
            ("-5", -5),
            ("1e3", 1000),
            ("5.0", 5),
        ] {
            assert_eq!(parse(form), Ok(micros), "{form}");
        }
        for form in [
            "",
            "yesterday",
            "1970-13-01",
            "1970-00-01",
            "1970-02-29",
            "1900-02-29",
            "1970-01-01T25:00:00Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T23:60:00Z",
            "1970-01-01T23:58:60Z",
            "1970-01-01T23:59:61Z",
            "1970-01-01T23Z",
            "1970-1-1",
            "1970-01-01T1:00:00",
            "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00 ",
            "1970-01-01T00:00:00+24:00",
            "1970-01-01T00:00:00+00:60",
            "1970-01-01 and more",
            "1970-01-01T00:00:00Z and more",
            "1970-01-01T00:00:00 CET",
            "１970-01-01",
            "1.5",
            "9999999999999999999",
        ] {
            assert!(parse(form).is_err(), "{form}");
        }
        for number in ["20010131", "1640995200", "5.0"] {
            assert!(parse_text(number).is_err(), "{number}");
        }
    }

    #[test]
    fn numbers_in_their_units() {
        use TimestampUnit::{Micros, Millis, Nanos, Seconds};
        for (text, unit, micros) in [
            ("1640995200", Seconds, Some(1_640_995_200_000_000)),
            ("1640995200.25", Seconds, Some(1_640_995_200_250_000)),
            ("-0.0000005", Seconds, Some(-1)),
            ("1640995200001", Millis, Some(1_640_995_200_001_000)),
            ("1640995200000001", Micros, Some(1_640_995_200_000_001)),
            ("1999", Nanos, Some(1)),
            ("-1", Nanos, Some(-1)),
            ("9223372036855", Seconds, None),
            ("2001-01-31", Millis, Some(980_899_200_000_000)),
        ] {
            assert_eq!(parse_in(text, Some(unit)).ok(), micros, "{text} {unit:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(micros in RFC_3339_US) {
            proptest::prop_assert_eq!(parse(&text(micros)), Ok(micros));
        }
    }
}
