//! Modules compiled in a process of their own: what it answers, how it ends, and what it may not do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_batch::Batch;
use weir_sandbox::{
    Carry, CodeOrigin, Compiler, Engine, EngineConfig, Instance, Limits, Module, ModuleLimits, Refusal, Tier,
};

use crate::support::{block_on, numbers, tenant, wasm};

const WORKER: &str = env!("CARGO_BIN_EXE_weir-compile-worker");
const MANIFEST: &str =
    r#"{"abi":1,"name":"f","kind":"transform","output_shape":"filter","input":[{"name":"n","type":"i64"}]}"#;

fn engine(program: impl AsRef<Path>, arguments: &[&str]) -> Engine {
    let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let compiler = Compiler::Worker { program: program.as_ref().to_owned(), arguments };
    Engine::new(&EngineConfig::default().with(|it| {
        it.compiler = compiler;
        it.instances_max = 8;
    }))
    .unwrap()
}

/// Keeps the first of two rows.
fn module() -> Vec<u8> {
    wasm(
        MANIFEST,
        r#"(memory (export "memory") 1) (data (i32.const 0) "\01")
           (func (export "weir_call_f") (param $rows i32) (result i32)
             (call $emit_filter (i32.const 0) (local.get $rows)))"#,
    )
}

fn rows() -> Arc<Batch> {
    numbers([1, 2])
}

fn call(module: &Arc<Module>, limits: &Limits) -> usize {
    let bound = module.manifest().functions[0].bind(rows().schema(), &Carry::None, &[].into()).unwrap();
    let mut instance = Instance::new(module, &Arc::new(bound), limits);
    block_on(instance.call(&rows())).unwrap().output.rows()
}

#[test]
fn a_worker_compiles_fast_and_then_well() {
    let engine = engine(WORKER, &[]);
    for limits in [Limits::default(), Limits::default().with(|it| it.hardened = true)] {
        let module = engine.admit(&tenant(), &module(), &limits).unwrap();
        assert_eq!(call(&module, &limits), 1, "whichever code there is");
        assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Optimised);
        assert_eq!(call(&module, &limits), 1);
        assert_eq!(module.origin(), CodeOrigin::Compiler);
        let cost = module.compile_cost();
        assert!(cost.cpu.unwrap() > Duration::from_millis(1), "{cost:?}");
        assert!(cost.memory_bytes_peak.unwrap() > 1 << 20, "{cost:?}");
    }
}

#[test]
fn an_engine_that_does_not_optimise_leaves_code_as_it_is() {
    let worker = Compiler::Worker { program: WORKER.into(), arguments: Vec::new() };
    for compiler in [Compiler::InProcess, worker] {
        let config = EngineConfig::default().with(|it| {
            it.optimise = false;
            it.compiler = compiler;
            it.instances_max = 8;
        });
        let engine = Engine::new(&config).unwrap();
        let module = engine.admit(&tenant(), &module(), &Limits::default()).unwrap();
        assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Baseline);
        assert_eq!(call(&module, &Limits::default()), 1);
    }
}

/// What a worker that is not what it should be leads to.
fn refused(program: impl AsRef<Path>, arguments: &[&str], limits: &Limits) -> Refusal {
    let engine = engine(program, arguments);
    let refusal = engine.admit(&tenant(), &module(), limits).unwrap_err();
    // The next one is not held up by it.
    engine.admit(&"other".parse().unwrap(), &module(), limits).unwrap_err();
    refusal
}

