//! What was counted.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::trial::Trial;

/// How often each name came up.
pub type Counts = BTreeMap<&'static str, u64>;

/// What became of the modules of one corpus.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Items that were asked for.
    pub items: u64,
    /// Items of which the generator made no module.
    pub not_made: u64,
    /// Modules by what their corpus says of them, where it says anything.
    pub kinds: Counts,
    /// Modules that were admitted, and compiled.
    pub admitted: u64,
    /// Modules that were refused, by code.
    pub refused: Counts,
    /// Functions that fit no batch.
    pub unbound: u64,
    /// Calls that answered.
    pub answered: u64,
    /// Calls that ended otherwise, by code.
    pub ended: Counts,
    /// Calls of mutants whose answers were compared with the original's.
    pub compared: u64,
    /// Modules with something that must not happen.
    pub failures: u64,
}

impl Tally {
    /// Counts a module.
    pub fn count(&mut self, trial: &Trial) {
        match trial.refused {
            Some(code) => *self.refused.entry(code).or_default() += 1,
            None => self.admitted += 1,
        }
        self.unbound += trial.unbound as u64;
        for (_, end) in &trial.calls {
            match end {
                Ok(_) => self.answered += 1,
                Err(code) => *self.ended.entry(code).or_default() += 1,
            }
        }
        self.failures += u64::from(!trial.defects.is_empty());
    }

    /// Modules that were refused.
    pub fn refusals(&self) -> u64 {
        self.refused.values().sum()
    }

    /// Calls that ended badly.
    pub fn endings(&self) -> u64 {
        self.ended.values().sum()
    }
}

/// What became of all corpora.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Wall-clock time.
    pub seconds: u64,
    /// By corpus.
    pub corpora: BTreeMap<&'static str, Tally>,
}

impl Report {
    /// Modules with something that must not happen.
    pub fn failures(&self) -> u64 {
        self.corpora.values().map(|tally| tally.failures).sum()
    }

    /// Modules that were tried.
    pub fn modules(&self) -> u64 {
        self.corpora.values().map(|tally| tally.items - tally.not_made).sum()
    }

    /// The counts as text: a table of all, then one of each kind of code by corpus.
    pub fn table(&self) -> String {
        let mut rows = vec![
            [
                "corpus",
                "modules",
                "not made",
                "admitted",
                "refused",
                "calls answered",
                "calls ended",
                "compared",
                "failures",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        let numbers = |tally: &Tally| {
            let Tally { items, not_made, admitted, answered, compared, failures, .. } = tally;
            [items - not_made, *not_made, *admitted, tally.refusals(), *answered, tally.endings(), *compared, *failures]
        };
        let mut all = [0; 8];
        for (name, tally) in &self.corpora {
            let numbers = numbers(tally);
            all.iter_mut().zip(numbers).for_each(|(all, number)| *all += number);
            rows.push([(*name).to_owned()].into_iter().chain(numbers.map(|number| number.to_string())).collect());
        }
        rows.push(["all".to_owned()].into_iter().chain(all.map(|number| number.to_string())).collect());
        let mut text = aligned(&rows);
        for (title, of) in [
            ("what the suite says", (|tally| &tally.kinds) as fn(&Tally) -> &Counts),
            ("refused", |tally| &tally.refused),
            ("ended", |tally| &tally.ended),
        ] {
            text.push('\n');
            text.push_str(&aligned(&self.by_code(title, of)));
        }
        let _infallible = writeln!(text, "\nseed {}, {} s", self.seed, self.seconds);
        text
    }

    /// A row for each code that came up, a column for each corpus in which any did.
    fn by_code(&self, title: &str, of: fn(&Tally) -> &Counts) -> Vec<Vec<String>> {
        let columns: Vec<_> = self.corpora.iter().filter(|(_, tally)| !of(tally).is_empty()).collect();
        let mut codes: Vec<&str> = columns.iter().flat_map(|(_, tally)| of(tally).keys().copied()).collect();
        codes.sort_unstable();
        codes.dedup();
        let head = [title].into_iter().chain(columns.iter().map(|(name, _)| **name)).map(str::to_owned).collect();
        let row = |code: &&str| {
            let counts = columns.iter().map(|(_, tally)| of(tally).get(code).copied().unwrap_or(0).to_string());
            [(*code).to_owned()].into_iter().chain(counts).collect()
        };
        [head].into_iter().chain(codes.iter().map(row)).collect()
    }
}

fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        for (index, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _infallible =
                if index == 0 { write!(text, "{cell:<width$}") } else { write!(text, "  {cell:>width$}") };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}
