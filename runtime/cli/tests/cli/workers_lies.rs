//! Workers that were taken over and lie to their supervisor, beside one that works. This program plays them: builds with debug
//! assertions start it in the place of the workers of some tenants.
#![expect(unsafe_code, reason = "a process that is started as a worker must not become a test harness first")]

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio, exit};

use rustix::fs::{FileType, fstat};
use serde_json::Value;
use weir_frame::{
    FrameSender, FromWorker, LineLevel, QueryEnd, QueryId, RequestId, Steering, ToWorker, VERSION, WallReport,
    WallState, from_standard_input,
};
use weir_query::{Details, Extent, Progress, QueryState, SourceProgress, StageProgress};
use weir_worker::{QueryReport, WorkerSettings};

use crate::common::{said, weir};
use crate::lifecycle::send;
use crate::workers::{RUN, seed, tenants, until};

/// Before `main`: this program as a worker.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    let is_socket =
        || fstat(io::stdin().as_fd()).is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Socket);
    // A supervisor starts workers without any variable, and with a socket as their input.
    if std::env::args().nth(1).as_deref() == Some("worker") && std::env::vars_os().next().is_none() && is_socket() {
        exit(i32::from(lie().is_err()));
    }
}

/// The lies, each with what is said about it, where something must be.
const LIES: [(&str, &str); 13] = [
    ("mute", "gave no answer within 15 s"),
    ("names", "sent a query without a name"),
    ("claims", "sent invalid claims"),
    ("instances", "it needs 18446744073709551615 instances at once, but only 1000 of the 1000 of its worker are left"),
    ("foreign", "it sent a module of a tenant that it does not work for"),
    ("reports", ""),
    ("garbled", "sent invalid a report"),
    ("accounts", "sent invalid an account"),
    ("flood", "lines of the worker were dropped"),
    ("empty", "an empty module is refused"),
    ("huge", "an endless module is refused"),
    ("others", "it sent a frame Ended out of turn"),
    ("bytes", "was ended: it sent"),
];

