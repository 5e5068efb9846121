//! `kill -9` of workers and of supervisors while tenants run: outputs are exact, and no process stays.
//!
//! `WEIR_CRASHES=50` is the long form: 50 supervisors and 200 workers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::common::{said, weir};
use crate::workers::{RUN, children, tenants, until};

/// Tenants with a query each.
const TENANTS: [&str; 4] = ["acme", "beta", "corp", "delta"];

/// Records of each: some seconds' work for a build of the tests.
const RECORDS: u64 = 200_000;

/// Kills of one tenant's worker in a run: with one more its tenant is in quarantine.
const KILLS_A_TENANT: u32 = 4;

/// How often a supervisor is killed; workers four times as often.
fn crashes() -> u32 {
    std::env::var("WEIR_CRASHES").ok().and_then(|count| count.parse().ok()).unwrap_or(3)
}

/// A sequence of its own (Knuth's multiplier), so that every run kills alike.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Tenants whose records are all different, so that one that is lost or written twice shows.
fn arrange(folder: &Path) {
    let text = "[sources.in]\nkind = \"file\"\npath = \"in.csv\"\nschema = { id = \"i64\", text = \"utf8\" }\n\
                [batching]\nrecords_max = 200\n\
                [delivery]\nguarantee = \"exactly_once\"\nstate = \"out/state\"\ncommit_ms = 20\n\
                [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n";
    tenants(folder, &TENANTS.map(|tenant| (tenant, text)));
    let mut input = String::from("id,text\n");
    (0..RECORDS).for_each(|id| input.push_str(&format!("{id},{}\n", id % 97)));
    TENANTS.iter().for_each(|tenant| fs::write(folder.join(tenant).join("in.csv"), &input).expect("the input"));
}

fn start(folder: &Path) -> Child {
    let files = TENANTS.map(|tenant| format!("{tenant}/q.toml"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let mut command = weir(folder, &[&RUN[..], &files].concat());
    let err = fs::File::create(folder.join("said")).expect("a file");
    let command = command.env("WEIR_RUNTIME_DIR", folder.join("run")).stdout(Stdio::null()).stderr(err);
    command.spawn().expect("the command")
}

/// Every record of every tenant came out once.
fn check(folder: &Path) {
    for tenant in TENANTS {
        let mut seen = vec![0_u8; usize::try_from(RECORDS).expect("a count")];
        for file in fs::read_dir(folder.join(tenant).join("out")).expect("the output").flatten() {
            if !file.file_name().to_string_lossy().starts_with("rows") {
                continue;
            }
            for line in fs::read_to_string(file.path()).expect("a file").lines().skip(1) {
                let (id, text) = line.split_once(',').expect("two fields");
                let id = id.parse::<usize>().expect("a number");
                assert_eq!(text, (id % 97).to_string(), "{tenant}: {line}");
                seen[id] += 1;
            }
        }
        let wrong = seen.iter().enumerate().filter(|(_, count)| **count != 1).count();
        assert_eq!(wrong, 0, "{tenant}: records that are missing or there twice");
    }
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id");
    // It may have ended by itself.
    let sent = kill_process(pid, Signal::KILL);
    assert!(matches!(sent, Ok(()) | Err(rustix::io::Errno::SRCH)), "{sent:?}");
}

/// A process by its number and its start time: numbers are given again.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    (!state.starts_with(['Z', 'X'])).then(|| fields.nth(18)?.parse().ok())?
}

/// Workers of the whole machine that were started since then and whose supervisor is gone.
fn orphans(since: u64) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("the processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let read = |file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        if read("cmdline").split('\0').nth(1) != Some("worker") {
            continue;
        }
        let parent = read("status").lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<u32>().ok());
        let parent = parent.map(|parent| fs::read_to_string(format!("/proc/{parent}/cmdline")).unwrap_or_default());
        let has_supervisor = parent.is_some_and(|line| line.split('\0').any(|word| word == "run"));
        if !has_supervisor && started(pid).is_some_and(|at| at >= since) {
            found.push(pid);
        }
    }
    found
}

