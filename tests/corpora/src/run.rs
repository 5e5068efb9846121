//! Modules of several corpora, one after the other, counted.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::corpus::{Corpus, Item, Sources};
use crate::host_module::host_batch;
use crate::mutants::{Guests, ample_limits};
use crate::spec::spec_modules;
use crate::tally::Report;
use crate::trial::{Sandbox, SetupError, Trial, tight_limits};

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed that everything is made from.
    pub seed: u64,
    /// The corpora.
    pub corpora: Vec<Corpus>,
    /// How many modules in all; without it until the time is over.
    pub modules: Option<u64>,
    /// How long; without it until all modules are done.
    pub time: Option<Duration>,
    /// Of the suite's files each `spec_stride`-th.
    pub spec_stride: usize,
    /// The folder that modules of failures are written to, and before each is tried the module itself.
    pub failures: PathBuf,
}

/// What keeps a run from going on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nothing could be tried.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// No batch to call modules with.
    #[error(transparent)]
    Batch(#[from] weir_batch::BatchError),
    /// A module of a failure could not be kept.
    #[error("{} could not be written", .path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Corpora, and what they are tried on.
pub struct Run {
    plan: Plan,
    sandbox: Sandbox,
    sources: Sources,
    host_batch: std::sync::Arc<weir_batch::Batch>,
}

impl Run {
    /// Reads what the corpora of the plan are made from.
    ///
    /// # Errors
    ///
    /// Where there is no engine, or the example guests are needed and not built.
    pub fn new(plan: Plan) -> Result<Run, RunError> {
        let sandbox = Sandbox::new()?;
        let needs = |what: fn(Corpus) -> bool| plan.corpora.iter().any(|&corpus| what(corpus));
        let spec = if needs(Corpus::needs_spec) { spec_modules(plan.spec_stride) } else { Vec::new() };
        let guests = if needs(Corpus::needs_guests) { Some(Guests::load(&sandbox)?) } else { None };
        Ok(Run { plan, sandbox, sources: Sources { spec, guests }, host_batch: host_batch()? })
    }

    /// Tries module after module, the corpora taking turns by their weights. What must not happen is written to `log`
    /// with the module beside it, and `log` hears how far it is every few seconds.
    ///
    /// # Errors
    ///
    /// Where a module that failed cannot be kept.
    pub fn all(&self, log: &mut impl Write) -> Result<Report, RunError> {
        let started = Instant::now();
        let mut report = Report { seed: self.plan.seed, ..Report::default() };
        let mut turns: Vec<Turn> = self.plan.corpora.iter().map(|&corpus| Turn { corpus, done: 0 }).collect();
        let mut told = Instant::now();
        while self.plan.modules.is_none_or(|most| report.modules() < most)
            && self.plan.time.is_none_or(|most| started.elapsed() < most)
        {
            // Whose turn it is: of those that have modules left, the one that is furthest behind.
            turns.retain(|turn| turn.corpus.len(&self.sources).is_none_or(|len| turn.done < len));
            let Some(turn) =
                turns.iter_mut().min_by_key(|turn| turn.done.saturating_mul(10_000) / turn.corpus.weight())
            else {
                break;
            };
            let (corpus, index) = (turn.corpus, turn.done);
            turn.done += 1;
            self.one(corpus, index, &mut report, log)?;
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                let (modules, failures) = (report.modules(), report.failures());
                let _terminal =
                    writeln!(log, "{modules} modules in {} s, {failures} failures", started.elapsed().as_secs());
            }
        }
        report.seconds = started.elapsed().as_secs();
        for corpus in &self.plan.corpora {
            // There is none where nothing was tried.
            let _removed = std::fs::remove_file(self.current(*corpus));
        }
        Ok(report)
    }

    /// Tries one item, and counts it.
    ///
    /// # Errors
    ///
    /// As [`Run::all`].
    pub fn one(
        &self,
        corpus: Corpus,
        index: u64,
        report: &mut Report,
        log: &mut impl Write,
    ) -> Result<Option<Trial>, RunError> {
        let tally = report.corpora.entry(corpus.name()).or_default();
        tally.items += 1;
        // A generator that panics is not what is looked for here.
        let made = catch_unwind(AssertUnwindSafe(|| corpus.item(&self.sources, self.plan.seed, index)));
        let Some(Item { bytes, kind, mutant }) = made.ok().flatten() else {
            tally.not_made += 1;
            return Ok(None);
        };
        if let Some(kind) = kind {
            *tally.kinds.entry(kind).or_default() += 1;
        }
        // Where the process itself ends, the module that ended it is here.
        self.write(&self.current(corpus), &bytes)?;
        let limits = if mutant.is_some() { ample_limits() } else { tight_limits() };
        let batch = (corpus == Corpus::HostCalls).then_some(&self.host_batch);
        let mut trial = self.sandbox.try_module(&bytes, &limits, batch);
        if let (Some(mutant), Some(guests), None) = (&mutant, &self.sources.guests, trial.refused) {
            tally.compared += trial.calls.len() as u64;
            trial.defects.extend(guests.disagreements(mutant, &trial.calls));
        }
        tally.count(&trial);
        if !trial.defects.is_empty() {
            let path = self.plan.failures.join(format!("{}-{}-{index}.wasm", corpus.name(), self.plan.seed));
            self.write(&path, &bytes)?;
            for defect in &trial.defects {
                let _terminal = writeln!(log, "{}: {defect}", path.display());
            }
        }
        Ok(Some(trial))
    }

    /// The file with the module that was tried last.
    pub fn current(&self, corpus: Corpus) -> PathBuf {
        self.plan.failures.join(format!("{}-{}-current.wasm", corpus.name(), self.plan.seed))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), RunError> {
        let written = std::fs::create_dir_all(&self.plan.failures).and_then(|()| std::fs::write(path, bytes));
        written.map_err(|source| RunError::Write { path: path.to_owned(), source })
    }
}

/// How many modules of a corpus are done.
struct Turn {
    corpus: Corpus,
    done: u64,
}
