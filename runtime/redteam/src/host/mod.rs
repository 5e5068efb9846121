//! Attacks on the host beside the sandbox: inputs, folders, pipes and stops, each by a run of its own.
//!
//! Each attack runs the program whose attacker this is (`weir run --limits …`) with a query or several of one or more attacking
//! tenants beside queries of a tenant `victim`: one that writes what comes through a pipe during the whole attack, and, with
//! workers, enough others to use every core. The row passes if the victim's output is exactly what it was given, it keeps at least
//! [`SHARE_MIN`] of its share of CPU time, its worker and the supervisor live on, all processes end by themselves or within the
//! grace time of SIGTERM, their memory stays below a bound, and the attacker gets what the attack expects.

mod arena;
mod attacks;
mod bombs;
mod child;
mod feed;
mod judge;
mod tree;
mod walls;
mod watch;

use std::path::Path;
use std::time::{Duration, Instant};

use weir_hostile::{Class, Target};

pub use attacks::HOST_ATTACKS;
pub use walls::{HostWall, WallMark};

use crate::report::Row;
use arena::Arena;

/// The part of its fair share of CPU time that a victim keeps at least: of two tenants, 45 %.
pub const SHARE_MIN: f64 = 0.9;

/// How long a run may take until the victim's output is there.
const PATIENCE: Duration = Duration::from_secs(60);

/// From SIGTERM to the end: the grace time that `weir run` states, and a second to start and end a process on a busy machine.
const GRACE_MAX: Duration = Duration::from_secs(11);

/// How the queries of an attack are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostWay {
    /// Each tenant in a worker process.
    #[default]
    Workers,
    /// All tenants in one process.
    OneProcess,
}

impl HostWay {
    /// What `weir run` takes for it.
    fn option(self) -> &'static [&'static str] {
        match self {
            HostWay::Workers => &["--workers"],
            HostWay::OneProcess => &["--allow-weak=seccomp,landlock,landlock-scopes,mdwe"],
        }
    }
}

/// An attack on the host, by a process.
#[derive(Clone, Copy, Debug)]
pub struct HostAttack {
    /// The row of the catalogue of attacks on the host: `H1`.
    pub row: &'static str,
    /// The name.
    pub name: &'static str,
    /// What it does, in a few words.
    pub title: &'static str,
    /// What becomes of the attacker.
    pub expected: Expectation,
    /// Whether the attackers' queries do not end by themselves.
    stops: bool,
    /// Whether nobody reads what the process says.
    unread: bool,
    /// Whether an attacker's worker may end: its limits leave it no other way.
    may_end: bool,
    arrange: fn(&Arena) -> std::io::Result<()>,
}

/// What an attacker should get.
#[derive(Clone, Copy, Debug)]
pub enum Expectation {
    /// An error of the process that holds this text.
    Says(&'static str),
    /// Nothing in particular: only that the others are well.
    Contained,
}

/// What a victim kept of the CPU time beside attackers, and which walls there were.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct HostEffect {
    /// The victim's part of the CPU time that all processes of the run took; `None` where they cannot be told apart.
    pub share: Option<f64>,
    /// Its fair part: one of all tenants.
    pub fair_share: f64,
    /// The records that the victim was given, and wrote.
    pub records: u64,
    /// The most memory that the supervisor, or the one process, held.
    pub supervisor_bytes_max: u64,
    /// The most memory that any other process held.
    pub worker_bytes_max: u64,
    /// What each wall did.
    pub walls: Vec<(HostWall, WallMark)>,
}

impl HostAttack {
    /// Runs it with this program.
    pub(crate) fn run(&self, program: &Path, target: Target, way: HostWay) -> Row {
        let started = Instant::now();
        let (happened, wrong, end, host) = match self.watch(program, target, way) {
            Ok(seen) => {
                let judged = self.judge(&seen, way);
                (judged.happened, judged.wrong, seen.end, Some(seen.effect))
            }
            Err(error) => (String::new(), Some(format!("could not be run: {error}")), None, None),
        };
        let expected = match self.expected {
            Expectation::Says(text) => format!("says: {text}"),
            Expectation::Contained => "contained".to_owned(),
        };
        let happened = format!("{happened} in {:.1} s", started.elapsed().as_secs_f64());
        Row {
            row: None,
            name: self.name.to_owned(),
            title: format!("{} {}", self.row, self.title),
            class: Class::Host,
            expected,
            happened,
            code: None,
            attempts: 1,
            end,
            beyond: None,
            effects: Vec::new(),
            cost: None,
            host,
            wrong,
        }
    }
}