#[test]
fn a_worker_that_ends_is_a_refused_module() {
    let check = |script: &str, code: &str, expect: &str| {
        let refusal = refused("/bin/sh", &["-c", script], &Limits::default());
        assert_eq!((refusal.code(), refusal.to_string().as_str()), (code, expect), "{script}");
    };
    check("cat > /dev/null & kill -SEGV $$", "compile_crash", "the compiler ended by signal 11 (SEGV) on this module");
    check(
        "echo memory allocation of 8388608 bytes failed >&2; kill -ABRT $$",
        "compile_crash",
        "the compiler ended by signal 6 (ABORT) on this module: memory allocation of 8388608 bytes failed; \
         build with `opt-level = \"s\"`, make the module's largest functions smaller, or raise `compile_memory_bytes_max` in the limits file",
    );
    check(
        "kill -XCPU $$",
        "compile_cpu",
        "the module is too expensive to compile: compile time limit reached: limit 10 s, current 10 s, requested 1 s; \
         build with `opt-level = \"s\"`, make its largest functions smaller, or raise `compile_cpu_s_max` in the limits file",
    );
    check(
        "echo no >&2; exit 3",
        "compile_worker",
        "could not start a worker to compile the module: the worker ended with code 3: no",
    );
    check(
        "cat > /dev/null; exit 0",
        "compile_worker",
        "could not start a worker to compile the module: the response of the worker is invalid: failed to fill whole buffer",
    );
    check(
        "cat > /dev/null; printf '\\377\\377\\377\\377'",
        "compile_worker",
        "could not start a worker to compile the module: the response of the worker is invalid: the length of a message is out of range",
    );
    let missing = refused("/nowhere/worker", &[], &Limits::default());
    assert_eq!(missing.code(), "compile_worker");
    assert!(missing.to_string().contains("/nowhere/worker: No such file"), "{missing}");
}

/// What a real worker answers to another request for the same module, in a file.
fn recorded(folder: &Path) -> PathBuf {
    let recorded = folder.join("answer");
    let record = format!("{WORKER} | tee {}", recorded.display());
    let recording = engine("/bin/sh", &["-c", &record]);
    let module = recording.admit(&tenant(), &module(), &Limits::default()).unwrap();
    assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Optimised);
    recorded
}

#[test]
fn what_a_worker_answers_is_authenticated() {
    // Whole, well formed, and under another key.
    let folder = tempfile::tempdir().unwrap();
    let replay = format!("cat {}; cat > /dev/null", recorded(folder.path()).display());
    let refusal = refused("/bin/sh", &["-c", &replay], &Limits::default());
    assert_eq!(
        refusal.to_string(),
        "could not start a worker to compile the module: the response of the worker is not authentic"
    );
}

#[test]
fn a_worker_that_hangs_is_ended() {
    // 2 s of CPU time, so 13 s of patience.
    let limits = Limits::default().with(|it| it.compile_cpu_s_max = 2);
    let engine = engine("/bin/sh", &["-c", "exec sleep 600"]);
    let started = Instant::now();
    let refusal = engine.admit(&tenant(), &module(), &limits).unwrap_err();
    assert_eq!(refusal.code(), "compile_timeout");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

/// How long the first of a worker's two answers is: its head says so in its last eight bytes.
fn first_answer_bytes(folder: &Path) -> u64 {
    let answers = std::fs::read(recorded(folder)).unwrap();
    let head = 4 + u32::from_le_bytes(answers[..4].try_into().unwrap()) as usize;
    let first = head as u64 + u64::from_le_bytes(answers[head - 8..head].try_into().unwrap());
    assert!(first < answers.len() as u64);
    first
}

#[test]
fn a_module_that_takes_too_long_to_optimise_runs_as_it_is() {
    // The first answer comes, and the second does not.
    let folder = tempfile::tempdir().unwrap();
    let first = first_answer_bytes(folder.path());
    let engine = engine("/bin/sh", &["-c", &format!("{WORKER} | head -c {first}; kill -XCPU $$")]);
    let module = engine.admit(&tenant(), &module(), &Limits::default()).unwrap();
    assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Baseline);
    assert_eq!(call(&module, &Limits::default()), 1);
}

#[test]
fn a_worker_that_optimises_has_half_of_the_time() {
    // The first answer comes, and then a worker that computes for ever, which no limit of its own ends.
    let folder = tempfile::tempdir().unwrap();
    let (first, ended) = (first_answer_bytes(folder.path()), folder.path().join("ended"));
    let spins =
        format!("trap 'echo > {}; exit' XCPU; {WORKER} | head -c {first}; while :; do :; done", ended.display());
    let engine = engine("/bin/sh", &["-c", &spins]);
    let limits = Limits::default().with(|it| it.compile_cpu_s_max = 2);
    let module = engine.admit(&tenant(), &module(), &limits).unwrap();
    assert_eq!(module.wait_optimised(Duration::from_secs(60)), Tier::Baseline);
    assert!(ended.exists(), "it was not ended by the signal for too much CPU time");
    assert_eq!(call(&module, &limits), 1);
}

