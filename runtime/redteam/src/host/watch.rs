//! One run, watched from its start to its end.

use std::path::Path;
use std::time::{Duration, Instant};

use weir_hostile::Target;

use super::arena::Arena;
use super::child::{Child, Ended};
use super::feed::Feed;
use super::tree::{CpuTimes, Tree};
use super::walls::{InForce, status, victim_process};
use super::{Expectation, GRACE_MAX, HostAttack, HostEffect, HostWay, PATIENCE, SHARE_MIN};

/// The time between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// The shortest window over which shares are compared.
const WINDOW_MIN: Duration = Duration::from_millis(1_500);

/// The least CPU time of all processes in it: with less, hundredths of a second would count.
const WINDOW_CPU_MIN: Duration = Duration::from_millis(1_000);

/// How long attackers go on that do not end by themselves.
const ENDLESS_WINDOW: Duration = Duration::from_secs(3);

/// Attackers have ended where they took less than a twentieth of a core for this long.
const QUIET: Duration = Duration::from_millis(500);

/// Windows over which shares are compared: a scheduler may take seconds to even out what it gave others on a busy machine.
const WINDOWS_MAX: u32 = 4;

/// What was seen of a run.
pub(super) struct Seen {
    /// Whether the victim's output is what it was given.
    pub(super) victim: Result<(), String>,
    pub(super) end: Option<Duration>,
    pub(super) ended: Ended,
    pub(super) said: String,
    /// Whether the victim's queries were in the same process from the first to the last look.
    pub(super) victim_stayed: bool,
    /// Processes that are there though the run has ended.
    pub(super) left: Vec<u32>,
    pub(super) effect: HostEffect,
}

/// The window over which shares are compared.
struct Window {
    since: Instant,
    count: u32,
    /// The best share of a window so far.
    share: Option<f64>,
    contended: bool,
    /// What others had taken when that was last more than before, and when.
    others: (Duration, Instant),
}

impl Window {
    fn begin(tree: &mut Tree, count: u32) -> Window {
        tree.begin();
        let now = Instant::now();
        Window { since: now, count, share: None, contended: false, others: (Duration::ZERO, now) }
    }

    /// Whether the others have not taken anything to speak of for a while.
    fn is_quiet(&mut self, times: CpuTimes) -> bool {
        if times.others > self.others.0 + QUIET / 20 {
            self.others = (times.others, Instant::now());
        }
        self.others.1.elapsed() >= QUIET
    }
}

fn share(times: CpuTimes) -> Option<f64> {
    let all = times.victim + times.others;
    (!all.is_zero()).then(|| times.victim.as_secs_f64() / all.as_secs_f64())
}

impl HostAttack {
    pub(super) fn watch(&self, program: &Path, target: Target, way: HostWay) -> std::io::Result<Seen> {
        let arena = Arena::make(self.name, program, target, way)?;
        (self.arrange)(&arena)?;
        let fair_share = 1.0 / (arena.attackers()?.len() as f64 + 1.0);
        let mut child = Child::start(&arena, way, self.unread)?;
        let mut tree = Tree::new(child.pid());
        let mut feed = Feed::new(arena.victim_input());
        let deadline = Instant::now() + PATIENCE;
        // Until the victim works.
        let mut victim = None;
        let mut reports = Vec::new();
        while Instant::now() < deadline && child.ended()?.is_none() && !(feed.is_open() && victim.is_some()) {
            feed.go_on()?;
            tree.look();
            if feed.is_open() {
                reports = status(&arena);
                victim = victim_process(&reports);
            }
            std::thread::sleep(LOOK);
        }
        let apart = way == HostWay::Workers && victim.is_some_and(|victim| victim != child.pid());
        let in_force = match victim {
            Some(victim) if apart => InForce::of_worker(victim, child.pid(), &reports),
            _ => InForce::of_one_process(),
        };
        let mut window = Window::begin(&mut tree, 1);
        let (mut shares, mut contended) = (Vec::new(), false);
        while Instant::now() < deadline && child.ended()?.is_none() {
            feed.go_on()?;
            tree.look();
            let times = tree.cpu_times(victim.unwrap_or_default());
            let enough = window.since.elapsed() >= WINDOW_MIN
                && (!apart || times.victim + times.others >= WINDOW_CPU_MIN)
                && (if self.stops {
                    window.since.elapsed() >= ENDLESS_WINDOW
                } else {
                    window.is_quiet(times) || !shares.is_empty()
                });
            if enough {
                window.share = share(times);
                // The others wanted a part to speak of.
                window.contended = window.share.is_some_and(|share| 1.0 - share > (1.0 - fair_share) / 2.0);
                contended |= window.contended;
                shares.extend(window.share);
                let kept = !apart || window.share.is_none_or(|share| share >= SHARE_MIN * fair_share);
                let has_said = match self.expected {
                    // What it says at its end is looked at then.
                    Expectation::Says(text) => self.stops || child.said().contains(text),
                    Expectation::Contained => true,
                };
                if has_said && (kept || window.count == WINDOWS_MAX) {
                    break;
                }
                window = Window::begin(&mut tree, window.count + u32::from(!kept));
            }
            std::thread::sleep(LOOK);
        }
        // The victim's input ends, and with it the query that reads it.
        while Instant::now() < deadline && child.ended()?.is_none() && !(feed.end()? && arena.victim_is_done()) {
            tree.look();
            std::thread::sleep(LOOK);
        }
        tree.look();
        let victim_stayed =
            !apart || victim.is_some_and(|victim| std::path::Path::new(&format!("/proc/{victim}")).exists());
        let mut end = None;
        let ended = match child.ended()? {
            Some(ended) => ended,
            None => {
                let asked = Instant::now();
                child.terminate()?;
                let ended = child.wait(asked + GRACE_MAX)?;
                end = Some(asked.elapsed());
                ended
            }
        };
        let (supervisor_bytes_max, worker_bytes_max) = tree.resident_bytes_max();
        let said = child.said();
        let walls = in_force.marks(&said, contended);
        let share = if apart { shares.into_iter().max_by(f64::total_cmp) } else { None };
        Ok(Seen {
            victim: arena.victim(feed.records),
            end,
            ended,
            said,
            victim_stayed,
            left: left(&tree),
            effect: HostEffect {
                share,
                fair_share,
                records: feed.records,
                supervisor_bytes_max,
                worker_bytes_max,
                walls,
            },
        })
    }
}

/// The processes that stay, after a moment in which the system ends them.
fn left(tree: &Tree) -> Vec<u32> {
    let until = Instant::now() + Duration::from_secs(5);
    loop {
        let left = tree.left();
        if left.is_empty() || Instant::now() > until {
            return left;
        }
        std::thread::sleep(LOOK);
    }
}
