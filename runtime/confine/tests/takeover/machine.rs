//! Against the kernel and the machine.

use Expected::Killed;

use crate::attack::{Expected, UNKNOWN, call, check};
use crate::scene::Scene;

#[test]
fn what_no_worker_needs_ends_it() {
    Scene::each(|scene| {
        let calls = vec![
            call!("io_uring_setup", SYS_io_uring_setup, 1, "*"),
            call!("io_uring_enter", SYS_io_uring_enter, 0, 1, 0, 0, 0, 0),
            call!("io_uring_register", SYS_io_uring_register, -1, 0, 0, 0),
            call!("bpf", SYS_bpf, 0, "*", 72),
            call!("keyctl", SYS_keyctl, 0, -3, 0),
            call!("add_key", SYS_add_key, "/user", "/name", "*", 1, -3),
            call!("request_key", SYS_request_key, "/user", "/name", 0, 0),
            call!("unshare of users", SYS_unshare, libc::CLONE_NEWUSER),
            call!("unshare of mounts", SYS_unshare, libc::CLONE_NEWNS),
            call!("setns", SYS_setns, 0, 0),
            call!("mount", SYS_mount, "/none", scene.text("mine"), "/tmpfs", 0, 0),
            call!("umount2", SYS_umount2, scene.text("mine"), 2),
            call!("fsopen", SYS_fsopen, "/tmpfs", 0),
            call!("open_tree", SYS_open_tree, -100, scene.text("mine"), 1),
            call!("move_mount", SYS_move_mount, 0, "*", 0, "*", 0),
            call!("mount_setattr", SYS_mount_setattr, -100, scene.text("mine"), 0, "*", 32),
            call!("pivot_root", SYS_pivot_root, scene.text("mine"), scene.text("mine")),
            call!("setuid", SYS_setuid, 0),
            call!("setgid", SYS_setgid, 0),
            call!("setreuid", SYS_setreuid, 0, 0),
            call!("setresuid", SYS_setresuid, 0, 0, 0),
            call!("setresgid", SYS_setresgid, 0, 0, 0),
            call!("setgroups", SYS_setgroups, 1, "*"),
            call!("setfsuid", SYS_setfsuid, 0),
            call!("capset", SYS_capset, "*", "*"),
            call!("init_module", SYS_init_module, "*", 1, "/"),
            call!("finit_module", SYS_finit_module, 0, "/", 0),
            call!("delete_module", SYS_delete_module, "/none", 0),
            call!("kexec_load", SYS_kexec_load, 0, 0, 0, 0),
            // Without its magic numbers it would be refused, whoever calls.
            call!("reboot", SYS_reboot, 0, 0, 0, 0),
            call!("swapon", SYS_swapon, scene.text("mine/file"), 0),
            call!("acct", SYS_acct, 0),
            call!("quotactl", SYS_quotactl, 0, 0, 0, 0),
            call!("syslog", SYS_syslog, 3, "*", 100),
            call!("sethostname", SYS_sethostname, "/name", 4),
            call!("settimeofday", SYS_settimeofday, 0, 0),
            call!("clock_settime", SYS_clock_settime, 99, "*"),
            call!("adjtimex", SYS_adjtimex, "*"),
        ];
        check(scene, Killed, calls);
        let ended = scene.worker().run(&["i386"]);
        assert_eq!((ended.signal, ended.answer()), (Some(libc::SIGSYS), None), "{ended:?}");
    });
}

#[test]
fn what_nobody_listed_does_not_exist() {
    Scene::each(|scene| {
        let mut calls = vec![
            call!("seccomp", SYS_seccomp, 1, 0, "*"),
            call!("landlock_create_ruleset", SYS_landlock_create_ruleset, 0, 0, 1),
            call!("prctl PR_SET_PDEATHSIG", SYS_prctl, 1, 0, 0, 0, 0),
            call!("prctl PR_SET_DUMPABLE", SYS_prctl, 4, 1, 0, 0, 0),
            call!("prctl PR_SET_SECCOMP", SYS_prctl, 22, 2, "*", 0, 0),
            call!("prctl PR_SET_MM", SYS_prctl, 35, 1, 0, 0, 0),
            call!("prctl PR_SET_CHILD_SUBREAPER", SYS_prctl, 36, 1, 0, 0, 0),
            call!("prctl PR_SET_PTRACER", SYS_prctl, 0x5961_6d61, -1, 0, 0, 0),
            call!("prctl PR_SET_SPECULATION_CTRL", SYS_prctl, 53, 0, 2, 0, 0),
            call!("prctl PR_SCHED_CORE", SYS_prctl, 62, 1, 0, 0, 0),
            call!("prctl PR_SET_SYSCALL_USER_DISPATCH", SYS_prctl, 59, 1, 0, 0, 0),
            call!("sync", SYS_sync),
            call!("syncfs", SYS_syncfs, 0),
            call!("splice", SYS_splice, 0, 0, 1, 0, 1, 0),
            call!("vmsplice", SYS_vmsplice, 1, "*", 1, 0),
            call!("tee", SYS_tee, 0, 1, 1, 0),
            call!("sendfile", SYS_sendfile, 1, 0, 0, 1),
            call!("copy_file_range", SYS_copy_file_range, 0, 0, 1, 0, 1, 0),
            call!("io_setup", SYS_io_setup, 1, "*"),
            call!("timerfd_create", SYS_timerfd_create, 0, 0),
            call!("signalfd4", SYS_signalfd4, -1, "*", 8, 0),
            call!("setitimer", SYS_setitimer, 0, "*", 0),
            call!("readahead", SYS_readahead, 0, 0, 4096),
            call!("futex_waitv", SYS_futex_waitv, "*", 1, 0, 0, 0),
            call!("umask", SYS_umask, 0),
            call!("cachestat", =451, 0, "*", "*", 0),
            call!("a call of a later kernel", =1_000),
            call!("a call without a number", =-1),
        ];
        // The numbers of the x32 ABI are those of the processor with one bit set.
        #[cfg(target_arch = "x86_64")]
        {
            const X32: i64 = 0x4000_0000;
            let victim = scene.victims()[0];
            calls.extend([
                call!("x32 kill", =X32 | libc::SYS_kill, victim, 9),
                call!("x32 tgkill", =X32 | libc::SYS_tgkill, victim, victim, 9),
                call!("x32 socket", =X32 | libc::SYS_socket, 2, 1, 0),
                call!("x32 open", =X32 | libc::SYS_openat, -100, "/etc/passwd", 0),
                call!("x32 mmap", =X32 | libc::SYS_mmap, 0, 4096, 7, 0x22, -1, 0),
                call!("x32 ptrace", =X32 | 521, 16, victim, 0, 0),
                call!("x32 execve", =X32 | 520, "/bin/true", 0, 0),
            ]);
        }
        check(scene, UNKNOWN, calls);
    });
}
