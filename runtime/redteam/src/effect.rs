//! What a victim notices of its neighbour.

use std::time::Duration;

use crate::Spread;
use crate::victim::{Span, Victim};

/// What a victim noticed while another tenant did something, against what it did just before and just after.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effect {
    /// Rows a second with nobody beside it: the mean of just before and just after.
    pub rows_per_second_alone: f64,
    /// Rows a second beside the other.
    pub rows_per_second_beside: f64,
    /// From one answer to the next with nobody beside it, the worse of before and after; `None` where there was none.
    pub latency_alone: Option<Spread>,
    /// The same beside the other.
    pub latency_beside: Option<Spread>,
}

impl Effect {
    /// The part of its throughput that was lost; below 0 where it was faster, as noise has it.
    pub fn loss(&self) -> f64 {
        1.0 - self.rows_per_second_beside / self.rows_per_second_alone.max(1e-9)
    }

    fn of(before: &Span, beside: &Span, after: &Span) -> Effect {
        let worse = match (before.latency, after.latency) {
            (Some(before), Some(after)) => Some(if before.p99 > after.p99 { before } else { after }),
            (one, other) => one.or(other),
        };
        Effect {
            rows_per_second_alone: (before.rows_per_second() + after.rows_per_second()) / 2.0,
            rows_per_second_beside: beside.rows_per_second(),
            latency_alone: worse,
            latency_beside: beside.latency,
        }
    }
}

/// Measures one thing after the other, each between two spans in which the victim is alone. A machine that others use
/// too changes its speed all the time: only spans that touch can be compared.
pub(crate) struct Windows<'a> {
    victim: &'a Victim,
    alone: Duration,
    before: Option<Span>,
}

impl<'a> Windows<'a> {
    pub(crate) fn new(victim: &'a Victim, alone: Duration) -> Windows<'a> {
        Windows { victim, alone, before: None }
    }

    /// Runs something beside the victim; what was wrong with the victim's answers comes with it.
    pub(crate) fn measure<T>(&mut self, beside: impl FnOnce() -> T) -> (T, Effect, Option<String>) {
        let before = match self.before.take() {
            Some(before) => before,
            None => {
                self.victim.resume();
                std::thread::sleep(self.alone / 4);
                self.span_alone()
            }
        };
        self.victim.take();
        let done = beside();
        let during = self.victim.take();
        let after = self.span_alone();
        let effect = Effect::of(&before, &during, &after);
        let wrong = during.wrong.or_else(|| after.wrong.clone());
        self.before = Some(after);
        (done, effect, wrong)
    }

    fn span_alone(&self) -> Span {
        self.victim.take();
        std::thread::sleep(self.alone);
        self.victim.take()
    }
}

impl Drop for Windows<'_> {
    fn drop(&mut self) {
        self.victim.pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_against_the_mean_of_both_sides() {
        let span = |rows, p99| Span {
            rows,
            time: Duration::from_secs(1),
            latency: Spread::of(vec![Duration::from_millis(p99)]),
            wrong: None,
        };
        let effect = Effect::of(&span(90, 1), &span(50, 7), &span(110, 2));
        assert_eq!((effect.loss(), effect.rows_per_second_alone), (0.5, 100.0));
        assert_eq!(effect.latency_alone.unwrap().p99, Duration::from_millis(2));
        assert_eq!(effect.latency_beside.unwrap().p99, Duration::from_millis(7));
        assert!(Effect::of(&span(10, 1), &span(11, 1), &span(10, 1)).loss() < 0.0);
    }
}
