//! What a worker takes away from itself before it looks at a tenant's module.

use std::fmt;
use std::process::ExitCode;

use bincode::{Decode, Encode};
use rustix::process::{Resource, Rlimit, Signal, setpriority_process, setrlimit};

/// What a worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct WorkerLimits {
    pub(super) cpu_s_max: u64,
    pub(super) memory_bytes_max: u64,
}

/// What keeps a worker that was taken over by a module from going further. Limits of CPU time and address space are
/// always in force; these two depend on the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Confinement {
    /// No path can be opened (Landlock, Linux 5.13 and later).
    pub files: Enforced,
    /// Only the system calls of a process that computes and answers are allowed (seccomp).
    pub system_calls: Enforced,
}

/// Whether the kernel enforces something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Enforced {
    /// All of it.
    Fully,
    /// As much as this kernel knows of it.
    Partly,
    /// Nothing: the kernel does not have it.
    No,
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Enforced::Fully => "enforced",
            Enforced::Partly => "enforced in part",
            Enforced::No => "not available",
        })
    }
}

/// Puts this process behind whatever runs for queries.
pub(super) fn step_back() -> std::io::Result<()> {
    Ok(setpriority_process(None, 10)?)
}

/// Confines this process for good. Limits of resources have to be there; what the kernel may lack is reported.
pub(super) fn confine(limits: WorkerLimits) -> std::io::Result<Confinement> {
    confine_resources(limits)?;
    Ok(Confinement { files: deny_files(), system_calls: deny_system_calls() })
}

fn confine_resources(limits: WorkerLimits) -> std::io::Result<()> {
    let set = |resource, current: u64, maximum: u64| {
        setrlimit(resource, Rlimit { current: Some(current), maximum: Some(maximum) })
    };
    set(Resource::Core, 0, 0)?;
    set(Resource::Fsize, 0, 0)?;
    set(Resource::As, limits.memory_bytes_max, limits.memory_bytes_max)?;
    // The first ends the process by a signal of its own, by which its cause is known.
    set(Resource::Cpu, limits.cpu_s_max, limits.cpu_s_max.saturating_add(1))?;
    #[cfg(target_os = "linux")]
    {
        // Whoever started it has gone: nobody waits for an answer.
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
        rustix::thread::set_no_new_privs(true)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn deny_files() -> Enforced {
    use landlock::{ABI, Access, AccessFs, AccessNet, RestrictionStatus, Ruleset, RulesetAttr, RulesetStatus};
    let restrict = || -> Result<RestrictionStatus, landlock::RulesetError> {
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V5))?
            .handle_access(AccessNet::from_all(ABI::V5))?
            .create()?
            .restrict_self()
    };
    match restrict().map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => Enforced::Fully,
        Ok(RulesetStatus::PartiallyEnforced) => Enforced::Partly,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Enforced::No,
    }
}

#[cfg(target_os = "linux")]
fn deny_system_calls() -> Enforced {
    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        TargetArch,
    };
    // Computing, answering, and ending. None of them names a file, a socket or another process.
    const ALLOWED: [i64; 24] = [
        libc::SYS_read,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        // Debug builds look at a descriptor before they close it.
        libc::SYS_fcntl,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_sched_yield,
        libc::SYS_sched_getaffinity,
        libc::SYS_clock_gettime,
        libc::SYS_getrandom,
        libc::SYS_gettid,
        libc::SYS_getpid,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sigaltstack,
        libc::SYS_exit,
        libc::SYS_exit_group,
        // An abort's own signal.
        libc::SYS_tgkill,
    ];
    let install = || -> Result<(), seccompiler::Error> {
        let not_executable = || {
            let bits = u64::from(libc::PROT_EXEC.unsigned_abs());
            let condition = SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(bits), 0)?;
            SeccompRule::new(vec![condition])
        };
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
        // A worker makes code as data: it never needs to run any that was not there when it started.
        rules.insert(libc::SYS_mmap, vec![not_executable()?]);
        rules.insert(libc::SYS_mprotect, vec![not_executable()?]);
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)?;
        let program = BpfProgram::try_from(filter)?;
        seccompiler::apply_filter(&program)
    };
    if install().is_ok() { Enforced::Fully } else { Enforced::No }
}

#[cfg(not(target_os = "linux"))]
fn deny_files() -> Enforced {
    Enforced::No
}

#[cfg(not(target_os = "linux"))]
fn deny_system_calls() -> Enforced {
    Enforced::No
}

/// Confines this process as a worker, tries what a worker may not do, and says on standard output what came of it; for
/// tests, which watch how the process ends.
pub fn probe_confinement(what: &str) -> ExitCode {
    let limits = WorkerLimits { cpu_s_max: 1, memory_bytes_max: 256 << 20 };
    if let Err(error) = confine_resources(limits) {
        eprintln!("the limits could not be set: {error}");
        return ExitCode::FAILURE;
    }
    if what == "file_without_seccomp" {
        let files = deny_files();
        println!("{files}: {}", std::fs::read("/etc/passwd").is_ok());
        return ExitCode::SUCCESS;
    }
    if what == "memory" {
        let taken = vec![1_u8; 512 << 20];
        println!("took {} bytes", taken.len());
        return ExitCode::SUCCESS;
    }
    let calls = deny_system_calls();
    println!("{calls}");
    match what {
        "nothing" => {}
        "file" => drop(std::fs::read("/etc/passwd")),
        "socket" => drop(std::net::TcpListener::bind("127.0.0.1:0")),
        "process" => drop(std::process::Command::new("/bin/true").spawn()),
        "thread" => drop(std::thread::Builder::new().spawn(|| ())),
        "spin" => loop {
            std::hint::spin_loop();
        },
        other => println!("there is no probe {other:?}"),
    }
    println!("still here");
    ExitCode::SUCCESS
}