fn lie() -> io::Result<()> {
    let (sender, mut receiver) = from_standard_input::<FromWorker, ToWorker>()?;
    let received = receiver.receive().map_err(io::Error::other)?;
    let Some((ToWorker::Welcome { role, settings, .. }, _handed)) = received else { return Ok(()) };
    let lie = WorkerSettings::from_bytes(&settings).map_err(io::Error::other)?.tenant;
    let wall = |name: &str| WallReport { name: name.to_owned(), state: WallState::InForce, note: String::new() };
    let say = |frame: FromWorker| sender.send(&frame, &[]).map_err(io::Error::other);
    say(FromWorker::Hello { version: VERSION, role, walls: ["seccomp", "landlock"].map(wall).to_vec() })?;
    while let Some((frame, _)) = receiver.receive().map_err(io::Error::other)? {
        match frame {
            // It hangs before the run begins.
            ToWorker::Run { .. } if lie == "mute" => {}
            ToWorker::Run { query, .. } => {
                let claims = match lie.as_str() {
                    "names" => claims("a\u{1b}[2J\nb", 1),
                    "instances" => claims("q", u64::MAX),
                    "claims" => vec![0xff; 1 << 20],
                    _ => claims("q", 1),
                };
                say(FromWorker::Resolved {
                    query,
                    name: "q".to_owned(),
                    commit_ms: Some(0),
                    claims,
                    warnings: vec![],
                })?;
            }
            ToWorker::Go { query } => {
                say(FromWorker::Started { query })?;
                act(&lie, query, &sender)?;
            }
            ToWorker::CodeRefused { .. } => {
                let text = if lie == "empty" { "an empty module is refused" } else { "an endless module is refused" };
                say(FromWorker::Log { level: LineLevel::Warn, target: "lie".to_owned(), text: text.to_owned() })?;
            }
            ToWorker::Steer { query, steering: Steering::Stop } => {
                say(FromWorker::Ended { query, end: QueryEnd::Stopped, summary: vec![7; 1 << 20] })?;
            }
            ToWorker::End { .. } => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

/// Claims of a query of this name, without files and groups: numbers of eight bytes, texts with their lengths.
fn claims(name: &str, instances: u64) -> Vec<u8> {
    let number = |number: u64| number.to_le_bytes().to_vec();
    let text = |text: &str| [number(text.len() as u64), text.as_bytes().to_vec()].concat();
    let spot = [text("name"), number(1), number(1)].concat();
    // Clients of Kafka, one fewer than instances; and that the query resumes.
    let [clients, resumes] = [number(instances.saturating_sub(1)), vec![1]];
    let beginning = [text(name), text("acme"), clients, resumes, spot].concat();
    [beginning, number(instances), number(u64::MAX), number(0), number(0)].concat()
}

fn act(lie: &str, query: QueryId, sender: &FrameSender<FromWorker>) -> io::Result<()> {
    let say = |frame: FromWorker| sender.send(&frame, &[]).map_err(io::Error::other);
    let compile_for = |tenant: &str, module_bytes: u32, offset: u32, chunk: Vec<u8>| {
        let tenant = tenant.to_owned();
        say(FromWorker::Compile { request: RequestId(1), tenant, module_bytes, offset, chunk })
    };
    let compile = |module_bytes, offset, chunk| compile_for(lie, module_bytes, offset, chunk);
    match lie {
        "reports" => say(FromWorker::Progress { query, bytes: report() }),
        "garbled" => say(FromWorker::Progress { query, bytes: vec![0xff; 64] }),
        "accounts" => say(FromWorker::Ended { query, end: QueryEnd::Complete, summary: vec![0xff; 64] }),
        "flood" => {
            let line = [b"x".repeat(99), b"\n".to_vec()].concat();
            for number in 0..20_000_u32 {
                io::stdout().write_all(&line)?;
                let (target, text) = ("flood".to_owned(), format!("line {number} {}", "y".repeat(8 << 10)));
                say(FromWorker::Log { level: LineLevel::Error, target: target.clone(), text: text.clone() })?;
                say(FromWorker::Event { query: Some(query), code: target, text })?;
                say(FromWorker::Progress { query, bytes: report() })?;
            }
            Ok(())
        }
        "foreign" => compile_for("acme", 8, 0, b"\0asm\x01\0\0\0".to_vec()),
        "empty" => compile(0, 0, Vec::new()),
        "huge" => compile(u32::MAX, 0, vec![0; 1 << 10]),
        "others" => say(FromWorker::Ended { query: QueryId(1), end: QueryEnd::Complete, summary: Vec::new() }),
        "bytes" => {
            // Its input is the socket: what is written there is no frame.
            rustix::io::write(io::stdin().as_fd(), &[0xff; 4096])?;
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Numbers that no query has.
fn report() -> Vec<u8> {
    let mut progress = Progress::default();
    let mut source = SourceProgress::default();
    source.name = "source".into();
    (source.records, source.bytes, source.failed) = (u64::MAX, u64::MAX, u64::MAX);
    source.extent = Some(Extent { read: u64::MAX, of: 1 });
    source.waits_for = Some("\u{1b}[2J".repeat(100));
    let mut stage = StageProgress::default();
    stage.name = "stage".into();
    (stage.failed, stage.dead, stage.traps, stage.guest_nanos) = (u64::MAX, u64::MAX, u64::MAX, u64::MAX);
    (progress.sources, progress.stages) = (vec![source.clone(), source], vec![stage.clone(), stage]);
    (progress.committed_records, progress.state) = (u64::MAX, QueryState::Running);
    let mut details = Details::default();
    (details.commits.bounds, details.commits.sum) = (vec![f64::NAN; 1_000], f64::NAN);
    details.commits.buckets = vec![u64::MAX; 1_001];
    QueryReport::new(progress, details, Vec::new()).to_bytes().unwrap_or_default()
}

fn resident_bytes_max(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

/// A command in the run's folder, whose queries it sees.
pub(crate) fn seen(folder: &Path, args: &[&str]) -> crate::common::Said {
    said(weir(folder, args).env("WEIR_RUNTIME_DIR", folder.join("run")).output().expect("the command"))
}

#[test]
fn workers_that_lie_end_or_are_not_believed_and_others_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = seed(2_000);
    let all: Vec<(&str, &str)> =
        [("acme", text.as_str())].into_iter().chain(LIES.map(|(lie, _)| (lie, &*text))).collect();
    tenants(folder.path(), &all);
    let files: Vec<String> = all.iter().map(|(tenant, _)| format!("{tenant}/q.toml")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let liars = LIES.map(|(lie, _)| lie).join(",");
    let program = std::env::current_exe().expect("this program");
    let err = folder.path().join("said");
    let told = || fs::read_to_string(&err).unwrap_or_default();
    let mut command: Command = weir(folder.path(), &[&RUN[..], &files].concat());
    command.env("WEIR_TEST_WORKERS", format!("{liars}={}", program.display()));
    command.env("WEIR_RUNTIME_DIR", folder.path().join("run")).stdout(Stdio::null());
    let mut child = command.stderr(fs::File::create(&err).expect("a file")).spawn().expect("the command");
    until("the one that works is done", || folder.path().join("acme/out/rows.csv").is_file());
    for (lie, about) in LIES {
        until(&format!("{lie}: {about}\n{}", told()), || told().contains(about));
    }
    // Whoever looks sees numbers that queries can have.
    let status = seen(folder.path(), &["status", "--json"]);
    assert_eq!(status.code, Some(0), "{}", status.err);
    let lines: Vec<Value> = status.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let reports = lines.iter().find(|line| line["tenant"] == "reports").expect("it runs");
    assert!(reports["percent"].as_u64() <= Some(100), "{reports}");
    for args in [&["status"][..], &["top", "--once"]] {
        let shown = seen(folder.path(), args);
        assert_eq!(shown.code, Some(0), "{}", shown.err);
        assert!(shown.out.contains("reports") && !shown.out.contains('\u{1b}'), "{}", shown.out);
    }
    let resident = resident_bytes_max(child.id());
    assert!(resident < 256 << 20, "the supervisor holds {} MiB", resident >> 20);
    send(&child, libc::SIGTERM);
    let status = child.wait().expect("an end");
    // The one that floods may have to be ended by force.
    assert!(matches!(status.code(), Some(1 | 3)), "{status}: {}", told());
    assert!(told().len() < 16 << 20, "{} bytes are said", told().len());
    let rows = fs::read_to_string(folder.path().join("acme/out/rows.csv")).expect("the output");
    assert_eq!(rows.lines().count(), 2_000_001);
}
