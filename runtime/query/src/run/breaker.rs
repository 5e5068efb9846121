//! When a function that keeps ending badly is held back, and for how long.

use std::time::Duration;

/// The first pause. A batch of records that end the guest costs milliseconds of traps: a pause shorter than that would
/// relieve nobody.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// A batch is bad when one in this many of its records, or more, ended the guest: a poison record now and then is the
/// record's fault, and never slows a query down.
const BAD_ONE_IN: usize = 10;

/// Decides from batch to batch. Knows no clock and no guest: its caller reports what happened, and gets a pause.
///
/// The first bad batch costs nothing; the second in a row makes a pause of 10 ms, and each further one doubles it, up to
/// `trap_pause_ms_max` of the tenant's limits. A good batch resets it.
#[derive(Debug)]
pub(crate) struct Breaker {
    // Zero where pauses are off.
    pause_max: Duration,
    bad_in_a_row: u32,
}

impl Breaker {
    /// One that makes pauses of up to this long; 0 makes none.
    pub(crate) fn new(pause_ms_max: u64) -> Breaker {
        Breaker { pause_max: Duration::from_millis(pause_ms_max), bad_in_a_row: 0 }
    }

    /// The pause before the next batch, after one of `rows` records of which `guilty` ended the guest. A batch without
    /// records says nothing about the function: the pauses go on from where they were with the next one.
    pub(crate) fn after(&mut self, rows: usize, guilty: usize) -> Duration {
        if rows == 0 {
            return Duration::ZERO;
        }
        let bad = guilty > 0 && guilty.saturating_mul(BAD_ONE_IN) >= rows;
        self.bad_in_a_row = if bad { self.bad_in_a_row.saturating_add(1) } else { 0 };
        match self.bad_in_a_row.checked_sub(2) {
            None => Duration::ZERO,
            Some(doublings) => {
                let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
                FIRST_PAUSE.saturating_mul(factor).min(self.pause_max)
            }
        }
    }

    /// Bad batches since the last good one.
    pub(crate) fn bad_in_a_row(&self) -> u32 {
        self.bad_in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses, in milliseconds, after batches of these records and guilty ones.
    fn pauses(pause_ms_max: u64, batches: &[(usize, usize)]) -> Vec<u128> {
        let mut breaker = Breaker::new(pause_ms_max);
        batches.iter().map(|&(rows, guilty)| breaker.after(rows, guilty).as_millis()).collect()
    }

    #[test]
    fn the_first_bad_batch_is_free_and_pauses_double_up_to_the_limit() {
        assert_eq!(pauses(100, &[(10, 10); 8]), [0, 10, 20, 40, 80, 100, 100, 100]);
    }

    #[test]
    fn a_good_batch_resets() {
        assert_eq!(pauses(100, &[(10, 10), (10, 10), (10, 10), (10, 0), (10, 10), (10, 10)]), [0, 10, 20, 0, 0, 10]);
    }

    #[test]
    fn a_batch_without_records_neither_pauses_nor_resets() {
        assert_eq!(pauses(100, &[(10, 10), (10, 10), (0, 0), (10, 10)]), [0, 10, 0, 20]);
    }

    #[test]
    fn a_tenth_is_bad_and_less_is_not() {
        assert_eq!(pauses(100, &[(10, 1); 3]), [0, 10, 20]);
        assert_eq!(pauses(100, &[(11, 1); 3]), [0, 0, 0]);
        assert_eq!(pauses(100, &[(1, 1); 3]), [0, 10, 20]);
        assert_eq!(pauses(100, &[(640, 64); 3]), [0, 10, 20]);
    }

    #[test]
    fn one_poison_record_in_a_thousand_never_pauses() {
        assert!(pauses(10_000, &[(1000, 1); 1000]).iter().all(|pause| *pause == 0));
    }

    #[test]
    fn zero_switches_pauses_off_and_a_limit_below_the_first_pause_is_kept() {
        assert_eq!(pauses(0, &[(10, 10); 5]), [0; 5]);
        assert_eq!(pauses(3, &[(10, 10); 4]), [0, 3, 3, 3]);
    }

    #[test]
    fn it_never_overflows() {
        let mut breaker = Breaker { pause_max: Duration::MAX, bad_in_a_row: u32::MAX - 1 };
        assert!(breaker.after(usize::MAX, usize::MAX) >= FIRST_PAUSE);
        assert!(breaker.after(1, 1) >= FIRST_PAUSE);
        assert_eq!(breaker.bad_in_a_row(), u32::MAX);
        // From any number of bad batches on, a pause is never shorter than the one before it.
        let mut breaker = Breaker::new(3_600_000);
        let mut before = Duration::ZERO;
        for _ in 0..200 {
            let pause = breaker.after(1, 1);
            assert!(pause >= before);
            before = pause;
        }
        assert_eq!(before, Duration::from_secs(3600));
    }
}
