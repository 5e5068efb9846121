//! A point in time.

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since 1970; values out of range become the nearest timestamp.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since 1970, rounded down.
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The hour of the day in UTC, 0 to 23.
    pub const fn hour(self) -> i64 {
        self.seconds().rem_euclid(86_400) / 3_600
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_round_down() {
        let eve = Timestamp::from_micros(-1);
        assert_eq!((eve.millis(), eve.seconds(), eve.hour()), (-1, -1, 23));
        assert_eq!(Timestamp::from_millis(1_640_995_200_000).hour(), 0);
        assert_eq!(Timestamp::from_millis(i64::MAX).micros(), i64::MAX);
    }
}
