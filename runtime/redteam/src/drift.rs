//! Whether what this process takes grows while it is attacked for long.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::attempt::Attempt;
use crate::case::{Case, Judged};
use crate::ground::Ground;
use crate::stats::slope;
use crate::victim::{Pace, Victim};
use crate::{Finding, Procedure, ProcessSize, RedteamError, process};

/// The resident set may grow by this much at most after the first rounds, or by a tenth, whichever is more.
const GROWTH_BYTES_MAX: u64 = 32 << 20;

/// Rounds that are not counted: slots, threads and the allocator reach the size that they keep.
const WARM_UP_ROUNDS: usize = 3;

/// What this process took from round to round, the whole suite being a round.
#[derive(Clone, Debug)]
pub struct Drift {
    /// Attempts of all rounds.
    pub attempts: u64,
    /// How long all of it took.
    pub time: Duration,
    /// After each round, with the attempts until then.
    pub rounds: Vec<(u64, ProcessSize)>,
    /// The first wrong answer that a well-behaved tenant got meanwhile.
    pub victim_wrong: Option<String>,
    /// Rows that it was answered.
    pub victim_rows: u64,
}

impl Drift {
    /// After the first rounds.
    pub fn start(&self) -> Option<ProcessSize> {
        self.counted().first().map(|round| round.1)
    }

    /// After the last round.
    pub fn end(&self) -> Option<ProcessSize> {
        self.rounds.last().map(|round| round.1)
    }

    /// Bytes by which the resident set rises for 1,000 attempts, by least squares over the rounds that count.
    pub fn bytes_per_1000(&self) -> f64 {
        let points: Vec<(f64, f64)> = self
            .counted()
            .iter()
            .map(|(attempts, size)| (*attempts as f64 / 1_000.0, size.resident_bytes as f64))
            .collect();
        slope(&points)
    }

    /// The most that the resident set may grow.
    pub fn growth_bytes_max(&self) -> u64 {
        GROWTH_BYTES_MAX.max(self.start().map_or(0, |start| start.resident_bytes / 10))
    }

    /// Why the run fails, where it does.
    pub fn wrong(&self) -> Option<String> {
        if let Some(wrong) = &self.victim_wrong {
            return Some(format!("a well-behaved tenant: {wrong}"));
        }
        let (start, end) = (self.start()?, self.end()?);
        let grown = |what: &str, start: u64, end: u64, most: u64| {
            (end > start.saturating_add(most))
                .then(|| format!("{what} grew from {start} to {end}, by more than {most}"))
        };
        let (before, after) = (start.resident_bytes, end.resident_bytes);
        grown("the resident set", before, after, self.growth_bytes_max())
            .or_else(|| grown("open files", start.open_files, end.open_files, 16))
            // Threads that compile and upload come and go.
            .or_else(|| grown("threads", start.threads, end.threads, 64))
    }

    /// The last round of those that warm up, and what follows; at least the last two.
    fn counted(&self) -> &[(u64, ProcessSize)] {
        let skipped = (WARM_UP_ROUNDS - 1).min(self.rounds.len().saturating_sub(2));
        self.rounds.get(skipped..).unwrap_or_default()
    }
}

/// A row of a run of many rounds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Looped<T> {
    pub(crate) attempts: u64,
    /// The first that was not as expected, or else the first.
    pub(crate) kept: Option<T>,
}

impl<T> Looped<T> {
    fn add(&mut self, one: T, wrong: impl Fn(&T) -> bool) {
        self.attempts += 1;
        let keeps = self.kept.as_ref().is_some_and(|kept| wrong(kept) || !wrong(&one));
        if !keeps {
            self.kept = Some(one);
        }
    }
}

/// What came of a run of many rounds.
pub(crate) struct LoopOutcome {
    pub(crate) drift: Drift,
    pub(crate) cases: Vec<Looped<Judged>>,
    pub(crate) procedures: Vec<Looped<Finding>>,
}

