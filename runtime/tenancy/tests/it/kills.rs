//! `kill -9` of workers and of supervisors.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use weir_frame::QueryId;
use weir_tenancy::{AfterEnd, EndCause, TenancyEvent};

use crate::support::{Stage, is_alive, program, wait_for};

fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn workers_are_killed_fifty_times_and_start_again_with_their_queries() {
    let stage = Stage::with(|settings| (settings.crashes_max, settings.restart_ms_max) = (1_000, 2));
    let workers: Vec<_> = (0..5).map(|number| stage.start(&format!("tenant-{number}"), "hello serve")).collect();
    workers.iter().for_each(|worker| stage.run(*worker, worker.0));
    let (mut kills, mut pids) = (0, BTreeSet::new());
    let mut started = 0;
    stage.until(|event| {
        match event {
            TenancyEvent::Spawned { pid, .. } => assert!(pids.insert(pid)),
            TenancyEvent::Frame { worker, .. } => {
                started += 1;
                if kills < 50 {
                    kills += 1;
                    kill(stage.status(worker).pid.unwrap());
                }
            }
            TenancyEvent::Ended { cause, held, next, worker, .. } => {
                assert_eq!(cause, EndCause::Signal { signal: 9, name: "KILL".to_owned() });
                assert_eq!(held, [QueryId(worker.0)]);
                assert!(matches!(next, AfterEnd::Restart { .. }));
            }
            _ => {}
        }
        (started == 55).then_some(())
    });
    let status = stage.supervisor.workers().unwrap();
    assert_eq!(status.iter().map(|status| status.restarts).sum::<u32>(), 50);
    let alive: BTreeSet<u32> = pids.iter().copied().filter(|pid| is_alive(*pid)).collect();
    assert_eq!(alive, status.iter().filter_map(|status| status.pid).collect());
    drop(stage);
    assert!(alive.into_iter().all(|pid| !is_alive(pid)), "no process stays");
}

/// A supervisor in a process of its own.
struct Supervised {
    child: Child,
    orphans: usize,
    pids: Vec<u32>,
}

impl Supervised {
    /// Starts one, and waits until its processes have said hello.
    fn start(folder: &std::path::Path, count: usize, steps: &str) -> Supervised {
        let mut command = Command::new(program());
        command.arg("supervise").arg(folder).arg(count.to_string()).args(steps.split(' '));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (mut orphans, mut pids, mut greeted) = (0, Vec::new(), 0);
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            match line.split_once(' ') {
                Some(("orphans", count)) => orphans = count.parse().unwrap(),
                Some(("pid", pid)) => pids.push(pid.parse().unwrap()),
                Some(("greeted", _)) => greeted += 1,
                _ => panic!("{line}"),
            }
            if greeted == count {
                break;
            }
        }
        assert_eq!(greeted, count, "the supervisor has started");
        Supervised { child, orphans, pids }
    }

    fn kill(mut self) -> Vec<u32> {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::take(&mut self.pids)
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn a_killed_supervisor_leaves_no_process_that_listens() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..10 {
        let pids = Supervised::start(folder.path(), 3, "hello serve").kill();
        assert_eq!(pids.len(), 3);
        wait_for("processes end with their supervisor", || !pids.iter().any(|pid| is_alive(*pid)));
    }
}

#[test]
fn what_a_killed_supervisor_leaves_is_ended_by_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut before: Vec<u32> = Vec::new();
    for round in 0..10 {
        // They do not look at their sockets, and have set no parent-death signal.
        let supervised = Supervised::start(folder.path(), 3, "hello hang");
        assert_eq!(supervised.orphans, if round == 0 { 0 } else { 3 });
        assert!(before.iter().all(|pid| !is_alive(*pid)), "ended before the next one is started");
        before = supervised.kill();
        assert!(before.iter().all(|pid| is_alive(*pid)));
    }
    let last = Supervised::start(folder.path(), 1, "hello serve").kill();
    assert!(before.iter().all(|pid| !is_alive(*pid)));
    wait_for("the last one ends", || !is_alive(last[0]));
}

#[test]
fn nothing_is_ended_that_only_has_the_same_number() {
    let folder = tempfile::tempdir().unwrap();
    let pids = Supervised::start(folder.path(), 1, "hello hang").kill();
    let file = folder.path().join("processes");
    let text = std::fs::read_to_string(&file).unwrap();
    // Somebody else's process, as if the number had been given again.
    let mut other = Command::new(program()).arg("hang").stdin(Stdio::piped()).spawn().unwrap();
    let (head, line) = text.trim_end().split_once('\n').unwrap();
    let (number, start_ticks) = line.split_once(' ').unwrap();
    assert_eq!(number.parse(), Ok(pids[0]));
    let earlier = start_ticks.parse::<u64>().unwrap() - 1;
    let damaged = format!("{head}\n{} {earlier}\n", other.id());
    std::fs::write(&file, format!("{damaged}17\nnonsense")).unwrap();
    let next = Supervised::start(folder.path(), 0, "hello hang");
    assert_eq!(next.orphans, 0);
    assert!(is_alive(other.id()) && is_alive(pids[0]));
    drop(next);
    other.kill().unwrap();
    other.wait().unwrap();
    kill(pids[0]);
}
