//! Timestamps as text.

use std::io::Write;

use arrow::array::timezone::Tz;
use arrow::compute::kernels::cast_utils::string_to_datetime;

const DAY_US: i64 = 86_400_000_000;
/// 0000-01-01T00:00:00Z and the microsecond after 9999-12-31: what RFC 3339 can write.
const RFC_3339_US: std::ops::Range<i64> = -62_167_219_200_000_000..253_402_300_800_000_000;

/// Appends `2001-01-01T00:01:00Z`, with six digits of fraction where it is not zero, as RFC 3339 has it. False, and
/// nothing appended, for years that RFC 3339 cannot write.
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

/// Microseconds since the Unix epoch: of RFC 3339 text, of the ISO 8601 forms that Arrow reads (a date, a space for
/// the `T`; UTC where no offset is given), or of a decimal number, which is taken as microseconds.
///
/// # Errors
///
/// Any other text.
pub fn parse(text: &str) -> Result<i64, String> {
    if let Ok(micros) = text.parse::<i64>() {
        return Ok(micros);
    }
    let micros = "+00:00".parse::<Tz>().and_then(|utc| string_to_datetime(&utc, text));
    micros.map(|time| time.timestamp_micros()).map_err(|_| "not a timestamp such as 2001-01-31T23:59:59Z".to_owned())
}

/// Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar
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
            ("-5", -5),
        ] {
            assert_eq!(parse(form), Ok(micros), "{form}");
        }
        for form in ["", "yesterday", "1970-13-01", "1970-01-01T25:00:00Z", "1.5", "9999999999999999999"] {
            assert!(parse(form).is_err(), "{form}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_back(micros in RFC_3339_US) {
            proptest::prop_assert_eq!(parse(&text(micros)), Ok(micros));
        }
    }
}