/// Tries something as a worker: the signal that ended it, what it said, and what it said of errors.
fn probe(what: &[&str]) -> (Option<i32>, String, String) {
    // As the engine starts it: without a wish for backtraces, which read files.
    let output = Command::new(WORKER).env_clear().arg("probe").args(what).output().unwrap();
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    (signal, String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_worker_may_do_nothing_but_compute() {
    let (signal, said, _) = probe(&["nothing"]);
    assert_eq!(signal, None, "{said}");
    let seccomp = said.contains("system calls enforced");
    for what in ["file", "socket", "process", "thread"] {
        let (signal, said, _) = probe(&[what]);
        // What the kernel reports is what it does.
        let expect = if seccomp { (Some(31), false) } else { (None, true) };
        assert_eq!((signal, said.contains("still here")), expect, "{what}: {said}");
    }
    let (signal, said, _) = probe(&["file_without_seccomp"]);
    assert_eq!(signal, None);
    assert_eq!(said.contains("read: true"), said.starts_with("files not available"), "{said}");
    // CPU time and memory do not depend on the kernel, and an abort is one.
    assert_eq!(probe(&["spin"]).0, Some(24));
    assert_eq!(probe(&["abort"]).0, Some(6));
    let (signal, _, error) = probe(&["memory"]);
    assert!(signal == Some(6) && error.contains("memory allocation of 536870912 bytes failed"), "{signal:?} {error}");
}

/// A process of the same user, to be hurt.
#[cfg(target_os = "linux")]
struct Victim(std::process::Child);

#[cfg(target_os = "linux")]
impl Victim {
    fn start() -> Victim {
        Victim(Command::new("sleep").arg("600").spawn().unwrap())
    }

    fn id(&self) -> i64 {
        i64::from(self.0.id())
    }

    /// Everything that another process of the same user could change about it.
    fn state(&self) -> String {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", self.id())).unwrap();
        let status = read("status");
        let kept = |line: &&str| ["SigPnd:", "ShdPnd:", "Cpus_allowed:"].iter().any(|key| line.starts_with(key));
        let stat = read("stat");
        let priority: Vec<&str> = stat.split(' ').skip(17).take(2).collect();
        format!("{:?} {priority:?} {}", status.lines().filter(kept).collect::<Vec<_>>(), read("limits"))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Victim {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// Calls by which a process hurts another one of its user, reaches files and sockets, or runs code of its own.
#[cfg(target_os = "linux")]
fn calls_of_an_attacker(victim: i64, file: &str) -> Vec<(&'static str, Vec<String>)> {
    let mut calls = Vec::new();
    let mut add = |name, number: i64, arguments: &[i64]| {
        let words = std::iter::once(&number).chain(arguments).map(ToString::to_string).collect();
        calls.push((name, words));
    };
    add("tgkill of another process", libc::SYS_tgkill, &[victim, victim, 9]);
    add("tgkill with a process id of 64 bits", libc::SYS_tgkill, &[victim | 1 << 32, victim, 9]);
    add("tkill", libc::SYS_tkill, &[victim, 9]);
    add("kill", libc::SYS_kill, &[victim, 9]);
    add("kill of its group", libc::SYS_kill, &[0, 0]);
    add("rt_sigqueueinfo", libc::SYS_rt_sigqueueinfo, &[victim, 9, 0]);
    add("rt_tgsigqueueinfo", libc::SYS_rt_tgsigqueueinfo, &[victim, victim, 9, 0]);
    add("pidfd_open", libc::SYS_pidfd_open, &[victim, 0]);
    add("pidfd_send_signal", libc::SYS_pidfd_send_signal, &[0, 9, 0, 0]);
    add("pidfd_getfd", libc::SYS_pidfd_getfd, &[0, 0, 0]);
    add("fcntl F_SETOWN", libc::SYS_fcntl, &[0, i64::from(libc::F_SETOWN), victim]);
    add("fcntl F_SETOWN, upper half set", libc::SYS_fcntl, &[0, i64::from(libc::F_SETOWN) | 1 << 32, victim]);
    add("fcntl F_SETOWN_EX", libc::SYS_fcntl, &[0, 15, 0]);
    add("fcntl F_SETSIG", libc::SYS_fcntl, &[0, 10, 9]);
    add("fcntl F_SETFL", libc::SYS_fcntl, &[0, i64::from(libc::F_SETFL), i64::from(libc::O_ASYNC)]);
    add("fcntl F_SETPIPE_SZ", libc::SYS_fcntl, &[1, i64::from(libc::F_SETPIPE_SZ), 1 << 20]);
    add("fcntl F_NOTIFY", libc::SYS_fcntl, &[0, i64::from(libc::F_NOTIFY), 1]);
    add("fcntl F_SETLEASE", libc::SYS_fcntl, &[0, i64::from(libc::F_SETLEASE), 0]);
    add("prlimit64 of another process", libc::SYS_prlimit64, &[victim, 7, 0, 0]);
    add("prlimit64", libc::SYS_prlimit64, &[0, 7, 0, 0]);
    add("setpriority", libc::SYS_setpriority, &[0, victim, 19]);
    add("ioprio_set", libc::SYS_ioprio_set, &[1, victim, 3 << 13]);
    add("sched_setaffinity", libc::SYS_sched_setaffinity, &[victim, 8, 0]);
    add("sched_getaffinity of another process", libc::SYS_sched_getaffinity, &[victim, 8, 0]);
    add("sched_setscheduler", libc::SYS_sched_setscheduler, &[victim, 3, 0]);
    add("sched_setparam", libc::SYS_sched_setparam, &[victim, 0]);
    add("sched_setattr", libc::SYS_sched_setattr, &[victim, 0, 0]);
    add("setpgid", libc::SYS_setpgid, &[0, 0]);
    add("setsid", libc::SYS_setsid, &[]);
    add("ptrace", libc::SYS_ptrace, &[16, victim, 0, 0]);
    add("process_vm_readv", libc::SYS_process_vm_readv, &[victim, 0, 0, 0, 0, 0]);
    add("process_vm_writev", libc::SYS_process_vm_writev, &[victim, 0, 0, 0, 0, 0]);
    add("process_madvise", libc::SYS_process_madvise, &[0, 0, 0, 21, 0]);
    add("kcmp", libc::SYS_kcmp, &[victim, victim, 0, 0, 0]);
    add("get_robust_list", libc::SYS_get_robust_list, &[victim, 0, 0]);
    add("timer_create", libc::SYS_timer_create, &[0, 0, 0]);
    add("clone of a process", libc::SYS_clone, &[i64::from(libc::SIGCHLD), 0, 0, 0, 0]);
    add("clone of a thread", libc::SYS_clone, &[0x3d0f00, 0, 0, 0, 0]);
    add("clone3", libc::SYS_clone3, &[0, 0]);
    add("unshare", libc::SYS_unshare, &[0x10000000]);
    add("setns", libc::SYS_setns, &[0, 0]);
    add("memfd_create", libc::SYS_memfd_create, &[0, 0]);
    add("executable memory", libc::SYS_mmap, &[0, 4096, 7, 0x22, -1, 0]);
    add("executable memory, upper half set", libc::SYS_mmap, &[0, 4096, 7 | 1 << 32, 0x22, -1, 0]);
    add("shared memory", libc::SYS_mmap, &[0, 4096, 3, 0x21, -1, 0]);
    add("shared memory, validated", libc::SYS_mmap, &[0, 4096, 3, 0x23, -1, 0]);
    add("memory made executable", libc::SYS_mprotect, &[0, 0, 5]);
    add("memory made executable by a key", libc::SYS_pkey_mprotect, &[0, 0, 5, -1]);
    add("remap_file_pages", libc::SYS_remap_file_pages, &[0, 0, 0, 0, 0]);
    add("shmget", libc::SYS_shmget, &[0, 4096, 0o1600]);
    add("bpf", libc::SYS_bpf, &[0, 0, 0]);
    add("io_uring_setup", libc::SYS_io_uring_setup, &[1, 0]);
    add("userfaultfd", libc::SYS_userfaultfd, &[0]);
    add("perf_event_open", libc::SYS_perf_event_open, &[0, victim, -1, -1, 0]);
    add("keyctl", libc::SYS_keyctl, &[0, 0]);
    add("add_key", libc::SYS_add_key, &[0, 0, 0, 0, 0]);
    add("seccomp", libc::SYS_seccomp, &[1, 0, 0]);
    add("prctl", libc::SYS_prctl, &[1, 0, 0, 0, 0]);
    add("setuid", libc::SYS_setuid, &[0]);
    add("ioctl", libc::SYS_ioctl, &[0, 0x5412, 0]);
    add("inotify_init1", libc::SYS_inotify_init1, &[0]);
    add("inotify_add_watch", libc::SYS_inotify_add_watch, &[0, 0, 0]);
    add("fanotify_init", libc::SYS_fanotify_init, &[0, 0]);
    add("mount", libc::SYS_mount, &[0, 0, 0, 0, 0]);
    add("dup", libc::SYS_dup, &[1]);
    add("pipe2", libc::SYS_pipe2, &[0, 0]);
    add("sendmsg", libc::SYS_sendmsg, &[0, 0, 0]);
    add("recvmsg", libc::SYS_recvmsg, &[0, 0, 0]);
    // Sockets of every family that the kernel may have, and of kinds that connect without `connect`.
    for family in 0..=45 {
        for kind in [1, 2, 3, 5] {
            add("socket", libc::SYS_socket, &[family, kind, 0]);
        }
    }
    add("socketpair", libc::SYS_socketpair, &[1, 2, 0, 0]);
    // By path: the text's address is put in by the probe.
    let mut at = |name, number: i64, arguments: &[&str]| {
        let words = std::iter::once(number.to_string()).chain(arguments.iter().map(|&word| word.to_owned()));
        calls.push((name, words.collect()));
    };
    at("openat", libc::SYS_openat, &["-100", file, "0"]);
    at("openat2", libc::SYS_openat2, &["-100", file, "0", "24"]);
    at("fchmodat", libc::SYS_fchmodat, &["-100", file, "0"]);
    at("fchmodat2", 452, &["-100", file, "0", "0"]);
    at("fchownat", libc::SYS_fchownat, &["-100", file, "0", "0", "0"]);
    at("utimensat", libc::SYS_utimensat, &["-100", file, "0", "0"]);
    at("setxattr", libc::SYS_setxattr, &[file, "/user.a", "0", "0", "0"]);
    at("lsetxattr", libc::SYS_lsetxattr, &[file, "/user.a", "0", "0", "0"]);
    at("getxattr", libc::SYS_getxattr, &[file, "/user.a", "0", "0"]);
    at("removexattr", libc::SYS_removexattr, &[file, "/user.a"]);
    at("truncate", libc::SYS_truncate, &[file, "0"]);
    at("unlinkat", libc::SYS_unlinkat, &["-100", file, "0"]);
    at("renameat2", libc::SYS_renameat2, &["-100", file, "-100", "/tmp/other", "0"]);
    at("linkat", libc::SYS_linkat, &["-100", file, "-100", "/tmp/other", "0"]);
    at("symlinkat", libc::SYS_symlinkat, &[file, "-100", "/tmp/other"]);
    at("mkdirat", libc::SYS_mkdirat, &["-100", "/tmp/other", "511"]);
    at("mknodat", libc::SYS_mknodat, &["-100", "/tmp/other", "4480", "0"]);
    at("statx", libc::SYS_statx, &["-100", file, "0", "0", "0"]);
    at("faccessat", libc::SYS_faccessat, &["-100", file, "0"]);
    at("readlinkat", libc::SYS_readlinkat, &["-100", file, "0", "0"]);
    at("chdir", libc::SYS_chdir, &[file]);
    at("execve", libc::SYS_execve, &["/bin/true", "0", "0"]);
    at("execveat", libc::SYS_execveat, &["-100", "/bin/true", "0", "0", "0"]);
    #[cfg(target_arch = "x86_64")]
    {
        at("fork", libc::SYS_fork, &[]);
        at("vfork", libc::SYS_vfork, &[]);
        at("open", libc::SYS_open, &[file, "0"]);
        at("chmod", libc::SYS_chmod, &[file, "0"]);
        at("chown", libc::SYS_chown, &[file, "0", "0"]);
        at("stat", libc::SYS_stat, &[file, "0"]);
        at("utime", libc::SYS_utime, &[file, "0"]);
        at("unlink", libc::SYS_unlink, &[file]);
        // The same calls by the numbers of the x32 ABI.
        at("kill by x32", libc::SYS_kill | 0x4000_0000, &[&victim.to_string(), "9"]);
    }
    calls
}

#[test]
#[cfg(target_os = "linux")]
fn a_worker_that_is_taken_over_can_hurt_nobody() {
    let (_, said, _) = probe(&["nothing"]);
    let (seccomp, scopes) = (said.contains("system calls enforced"), said.contains("signals enforced"));
    let mut victim = Victim::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    let about = || format!("{} {:?}", victim.state(), std::fs::metadata(&file).unwrap());
    let before = about();
    if seccomp {
        for (name, call) in calls_of_an_attacker(victim.id(), file.to_str().unwrap()) {
            let mut what = vec!["call"];
            what.extend(call.iter().map(String::as_str));
            let (signal, said, _) = probe(&what);
            assert_eq!((signal, said.contains("answered")), (Some(31), false), "{name} {call:?}: {said}");
        }
        // What it is to have is there: its own descriptors, its own cores.
        for call in [[libc::SYS_fcntl, 1, i64::from(libc::F_GETFD)], [libc::SYS_getpid, 0, 0]] {
            let words = call.map(|word| word.to_string());
            let (signal, said, _) = probe(&["call", &words[0], &words[1], &words[2]]);
            assert!(signal.is_none() && said.contains("still here"), "{call:?}: {said}");
        }
    }
    if scopes {
        // Where the filter had a hole, signals would still not leave the worker's domain.
        let (id, eperm) = (victim.id().to_string(), format!("answered -{}\n", libc::EPERM));
        for call in [
            vec![libc::SYS_tgkill.to_string(), id.clone(), id.clone(), "9".to_owned()],
            vec![libc::SYS_tkill.to_string(), id.clone(), "9".to_owned()],
            vec![libc::SYS_kill.to_string(), id.clone(), "9".to_owned()],
        ] {
            let mut what = vec!["call_without_seccomp"];
            what.extend(call.iter().map(String::as_str));
            let (signal, said, _) = probe(&what);
            assert!(signal.is_none() && said.contains(&eperm), "{call:?}: {said}");
        }
    }
    assert_eq!(about(), before);
    assert!(victim.0.try_wait().unwrap().is_none(), "it lives");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
}

/// A `br_table` with this number of targets, all of them one block at whose end this number of locals may have been set or not.
fn joins(locals: usize, targets: usize) -> Vec<u8> {
    let each = |text: &dyn Fn(usize) -> String| (1..=locals).map(text).collect::<String>();
    let sets = each(&|local| format!("local.get 0 local.set {local} "));
    let reads = each(&|local| format!("local.get {local} i32.xor "));
    let bomb = format!(
        "(func (param i32) (result i32) (local{}) block local.get 0 br_if 0 {sets} block local.get 0 br_table {} end end i32.const 0 {reads})",
        " i32".repeat(locals),
        "1 ".repeat(targets),
    );
    wasm(
        MANIFEST,
        &format!(
            r#"(memory (export "memory") 1) (func (export "weir_call_f") (param i32) (result i32) i32.const 0) {bomb}"#
        ),
    )
}

#[test]
fn whatever_the_caps_are_raised_to_the_worker_is_ended_and_the_module_refused() {
    let mut widest = Limits::default().with(|it| {
        it.compile_cpu_s_max = 2;
        it.compile_memory_bytes_max = 256 << 20;
    });
    for cap in ModuleLimits::CAPS {
        assert!(widest.module.set(cap.key, cap.most));
    }
    assert_eq!(widest.validate(), Ok(()));
    let engine = engine(WORKER, &[]);
    for (what, module, codes) in [
        ("40,000 targets over 2,000 locals", joins(2_000, 40_000), ["compile_cpu", "compile_crash"]),
        ("900 locals at 40,000 targets", joins(900, 40_000), ["compile_cpu", "compile_crash"]),
    ] {
        let refusal = engine.admit(&tenant(), &module, &widest).expect_err(what);
        assert!(codes.contains(&refusal.code()), "{what}: {}: {refusal}", refusal.code());
        assert!(refusal.to_string().contains("in the limits file"), "{what}: {refusal}");
    }
}
