//! Attacks on the host beside the sandbox: inputs, folders, pipes and stops, each by a process of its own.
//!
//! Each attack runs the program whose attacker this is (`weir run --limits …`) with a query or several of a tenant `attacker`
//! beside one of a tenant `victim`. The row passes if the victim's output is whole, the process ends by itself or within the grace
//! time of SIGTERM, no signal ends it, its memory stays below a bound, and the attacker gets what the attack expects.

mod arena;
mod attacks;
mod child;

use std::path::Path;
use std::time::{Duration, Instant};

use weir_hostile::{Class, Target};

pub use attacks::HOST_ATTACKS;

use crate::report::Row;
use arena::Arena;
use child::{Child, Ended};

/// The victim's records.
pub(crate) const VICTIM_RECORDS: u64 = 50_000;

/// How long a process may take until the victim's output is there.
const PATIENCE: Duration = Duration::from_secs(60);

/// From SIGTERM to the end: the grace time that `weir run` states, and a second to start and end a process on a busy machine.
const GRACE_MAX: Duration = Duration::from_secs(11);

/// What a process that serves both may hold: the code, the pool, and the batches and queues of the queries.
const RESIDENT_BYTES_MAX: u64 = 1 << 30;

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
    /// Whether the process is asked to end once the victim is done: its queries do not end by themselves.
    stops: bool,
    /// Whether nobody reads what the process says.
    unread: bool,
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

/// What was seen of a process.
struct Seen {
    victim: Result<(), String>,
    end: Option<Duration>,
    ended: Ended,
    said: String,
    resident_bytes: u64,
}

impl HostAttack {
    /// Runs it with this program.
    pub(crate) fn run(&self, program: &Path, target: Target) -> Row {
        let started = Instant::now();
        let (happened, wrong, end) = match self.watch(program, target) {
            Ok(seen) => self.judge(&seen),
            Err(error) => (String::new(), Some(format!("could not be run: {error}")), None),
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
            wrong,
        }
    }

    fn watch(&self, program: &Path, target: Target) -> std::io::Result<Seen> {
        let arena = Arena::make(self.name, program, target)?;
        (self.arrange)(&arena)?;
        let mut child = Child::start(&arena, self.unread)?;
        let deadline = Instant::now() + PATIENCE;
        let mut resident_bytes = 0;
        // Until the process ends, or the victim is done where the attacker never is.
        let ended = loop {
            resident_bytes = resident_bytes.max(child.resident_bytes());
            if let Some(ended) = child.ended()? {
                break Some(ended);
            }
            if Instant::now() > deadline || (self.stops && arena.victim_is_done()) {
                break None;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut end = None;
        let ended = match ended {
            Some(ended) => ended,
            None => {
                let asked = Instant::now();
                child.terminate()?;
                let ended = child.wait(asked + GRACE_MAX)?;
                end = Some(asked.elapsed());
                ended
            }
        };
        Ok(Seen { victim: arena.victim(), end, ended, said: child.said(), resident_bytes })
    }

    /// What happened, why that is wrong, and how long the end took after SIGTERM.
    fn judge(&self, seen: &Seen) -> (String, Option<String>, Option<Duration>) {
        let happened = format!("{}, {} MiB", seen.ended, seen.resident_bytes >> 20);
        let wrong = if let Ended::Killed = seen.ended {
            Some(format!("it did not end within {} s of SIGTERM", GRACE_MAX.as_secs()))
        } else if let Ended::Signal(signal) = seen.ended {
            Some(format!("signal {signal} ended the process"))
        } else if let Err(wrong) = &seen.victim {
            Some(format!("the victim noticed: {wrong}"))
        } else if seen.resident_bytes > RESIDENT_BYTES_MAX {
            Some(format!("it held {} MiB, and {} are allowed", seen.resident_bytes >> 20, RESIDENT_BYTES_MAX >> 20))
        } else {
            match self.expected {
                Expectation::Says(text) if !seen.said.contains(text) => {
                    let tail: String =
                        seen.said.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
                    Some(format!("it did not say {text:?} but: {}", weir_text::escape(&tail)))
                }
                _ => None,
            }
        };
        (happened, wrong, seen.end)
    }
}
