//! What a worker takes away from itself before it looks at a tenant's module.

use std::fmt;

use bincode::{Decode, Encode};
use rustix::process::{Resource, Rlimit, Signal, setpriority_process, setrlimit};

/// What a worker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(super) struct WorkerLimits {
    pub(super) cpu_s_max: u64,
    pub(super) memory_bytes_max: u64,
}

/// What keeps a worker that was taken over by a module from going further. Limits of CPU time and address space are
/// always in force; these depend on the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub struct Confinement {
    /// No path can be opened (Landlock, Linux 5.13 and later).
    pub files: Enforced,
    /// No process outside can be sent a signal, by whatever call, and no abstract socket reached (Landlock's scopes,
    /// Linux 6.12 and later). Without them the system calls that send signals are denied still.
    pub signals: Enforced,
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
    Ok(Confinement { files: deny_files(), signals: deny_signals(), system_calls: deny_system_calls() })
}

pub(super) fn confine_resources(limits: WorkerLimits) -> std::io::Result<()> {
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
pub(super) fn deny_files() -> Enforced {
    use landlock::{ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr};
    restrict(|| {
        Ruleset::default().handle_access(AccessFs::from_all(ABI::V5))?.handle_access(AccessNet::from_all(ABI::V5))
    })
}

#[cfg(target_os = "linux")]
pub(super) fn deny_signals() -> Enforced {
    use landlock::{ABI, Access, Ruleset, RulesetAttr, Scope};
    restrict(|| Ruleset::default().scope(Scope::from_all(ABI::V6)))
}

/// Enters a domain of Landlock in which nothing of what the rules name is allowed.
#[cfg(target_os = "linux")]
fn restrict(rules: impl FnOnce() -> Result<landlock::Ruleset, landlock::RulesetError>) -> Enforced {
    use landlock::{RestrictionStatus, RulesetStatus};
    let restrict = || -> Result<RestrictionStatus, landlock::RulesetError> { rules()?.create()?.restrict_self() };
    match restrict().map(|status| status.ruleset) {
        Ok(RulesetStatus::FullyEnforced) => Enforced::Fully,
        Ok(RulesetStatus::PartiallyEnforced) => Enforced::Partly,
        Ok(RulesetStatus::NotEnforced) | Err(_) => Enforced::No,
    }
}

#[cfg(target_os = "linux")]
pub(super) fn deny_system_calls() -> Enforced {
    use std::collections::BTreeMap;

    use seccompiler::SeccompCmpArgLen::{Dword, Qword};
    use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
    };
    // Computing, answering, and ending. With any arguments, none of them names a file, a socket, another process or
    // another thread's settings.
    const ALLOWED: [i64; 21] = [
        libc::SYS_read,
        libc::SYS_pread64,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_brk,
        libc::SYS_futex,
        libc::SYS_sched_yield,
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
    ];
    let install = || -> Result<(), seccompiler::Error> {
        let when = |argument, length, operator: SeccompCmpOp, value: u64| {
            SeccompCondition::new(argument, length, operator, value)
        };
        let rule = |conditions| SeccompRule::new(conditions);
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.into_iter().map(|call| (call, Vec::new())).collect();
        // A worker makes code as data: it never needs to run any that was not there when it started. What it maps is its
        // own: nothing that is shared counts against another process's limits.
        let executable = u64::from(libc::PROT_EXEC.unsigned_abs());
        let shared = u64::from(libc::MAP_SHARED.unsigned_abs());
        rules.insert(
            libc::SYS_mmap,
            vec![rule(vec![when(2, Dword, MaskedEq(executable), 0)?, when(3, Dword, MaskedEq(shared), 0)?])?],
        );
        rules.insert(libc::SYS_mprotect, vec![rule(vec![when(2, Dword, MaskedEq(executable), 0)?])?]);
        // An abort's own signal: to this process and to no other.
        let own = u64::from(std::process::id());
        rules.insert(libc::SYS_tgkill, vec![rule(vec![when(0, Dword, Eq, own)?])?]);
        // Debug builds look at a descriptor before they close it. Other commands name processes that the kernel signals.
        let looks = [libc::F_GETFD, libc::F_GETFL].map(|command| u64::from(command.unsigned_abs()));
        let looks = looks.map(|command| when(1, Dword, Eq, command).and_then(|when| rule(vec![when])));
        rules.insert(libc::SYS_fcntl, looks.into_iter().collect::<Result<_, _>>()?);
        // Its own cores, not those of another.
        rules.insert(libc::SYS_sched_getaffinity, vec![rule(vec![when(0, Qword, Eq, 0)?])?]);
        let arch = TargetArch::try_from(std::env::consts::ARCH)?;
        let filter = SeccompFilter::new(rules, SeccompAction::KillProcess, SeccompAction::Allow, arch)?;
        let program = BpfProgram::try_from(filter)?;
        seccompiler::apply_filter(&program)
    };
    if install().is_ok() { Enforced::Fully } else { Enforced::No }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn deny_files() -> Enforced {
    Enforced::No
}

#[cfg(not(target_os = "linux"))]
pub(super) fn deny_signals() -> Enforced {
    Enforced::No
}

#[cfg(not(target_os = "linux"))]
pub(super) fn deny_system_calls() -> Enforced {
    Enforced::No
}
