//! Whether an attack was withstood.

use super::child::Ended;
use super::watch::Seen;
use super::{Expectation, GRACE_MAX, HostAttack, HostWall, HostWay, SHARE_MIN, WallMark};

/// What the process that serves all may hold: the code, the pool, and the batches and queues of the queries.
const RESIDENT_BYTES_MAX: u64 = 1 << 30;

/// What a supervisor may hold: frames and lines within their budgets, and modules that are compiled.
const SUPERVISOR_BYTES_MAX: u64 = 256 << 20;

/// The walls without which tenants do not run beside each other in workers.
const REQUIRED: [HostWall; 2] = [HostWall::Process, HostWall::Seccomp];

/// What came of an attack.
pub(super) struct Judgement {
    pub(super) happened: String,
    /// Why it fails; `None` where it passes.
    pub(super) wrong: Option<String>,
}

impl HostAttack {
    pub(super) fn judge(&self, seen: &Seen, way: HostWay) -> Judgement {
        let effect = &seen.effect;
        let mib = |bytes: u64| bytes >> 20;
        let mut happened =
            format!("{}, {} records kept, {}", seen.ended, effect.records, mib(effect.supervisor_bytes_max));
        match way {
            HostWay::Workers => happened.push_str(&format!(" + {} MiB", mib(effect.worker_bytes_max))),
            HostWay::OneProcess => happened.push_str(" MiB"),
        }
        let wrong = self.wrong_end(seen).or_else(|| match way {
            HostWay::Workers => self.wrong_worker(seen),
            HostWay::OneProcess => beyond("it", effect.supervisor_bytes_max, RESIDENT_BYTES_MAX),
        });
        Judgement { happened, wrong: wrong.or_else(|| self.unexpected(seen)) }
    }

    /// What is wrong however the queries are run.
    fn wrong_end(&self, seen: &Seen) -> Option<String> {
        match seen.ended {
            Ended::Killed => return Some(format!("it did not end within {} s of SIGTERM", GRACE_MAX.as_secs())),
            Ended::Signal(signal) => return Some(format!("signal {signal} ended the process")),
            Ended::Code(_) => {}
        }
        if let Err(wrong) = &seen.victim {
            return Some(format!("the victim noticed: {wrong}"));
        }
        (!seen.left.is_empty()).then(|| format!("processes are left: {:?}", seen.left))
    }

    /// What is wrong with the processes of tenants.
    fn wrong_worker(&self, seen: &Seen) -> Option<String> {
        let effect = &seen.effect;
        if let Some(line) = of_victim(&seen.said) {
            return Some(format!("the victim's worker has ended: {}", weir_text::escape(line)));
        }
        if !seen.victim_stayed {
            return Some("the victim's worker has ended".to_owned());
        }
        let absent = |wall: &&HostWall| !effect.walls.iter().any(|(it, mark)| it == *wall && *mark != WallMark::Absent);
        if let Some(wall) = REQUIRED.iter().find(absent) {
            return Some(format!("the wall `{}` does not hold around the victim's worker", wall.name()));
        }
        if let Some(share) = effect.share.filter(|share| *share < SHARE_MIN * effect.fair_share) {
            let (share, fair) = (share * 100.0, effect.fair_share * 100.0);
            return Some(format!("the victim got {share:.1} % of the CPU time: its fair share is {fair:.1} %"));
        }
        if !self.may_end && seen.said.contains("its queries continue from their last commits") {
            return Some("a worker has ended that should live on".to_owned());
        }
        beyond("the supervisor", effect.supervisor_bytes_max, SUPERVISOR_BYTES_MAX)
            .or_else(|| beyond("a worker", effect.worker_bytes_max, RESIDENT_BYTES_MAX))
    }

    fn unexpected(&self, seen: &Seen) -> Option<String> {
        let Expectation::Says(text) = self.expected else { return None };
        if seen.said.contains(text) {
            return None;
        }
        let tail: String = seen.said.chars().rev().take(200).collect::<Vec<_>>().into_iter().rev().collect();
        Some(format!("it did not say {text:?} but: {}", weir_text::escape(&tail)))
    }
}

fn beyond(who: &str, bytes: u64, bytes_max: u64) -> Option<String> {
    (bytes > bytes_max).then(|| format!("{who} held {} MiB, and {} are allowed", bytes >> 20, bytes_max >> 20))
}

/// What the run says of an end of the victim's worker.
fn of_victim(said: &str) -> Option<&str> {
    let of_victim = |line: &&str| line.contains("victim") && !line.starts_with("query ");
    said.lines().filter(of_victim).find(|line| line.contains("the worker ended") || line.contains("was ended"))
}
