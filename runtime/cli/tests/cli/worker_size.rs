//! What a worker of a tenant costs while nothing happens in it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::common::weir;
use crate::lifecycle::send;
use crate::unread::mkfifo;
use crate::workers::{RUN, children, tenants, until};

/// Threads of a worker on two cores with a guest that takes long, beside those of Kafka's client.
const THREADS_MAX: usize = 8;

/// Its pages that nobody shares and that were written to.
const PRIVATE_DIRTY_KIB_MAX: u64 = 6 << 10;

/// A guest whose calls take some milliseconds, so that they move to threads for guests.
const SLOW: &str = r#"(module
    (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\ff")
    (func (export "weir_call_f") (param $rows i32) (result i32) (local $left i32)
        (local.set $left (i32.const 10000000))
        (loop $again
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (call $emit_filter (i32.const 0) (local.get $rows)))
    (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22f\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}"))"#;

/// The names of a process's threads, with the voluntary switches of each.
fn threads(pid: u32) -> BTreeMap<(String, String), u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let thread = |task: fs::DirEntry| {
        let read = |file: &str| fs::read_to_string(task.path().join(file)).ok();
        let switches = read("status")?;
        let switches = switches.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        let name = read("comm")?.trim().to_owned();
        Some(((task.file_name().into_string().ok()?, name), switches.trim().parse().ok()?))
    };
    tasks.filter_map(thread).collect()
}

fn private_dirty_kib(pid: u32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = maps.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or(u64::MAX)
}

/// A run whose one query waits for more records, after the guest has seen some.
fn waiting(folder: &Path) -> (Child, fs::File, u32) {
    let text = "[sources.in]\nkind = \"file\"\npath = \"in.csv\"\nformat = \"csv\"\n[sources.in.schema]\nn = \"i64\"\n\
                [[stages]]\nname = \"slow\"\nmodule = \"slow.wasm\"\nfunction = \"f\"\n\
                [delivery]\ncommit_ms = 50\n\
                [sinks.out]\nkind = \"file\"\npath = \"out/rows.csv\"\n";
    tenants(folder, &[("acme", text)]);
    // Of a machine with more cores it would use more, with a thread for each.
    let limits = fs::read_to_string(folder.join("limits.toml")).expect("the limits file");
    fs::write(folder.join("limits.toml"), format!("{limits}cpu_percent_max = 200\n")).expect("the limits file");
    fs::write(folder.join("acme/slow.wasm"), wat::parse_str(SLOW).expect("a module")).expect("the module");
    mkfifo(&folder.join("acme/in.csv"));
    let mut command = weir(folder, &[&RUN[..], &["--quiet", "--no-control", "acme/q.toml"]].concat());
    let child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().expect("the command");
    // Also as a reader: the query looks at the pipe before it reads it, and what is written in between would have nobody to read it.
    let mut input = OpenOptions::new().read(true).write(true).open(folder.join("acme/in.csv")).expect("the pipe");
    writeln!(input, "n\n1\n2\n3").expect("a reader");
    let out = folder.join("acme/out");
    until("the rows are written", || {
        let files = fs::read_dir(&out).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_to_string(file.path()).ok()).any(|text| text.contains("\n3\n"))
    });
    // The process that compiles better code may be there too.
    let has_guests = |pid: &u32| threads(*pid).keys().any(|(_, name)| name.contains("guest"));
    let worker = || children(child.id()).into_iter().find(has_guests);
    until("the guest runs on threads of its own", || worker().is_some());
    let pid = worker().expect("a worker");
    (child, input, pid)
}

#[test]
fn an_idle_worker_has_few_threads_and_little_memory_and_wakes_for_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut child, input, pid) = waiting(folder.path());
    // Threads for what blocks end when they have had nothing to do for a while.
    until("few threads", || (1..=THREADS_MAX).contains(&threads(pid).len()));
    until("little memory", || private_dirty_kib(pid) <= PRIVATE_DIRTY_KIB_MAX);
    until("no thread wakes for two seconds", || {
        let before = threads(pid);
        // What would wake it does so at least once in a second.
        std::thread::sleep(Duration::from_secs(2));
        !before.is_empty() && threads(pid) == before
    });
    drop(input);
    send(&child, libc::SIGTERM);
    assert!(child.wait().expect("an end").success());
}
