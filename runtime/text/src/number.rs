//! Formats numbers for people.

use std::fmt;

/// A number of bytes: `512 B`, `12.3 kB`, `4.5 MB`, `6.7 GB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteCount(pub u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        match bytes {
            0..1000 => write!(f, "{bytes} B"),
            1000..1_000_000 => write!(f, "{:.1} kB", bytes as f64 / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.1} MB", bytes as f64 / 1e6),
            _ => write!(f, "{:.1} GB", bytes as f64 / 1e9),
        }
    }
}

/// A number with thousands separators: `1,234,567`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(pub u64);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        let mut text = String::with_capacity(digits.len() + digits.len() / 3);
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        f.pad(&text)
    }
}

/// A rate in records per second: `0.4 rec/s`, `40 rec/s`, `12,345 rec/s`, `5.12 M rec/s`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(pub f64);

impl Rate {
    /// The rate of a number of records in a number of seconds. 0 if no time has passed.
    pub fn of(records: u64, seconds: f64) -> Rate {
        Rate(if seconds > 0.0 { records as f64 / seconds } else { 0.0 })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = if self.0.is_finite() { self.0.max(0.0) } else { 0.0 };
        let text = match rate {
            0.0 => "0 rec/s".to_owned(),
            _ if rate < 9.95 => format!("{rate:.1} rec/s"),
            _ if rate < 999_999.5 => format!("{} rec/s", Count(rate.round() as u64)),
            _ => format!("{:.2} M rec/s", rate / 1e6),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let sizes = [0, 999, 1000, 1_500_000, 2_000_000_000].map(|bytes| ByteCount(bytes).to_string());
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "1.5 MB", "2.0 GB"]);
        assert_eq!(ByteCount(u64::MAX).to_string(), "18446744073.7 GB");
    }

    #[test]
    fn counts_are_grouped_by_thousands() {
        let counts = [0, 999, 1000, 1_234_567].map(|count| Count(count).to_string());
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(format!("{:>6}|", Count(1000)), " 1,000|");
    }

    #[test]
    fn rates_fit_their_size() {
        let rates = [0.0, 0.04, 0.44, 9.94, 9.96, 40.4, 12_345.0, 999_999.4, 999_999.6, 5_120_000.0, f64::NAN, -1.0];
        let rates = rates.map(|rate| Rate(rate).to_string());
        assert_eq!(
            rates.join("; "),
            "0 rec/s; 0.0 rec/s; 0.4 rec/s; 9.9 rec/s; 10 rec/s; 40 rec/s; 12,345 rec/s; 999,999 rec/s; 1.00 M rec/s; \
             5.12 M rec/s; 0 rec/s; 0 rec/s"
        );
        assert_eq!(Rate::of(10, 0.0), Rate(0.0));
    }
}