/// Runs everything again and again, as many attacks at once as there are cores; two rounds at least.
pub(crate) fn drift(
    ground: &Ground,
    cases: &[Case],
    procedures: &[&Procedure],
    during: Duration,
    mut progress: impl FnMut(usize, &ProcessSize),
) -> Result<LoopOutcome, RedteamError> {
    let started = Instant::now();
    let victim = Victim::start(ground, "victim", Pace::Paced(Duration::from_millis(5)))?;
    victim.resume();
    let cases: Arc<[Case]> = cases.into();
    let mut looped: Vec<Looped<Judged>> = vec![Looped { attempts: 0, kept: None }; cases.len()];
    let mut found: Vec<Looped<Finding>> = vec![Looped { attempts: 0, kept: None }; procedures.len()];
    let mut drift = Drift { attempts: 0, time: Duration::ZERO, rounds: Vec::new(), victim_wrong: None, victim_rows: 0 };
    while started.elapsed() < during || drift.rounds.len() < 2 {
        for (looped, judged) in looped.iter_mut().zip(round(ground, &cases)) {
            looped.add(judged, |judged| judged.wrong.is_some());
        }
        for (found, procedure) in found.iter_mut().zip(procedures) {
            found.add(procedure.run(ground), |finding| finding.is_err());
        }
        drift.attempts += (cases.len() + procedures.len()) as u64;
        let span = victim.take();
        drift.victim_rows += span.rows;
        drift.victim_wrong = drift.victim_wrong.take().or(span.wrong);
        let size = ProcessSize::now().map_err(RedteamError::Process)?;
        drift.rounds.push((drift.attempts, size));
        progress(drift.rounds.len(), &size);
    }
    drift.time = started.elapsed();
    Ok(LoopOutcome { drift, cases: looped, procedures: found })
}

/// Every attack once.
fn round(ground: &Ground, cases: &Arc<[Case]>) -> Vec<Judged> {
    let next = Arc::new(AtomicUsize::new(0));
    let results = Arc::new(Mutex::new(vec![None; cases.len()]));
    let target = ground.target();
    let workers: Vec<_> = (0..process::cores())
        .map(|_| {
            let (cases, next, results) = (Arc::clone(cases), Arc::clone(&next), Arc::clone(&results));
            let attackers: Vec<_> = cases.iter().map(|case| ground.attacker(&case.name)).collect();
            ground.spawn(async move {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(case), Some(attacker)) = (cases.get(index), attackers.get(index)) else { return };
                    let judged = case.expected.judge(&attacker.attempt(&case.bytes(&target)).await);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(slot) = results.get_mut(index) {
                        *slot = Some(judged);
                    }
                }
            })
        })
        .collect();
    let patience = ground.patience().saturating_mul(u32::try_from(cases.len()).unwrap_or(u32::MAX));
    ground.block_on(async {
        // What is not there afterwards was never ended, or ended its task.
        for worker in workers {
            if tokio::time::timeout(patience, worker).await.is_err() {
                return;
            }
        }
    });
    let results = std::mem::take(&mut *results.lock().unwrap_or_else(PoisonError::into_inner));
    let missing = |case: &Case| case.expected.judge(&Attempt::Broken { text: "it was never ended".to_owned() });
    results.into_iter().zip(cases.iter()).map(|(judged, case)| judged.unwrap_or_else(|| missing(case))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(mib: &[u64]) -> Drift {
        let size = |mib| ProcessSize { resident_bytes: mib << 20, mapped_bytes: 0, threads: 9, open_files: 9 };
        let rounds = mib.iter().enumerate().map(|(round, &mib)| ((round as u64 + 1) * 100, size(mib))).collect();
        Drift { attempts: 0, time: Duration::ZERO, rounds, victim_wrong: None, victim_rows: 0 }
    }

    #[test]
    fn growth_after_the_first_rounds_fails_and_warming_up_does_not() {
        let check = |mib: &[u64], passes: bool| assert_eq!(drift(mib).wrong().is_none(), passes, "{mib:?}");
        check(&[100, 110], true);
        check(&[100, 140], false);
        check(&[10, 100, 150, 151, 160, 182], true);
        check(&[10, 100, 150, 151, 160, 183], false);
        check(&[900, 1000, 1000, 1099], true);
        check(&[900, 1000, 1000, 1101], false);
        let rise = drift(&[1, 50, 100, 101, 102]).bytes_per_1000() / f64::from(1 << 20);
        assert!((rise - 10.0).abs() < 1e-6, "{rise}");
        let late = Drift { victim_wrong: Some("late".to_owned()), ..drift(&[1, 1]) };
        assert!(late.wrong().is_some());
    }
}
