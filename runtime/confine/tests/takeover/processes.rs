//! Against other processes of the same user.

use Expected::Killed;

use crate::attack::{ARGUMENTS, Call, Expected, UNKNOWN, call, check};
use crate::scene::{Ended, Scene};

const F_SETOWN_EX: i64 = 15;
const F_SETSIG: i64 = 10;
/// A process id with its upper half set, of which the kernel looks at the lower one.
const UPPER: i64 = 1 << 32;

fn signals(victim: i64) -> Vec<Call> {
    vec![
        call!("kill", SYS_kill, victim, 9),
        call!("kill of its group", SYS_kill, 0, 9),
        call!("kill of the victim's group", SYS_kill, -victim, 9),
        call!("kill of everybody", SYS_kill, -1, 9),
        call!("tkill", SYS_tkill, victim, 9),
        call!("rt_sigqueueinfo", SYS_rt_sigqueueinfo, victim, 9, "*"),
        call!("rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo, victim, victim, 9, "*"),
        call!("pidfd_open", SYS_pidfd_open, victim, 0),
        call!("pidfd_send_signal", SYS_pidfd_send_signal, 0, 9, 0, 0),
        call!("timer_create", SYS_timer_create, 0, "*", "*"),
    ]
}

/// Owners of descriptors get signals from the kernel.
fn owners(victim: i64) -> Vec<Call> {
    let setown = i64::from(libc::F_SETOWN);
    vec![
        call!("tgkill", SYS_tgkill, victim, victim, 9),
        call!("tgkill, upper half set", SYS_tgkill, victim | UPPER, victim, 9),
        call!("F_SETOWN", SYS_fcntl, 0, setown, victim),
        call!("F_SETOWN, upper half set", SYS_fcntl, 0, setown | UPPER, victim),
        call!("F_SETOWN_EX", SYS_fcntl, 0, F_SETOWN_EX, "*"),
        call!("F_SETSIG", SYS_fcntl, 0, F_SETSIG, 9),
        call!("F_SETFL O_ASYNC", SYS_fcntl, 0, libc::F_SETFL, libc::O_ASYNC),
        call!("F_NOTIFY", SYS_fcntl, 0, libc::F_NOTIFY, 1),
        call!("F_SETLEASE", SYS_fcntl, 0, libc::F_SETLEASE, 0),
        call!("F_SETPIPE_SZ", SYS_fcntl, 1, libc::F_SETPIPE_SZ, 1 << 20),
        call!("F_SETLKW", SYS_fcntl, 0, libc::F_SETLKW, "*"),
        call!("F_ADD_SEALS", SYS_fcntl, 0, libc::F_ADD_SEALS, 1),
        call!("ioctl FIOASYNC", SYS_ioctl, 0, 0x5452, "*"),
        call!("ioctl FIOSETOWN", SYS_ioctl, 0, 0x8901, "*"),
        call!("ioctl SIOCSPGRP", SYS_ioctl, 0, 0x8902, "*"),
        call!("ioctl TIOCSTI", SYS_ioctl, 0, 0x5412, "*"),
        call!("ioctl TIOCSTI, upper half set", SYS_ioctl, 0, 0x5412 | UPPER, "*"),
        call!("ioctl TIOCLINUX", SYS_ioctl, 0, 0x541c, "*"),
        call!("prlimit64", SYS_prlimit64, victim, 7, "*", 0),
        call!("prlimit64, to look", SYS_prlimit64, victim, 7, 0, "*"),
        call!("prlimit64 of its own limits", SYS_prlimit64, 0, 7, "*", 0),
        call!("sched_getaffinity", SYS_sched_getaffinity, victim, 8, "*"),
        call!("membarrier of all processors", SYS_membarrier, 1, 0, 0),
    ]
}

fn scheduling(victim: i64) -> Vec<Call> {
    vec![
        call!("setpriority", SYS_setpriority, 0, victim, 19),
        call!("setpriority of the user", SYS_setpriority, 2, 0, 19),
        call!("sched_setaffinity", SYS_sched_setaffinity, victim, 8, "*"),
        call!("sched_setscheduler", SYS_sched_setscheduler, victim, 3, "*"),
        call!("sched_setparam", SYS_sched_setparam, victim, "*"),
        call!("sched_setattr", SYS_sched_setattr, victim, "*", 0),
        call!("ioprio_set", SYS_ioprio_set, 1, victim, 3 << 13),
        call!("setpgid", SYS_setpgid, victim, 0),
        call!("setsid", SYS_setsid),
        call!("migrate_pages", SYS_migrate_pages, victim, 64, "*", "*"),
        call!("move_pages", SYS_move_pages, victim, 0, 0, 0, 0, 0),
        call!("get_robust_list", SYS_get_robust_list, victim, "*", "*"),
        call!("setrlimit", SYS_setrlimit, 7, "*"),
        call!("wait4", SYS_wait4, -1, 0, 1, 0),
        call!("waitid", SYS_waitid, 0, 0, "*", 5, 0),
    ]
}

fn memory_of(victim: i64) -> Vec<Call> {
    vec![
        call!("ptrace PTRACE_ATTACH", SYS_ptrace, 16, victim, 0, 0),
        call!("ptrace PTRACE_SEIZE", SYS_ptrace, 0x4206, victim, 0, 0),
        call!("ptrace PTRACE_TRACEME", SYS_ptrace, 0, 0, 0, 0),
        call!("process_vm_readv", SYS_process_vm_readv, victim, "*", 1, "*", 1, 0),
        call!("process_vm_writev", SYS_process_vm_writev, victim, "*", 1, "*", 1, 0),
        call!("process_madvise", SYS_process_madvise, 0, "*", 1, 21, 0),
        call!("process_mrelease", SYS_process_mrelease, 0, 0),
        call!("pidfd_getfd", SYS_pidfd_getfd, 0, 0, 0),
        call!("kcmp", SYS_kcmp, victim, victim, 0, 0, 0),
        call!("perf_event_open", SYS_perf_event_open, "*", victim, -1, -1, 0),
    ]
}

/// A new process would be another one to hide in; threads are its own.
fn children() -> Vec<Call> {
    let child = i64::from(libc::SIGCHLD);
    let thread = 0x003d_0f00_i64;
    vec![
        call!("clone of a process", SYS_clone, child, 0, 0, 0, 0),
        call!("clone with a shared memory", SYS_clone, child | i64::from(libc::CLONE_VM), 0, 0, 0, 0),
        call!("clone as vfork", SYS_clone, child | i64::from(libc::CLONE_VM | libc::CLONE_VFORK), 0, 0, 0, 0),
        call!("clone with a new user namespace", SYS_clone, child | i64::from(libc::CLONE_NEWUSER), 0, 0, 0, 0),
        call!("clone of a traced thread", SYS_clone, thread | i64::from(libc::CLONE_PTRACE), "*", 0, 0, 0),
        call!("clone of a thread in a mount namespace", SYS_clone, thread | i64::from(libc::CLONE_NEWNS), "*", 0, 0, 0),
        call!("clone of a sibling", SYS_clone, thread | i64::from(libc::CLONE_PARENT), "*", 0, 0, 0),
    ]
}

#[test]
fn other_processes_are_out_of_reach() {
    Scene::each(|scene| {
        for victim in scene.victims() {
            check(scene, UNKNOWN, signals(victim));
            check(scene, ARGUMENTS, owners(victim));
            check(scene, UNKNOWN, scheduling(victim));
            check(scene, Killed, memory_of(victim));
        }
        check(scene, ARGUMENTS, children());
        check(scene, UNKNOWN, vec![call!("clone3", SYS_clone3, "*", 88)]);
        #[cfg(target_arch = "x86_64")]
        check(scene, UNKNOWN, vec![call!("fork", SYS_fork), call!("vfork", SYS_vfork)]);
    });
}

/// What is left when the filter of system calls has a hole.
#[test]
fn landlock_alone_keeps_signals_from_other_processes() {
    Scene::each(|scene| {
        for victim in scene.victims() {
            let signals = [
                call!("tgkill", SYS_tgkill, victim, victim, 9),
                call!("tkill", SYS_tkill, victim, 9),
                call!("kill", SYS_kill, victim, 9),
                call!("rt_sigqueueinfo", SYS_rt_sigqueueinfo, victim, 9, "*"),
            ];
            for Call { name, mut words } in signals {
                words.insert(0, "call".to_owned());
                let open = scene.worker().with("without", "seccomp");
                let ended: Ended = open.run(&words);
                if ended.said.contains("landlock-scopes enforced") {
                    assert_eq!(ended.answer(), Some(-i64::from(libc::EPERM)), "{name}: {ended:?}");
                    scene.check_unchanged(&name);
                }
            }
        }
    });
}