/// No process that was seen lives, and no worker without a supervisor is anywhere.
fn none_is_left(seen: &BTreeMap<u32, u64>, since: u64) {
    until("every process has ended", || {
        seen.iter().all(|(pid, at)| started(*pid) != Some(*at)) && orphans(since).is_empty()
    });
}

/// The processes of the tenants' queries, as the run reports them.
fn processes(folder: &Path) -> Vec<(String, u32)> {
    let output = weir(folder, &["status", "--json"]).env("WEIR_RUNTIME_DIR", folder.join("run")).output();
    let told = said(output.expect("the command")).out;
    let of_line = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let pid = u32::try_from(line["pid"].as_u64()?).ok().filter(|pid| *pid > 0)?;
        (line["progress"]["state"] == "running").then(|| Some((line["tenant"].as_str()?.to_owned(), pid)))?
    };
    told.lines().filter_map(of_line).collect()
}

#[test]
fn workers_that_are_killed_lose_no_record_and_write_none_twice() {
    let (mut dice, mut kills) = (Dice(13), 0);
    let since = started(std::process::id()).expect("this process");
    while kills < crashes() * 4 {
        let folder = tempfile::tempdir().expect("a folder");
        arrange(folder.path());
        let mut child = start(folder.path());
        let (mut seen, mut of_tenant) = (BTreeMap::new(), BTreeMap::<String, u32>::new());
        let begun = Instant::now();
        while child.try_wait().expect("the command").is_none() {
            assert!(begun.elapsed() < Duration::from_secs(240), "the run goes on");
            seen.extend(children(child.id()).into_iter().filter_map(|pid| Some((pid, started(pid)?))));
            let mut running = processes(folder.path());
            running.retain(|(tenant, _)| of_tenant.get(tenant).is_none_or(|count| *count < KILLS_A_TENANT));
            if !running.is_empty() && kills < crashes() * 4 {
                let (tenant, pid) =
                    running.swap_remove(usize::try_from(dice.below(running.len() as u64)).expect("one"));
                kill(pid);
                kills += 1;
                *of_tenant.entry(tenant).or_default() += 1;
            }
            std::thread::sleep(Duration::from_millis(dice.below(150)));
        }
        let status = child.wait().expect("an end");
        let said = fs::read_to_string(folder.path().join("said")).expect("what it said");
        assert_eq!(status.code(), Some(0), "{said}");
        assert!(of_tenant.is_empty() || said.contains("ended by signal 9"), "{said}");
        check(folder.path());
        none_is_left(&seen, since);
    }
}

#[test]
fn supervisors_that_are_killed_leave_no_process_and_the_next_goes_on() {
    let (mut dice, mut kills) = (Dice(17), 0);
    let since = started(std::process::id()).expect("this process");
    while kills < crashes() {
        let folder = tempfile::tempdir().expect("a folder");
        arrange(folder.path());
        let mut seen = BTreeMap::new();
        // The next one is started at once, as a service manager does.
        let said = loop {
            let mut child = start(folder.path());
            let until = Instant::now() + Duration::from_millis(200 + dice.below(1_200));
            let is_last = kills >= crashes();
            while child.try_wait().expect("the command").is_none() && (is_last || Instant::now() < until) {
                seen.extend(children(child.id()).into_iter().filter_map(|pid| Some((pid, started(pid)?))));
                std::thread::sleep(Duration::from_millis(5));
            }
            if let Some(status) = child.try_wait().expect("the command") {
                let said = fs::read_to_string(folder.path().join("said")).expect("what it said");
                assert_eq!(status.code(), Some(0), "{said}");
                break said;
            }
            child.kill().expect("the command is there");
            child.wait().expect("its end");
            kills += 1;
        };
        assert!(said.contains("end of input"), "{said}");
        check(folder.path());
        none_is_left(&seen, since);
    }
}
