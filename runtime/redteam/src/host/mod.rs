//! Attacks on the host beside the sandbox: inputs, folders, pipes and stops, each by a run of its own.
//!
//! Each attack runs the program whose attacker this is (`weir run --limits …`) with a query or several of one or more attacking
//! tenants beside queries of a tenant `victim`: one that writes what comes through a pipe during the whole attack, and, with
//! workers, enough others to use every core. The row passes if the victim's output is exactly what it was given, it keeps at least
//! [`SHARE_MIN`] of its share of CPU time, its worker and the supervisor live on, all processes end by themselves or within the
//! grace time of SIGTERM, their memory stays below a bound, and the attacker gets what the attack expects.

mod arena;
mod attack;
mod attacks;
mod bombs;
mod child;
mod effect;
mod feed;
mod judge;
mod tree;
mod walls;
mod watch;
mod way;

use std::path::Path;
use std::time::{Duration, Instant};

use weir_hostile::{Class, Target};

pub use attack::{Expectation, HostAttack};
pub use attacks::HOST_ATTACKS;
pub use effect::{HostEffect, SHARE_MIN};
pub use walls::{HostWall, WallMark};
pub use way::HostWay;

use crate::report::Row;

/// How long a run may take until the victim's output is there.
const PATIENCE: Duration = Duration::from_secs(60);

/// From SIGTERM to the end: the grace time that `weir run` states, and a second to start and end a process on a busy machine.
const GRACE_MAX: Duration = Duration::from_secs(11);

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
