//! What came of a run.

mod host;
mod json;
mod markdown;
mod summary;
mod table;

use std::time::Duration;

use weir_hostile::Class;
use weir_sandbox::Limits;

use crate::{Drift, Effect, HostEffect, Runaway, UploadCost, median};

/// The most of its throughput that a victim should lose.
pub const LOSS_MAX: f64 = 0.05;
/// The cores that other processes may take on average before figures of time are void.
pub const OTHERS_CORES_MAX: f64 = 0.1;
/// How far beyond its deadline a guest should run at most, of a hundred in 99.
pub const BEYOND_IDLE_MAX: Duration = Duration::from_millis(5);
/// The same while twice as many guests as there are cores want them.
pub const BEYOND_LOADED_MAX: Duration = Duration::from_millis(25);
/// CPU time that an admitted upload should take at most.
pub const UPLOAD_CPU_MAX: Duration = Duration::from_secs(10);
/// Memory that an admitted upload should take at most.
pub const UPLOAD_BYTES_MAX: u64 = 1 << 30;

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// Attacks and procedures, by their row.
    pub rows: Vec<Row>,
    /// What the victim lost, by what was attacked.
    pub by_class: Vec<ClassEffect>,
    /// What it lost beside a well-behaved tenant, for each time that was measured.
    pub neighbour: Vec<Effect>,
    /// How long guests that never stop were let run.
    pub runaways: Vec<Runaway>,
    /// What the process took, where everything was run again and again.
    pub drift: Option<Drift>,
    /// The machine.
    pub machine: String,
    /// The version of this program.
    pub version: &'static str,
    /// The limits of the attackers.
    pub limits: Limits,
    /// Whether windows were long enough, and attacks of a class many enough, for figures to be compared with targets: not with
    /// [`Options::quick`](crate::Options::quick) or a choice of rows.
    pub measured: bool,
    /// How long the run took.
    pub took: Duration,
    /// Cores that other processes took meanwhile, on average.
    pub others_cores: Option<f64>,
}

/// An attack or procedure, and what became of it.
#[derive(Clone, Debug)]
pub struct Row {
    /// The row of the catalogue.
    pub row: Option<u8>,
    /// The name.
    pub name: String,
    /// What it does.
    pub title: String,
    /// What it is aimed at.
    pub class: Class,
    /// What should become of it.
    pub expected: String,
    /// What became of it.
    pub happened: String,
    /// The code of that, where it has one.
    pub code: Option<&'static str>,
    /// How often it was tried.
    pub attempts: u64,
    /// From the call to its end, where a limit of time or fuel ended it.
    pub end: Option<Duration>,
    /// Beyond the deadline, where that ended it.
    pub beyond: Option<Duration>,
    /// What the victim noticed, for each round.
    pub effects: Vec<Effect>,
    /// What the upload costs.
    pub cost: Option<UploadCost>,
    /// What the victim of an attack on the host kept, and which walls there were.
    pub host: Option<HostEffect>,
    /// Why it fails; `None` where it passes.
    pub wrong: Option<String>,
}

impl Row {
    /// Whether everything was as expected.
    pub fn passes(&self) -> bool {
        self.wrong.is_none()
    }

    /// The part of its throughput that the victim lost, in the middle of the rounds.
    pub fn loss(&self) -> Option<f64> {
        median(self.effects.iter().map(Effect::loss))
    }

    /// The victim's p99 latency, in the middle of the rounds.
    pub fn p99(&self) -> Option<Duration> {
        let p99s =
            self.effects.iter().filter_map(|effect| effect.latency_beside).map(|spread| spread.p99.as_secs_f64());
        median(p99s).map(Duration::from_secs_f64)
    }

    /// Takes in what became of it in a further round: the first failure stays.
    pub(crate) fn add(&mut self, other: Row) {
        let (mut effects, attempts) = (std::mem::take(&mut self.effects), self.attempts + other.attempts);
        effects.extend_from_slice(&other.effects);
        if self.wrong.is_none() && other.wrong.is_some() {
            *self = other;
        }
        (self.effects, self.attempts) = (effects, attempts);
    }

    /// Rows of the catalogue first, in its order.
    pub(crate) fn order(&self) -> (u16, String) {
        (self.row.map_or(u16::MAX, u16::from), self.name.clone())
    }
}

/// What the victim lost to the attacks of a class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClassEffect {
    /// What was attacked.
    pub class: Class,
    /// The attacks.
    pub attacks: usize,
    /// The middle of their losses.
    pub loss_median: f64,
    /// The greatest of their losses.
    pub loss_max: f64,
    /// The middle of the victim's p99 latencies.
    pub p99: Duration,
}

impl ClassEffect {
    pub(crate) fn of(rows: &[Row]) -> Vec<ClassEffect> {
        let mut classes: Vec<Class> = rows.iter().map(|row| row.class).collect();
        classes.sort_unstable();
        classes.dedup();
        let effect = |class| {
            let rows = || rows.iter().filter(move |row| row.class == class);
            let losses = || rows().filter_map(Row::loss);
            Some(ClassEffect {
                class,
                attacks: losses().count(),
                loss_median: median(losses())?,
                loss_max: losses().max_by(f64::total_cmp)?,
                p99: Duration::from_secs_f64(median(rows().filter_map(Row::p99).map(|p99| p99.as_secs_f64()))?),
            })
        };
        classes.into_iter().filter_map(effect).collect()
    }
}

impl Report {
    /// Whether every row passes, no class of attacks costs the victim more than [`LOSS_MAX`], every guest was ended as it should be,
    /// and nothing drifts. Losses count only where [`Report::figures_hold`].
    pub fn passes(&self) -> bool {
        let loss = |class: &ClassEffect| self.beyond_neighbour(class.loss_median).unwrap_or(class.loss_median);
        self.rows.iter().all(Row::passes)
            && (!self.figures_hold() || self.by_class.iter().all(|class| loss(class) <= LOSS_MAX))
            && self.runaways.iter().all(|runaway| runaway.wrong.is_none())
            && self.drift.as_ref().is_none_or(|drift| drift.wrong().is_none())
    }

    /// Whether figures of time say anything: they are void where windows were too short or too few to measure, and where other
    /// processes took more than [`OTHERS_CORES_MAX`].
    pub fn figures_hold(&self) -> bool {
        self.measured && self.others_cores.is_some_and(|cores| cores <= OTHERS_CORES_MAX)
    }

    /// The part of its throughput that the victim lost beside a well-behaved tenant, in the middle.
    pub fn neighbour_loss(&self) -> Option<f64> {
        median(self.neighbour.iter().map(Effect::loss))
    }

    /// The part that was lost beyond what a well-behaved tenant in the attacker's place takes.
    pub fn beyond_neighbour(&self, loss: f64) -> Option<f64> {
        let left = 1.0 - self.neighbour_loss()?;
        (left > 0.0).then(|| 1.0 - (1.0 - loss) / left)
    }

    /// The uploads that took the most CPU time, of those that were admitted and of those that were not.
    pub fn worst_uploads(&self) -> [Option<(&Row, UploadCost)>; 2] {
        [true, false].map(|admitted| {
            let costs = self.rows.iter().filter_map(|row| Some((row, row.cost?)));
            costs.filter(|(_, cost)| cost.admitted == admitted).max_by_key(|(_, cost)| cost.cpu)
        })
    }

    /// The most memory that an admitted upload took.
    pub fn upload_bytes_max(&self) -> Option<u64> {
        let costs = self.rows.iter().filter_map(|row| row.cost).filter(|cost| cost.admitted);
        costs.filter_map(|cost| cost.peak_bytes).max()
    }
}
