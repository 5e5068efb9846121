//! How many records a function is given in one call.

/// Calls of the full size that have to go well before a larger one is tried, at first and at most. Each trial that fails
/// doubles the number: what a stage cannot take is not tried anew in each batch.
const TRIAL_AFTER_MIN: u32 = 16;
const TRIAL_AFTER_MAX: u32 = 4096;

/// Beyond this many records a call is as cheap a record as it can be, and nothing is remembered.
const ROWS_MAX: usize = 1 << 20;

/// What a stage remembers of the calls that exceeded a limit: how many records fit. Limits are a call's, and the runtime
/// chooses how many records a call has, so that too many records are the runtime's mistake and no fault of the function.
///
/// Knows no guest: its caller reports what fitted and what did not.
#[derive(Debug)]
pub(crate) struct Fit {
    // `None` where everything has fitted so far.
    rows_max: Option<usize>,
    // While a larger size is tried: the one that is known to fit.
    known: Option<usize>,
    // Calls of the full size since the size last changed.
    full_calls: u32,
    trial_after: u32,
}

impl Fit {
    pub(crate) fn new() -> Fit {
        Fit { rows_max: None, known: None, full_calls: 0, trial_after: TRIAL_AFTER_MIN }
    }

    /// How many of these records the next call gets; at least one.
    pub(crate) fn rows(&self, rows: usize) -> usize {
        self.rows_max.map_or(rows, |rows_max| rows.min(rows_max.max(1)))
    }

    /// A call over this number of records kept to the limits.
    pub(crate) fn fitted(&mut self, rows: usize) {
        let Some(rows_max) = self.rows_max.filter(|&rows_max| rows >= rows_max) else { return };
        self.known = None;
        self.full_calls += 1;
        if self.full_calls < self.trial_after {
            return;
        }
        let larger = rows_max.saturating_add((rows_max / 4).max(1));
        self.full_calls = 0;
        (self.rows_max, self.known) = if larger > ROWS_MAX { (None, None) } else { (Some(larger), Some(rows_max)) };
    }

    /// A call over `rows` records exceeded a limit, and both of its halves kept to it: it was their number. `half` is the
    /// larger half.
    pub(crate) fn exceeded(&mut self, rows: usize, half: usize) {
        match self.known.take().filter(|&known| known < rows) {
            Some(known) => {
                self.rows_max = Some(known);
                self.trial_after = self.trial_after.saturating_mul(2).min(TRIAL_AFTER_MAX);
            }
            None => self.rows_max = Some(half.max(1)),
        }
        self.full_calls = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls over `batches` of `rows` records each, of which `capacity` fit; says how many calls there were in each batch,
    /// and how many of them exceeded the limit.
    fn calls(fit: &mut Fit, batches: usize, rows: usize, capacity: usize) -> (usize, usize) {
        let (mut calls, mut exceeded) = (0, 0);
        fn part(fit: &mut Fit, rows: usize, capacity: usize, calls: &mut usize, exceeded: &mut usize) -> bool {
            *calls += 1;
            if rows <= capacity {
                fit.fitted(rows);
                return true;
            }
            *exceeded += 1;
            let half = rows / 2;
            let first = part(fit, half, capacity, calls, exceeded);
            let second = part(fit, rows - half, capacity, calls, exceeded);
            if first && second {
                fit.exceeded(rows, rows - half);
            }
            false
        }
        for _ in 0..batches {
            let mut left = rows;
            while left > 0 {
                let next = fit.rows(left);
                part(fit, next, capacity, &mut calls, &mut exceeded);
                left -= next;
            }
        }
        (calls, exceeded)
    }

    #[test]
    fn what_does_not_fit_is_found_once_and_then_tried_ever_more_seldom() {
        let mut fit = Fit::new();
        assert_eq!(fit.rows(8192), 8192);
        assert_eq!(calls(&mut fit, 1, 8192, 1000).1, 15, "the first batch is halved");
        let (all, exceeded) = calls(&mut fit, 100, 8192, 1000);
        // 819 calls would do if the capacity were known.
        assert!(all < 1100 && exceeded <= 5, "{all} calls, {exceeded} in vain");
        let (all, exceeded) = calls(&mut fit, 1000, 8192, 1000);
        assert!(all < 9500 && exceeded <= 4, "{all} calls, {exceeded} in vain");
    }

    #[test]
    fn it_grows_again_when_records_become_cheap() {
        let mut fit = Fit::new();
        calls(&mut fit, 1, 8192, 3);
        assert!(fit.rows(8192) <= 3);
        let (all, exceeded) = calls(&mut fit, 100, 8192, usize::MAX);
        assert!(all < 5000 && exceeded == 0, "{all}");
        assert_eq!(fit.rows(8192), 8192);
    }

    #[test]
    fn nothing_is_remembered_where_everything_fits_and_a_call_has_a_record_at_least() {
        let mut fit = Fit::new();
        assert_eq!(calls(&mut fit, 100, 1000, 1000), (100, 0));
        fit.exceeded(2, 1);
        assert_eq!((fit.rows(10), fit.rows(1)), (1, 1));
        fit.exceeded(0, 0);
        assert_eq!(fit.rows(10), 1);
    }
}
