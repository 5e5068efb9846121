//! Code of its own, memory that nobody counts, and floods.

use Expected::{Harmless, Killed, Refused};

use crate::attack::{ARGUMENTS, Expected, UNKNOWN, call, check};
use crate::scene::Scene;
use crate::worker::ADDRESS_SPACE_BYTES;

const UPPER: i64 = 1 << 32;

#[test]
fn no_memory_becomes_executable() {
    Scene::each(|scene| {
        let calls = vec![
            call!("mmap RWX", SYS_mmap, 0, 4096, 7, 0x22, -1, 0),
            call!("mmap RX", SYS_mmap, 0, 4096, 5, 0x22, -1, 0),
            call!("mmap X", SYS_mmap, 0, 4096, 4, 0x22, -1, 0),
            call!("mmap RWX, upper half set", SYS_mmap, 0, 4096, 7 | UPPER, 0x22, -1, 0),
            call!("mmap RX of a descriptor", SYS_mmap, 0, 4096, 5, 2, 0, 0),
            call!("mprotect RX", SYS_mprotect, 0, 4096, 5),
            call!("mprotect RWX", SYS_mprotect, 0, 4096, 7),
            call!("mprotect RX, growing", SYS_mprotect, 0, 4096, 5 | 0x0100_0000),
            call!("mmap shared and anonymous", SYS_mmap, 0, 4096, 3, 0x21, -1, 0),
            call!("mmap shared, validated, and anonymous", SYS_mmap, 0, 4096, 3, 0x23, -1, 0),
        ];
        check(scene, ARGUMENTS, calls);
        let unknown = vec![
            call!("pkey_mprotect", SYS_pkey_mprotect, 0, 4096, 5, -1),
            call!("pkey_alloc", SYS_pkey_alloc, 0, 0),
            call!("remap_file_pages", SYS_remap_file_pages, 0, 4096, 5, 0, 0),
            call!("memfd_create", SYS_memfd_create, "/name", 0),
            call!("memfd_secret", =447, 0),
            call!("shmget", SYS_shmget, 0, 4096, 0o1700),
            call!("shmat", SYS_shmat, 0, 0, 0o100_000),
            call!("shmctl", SYS_shmctl, 0, 0, 0),
            call!("mlock", SYS_mlock, "*", 4096),
            call!("mlockall", SYS_mlockall, 3),
            call!("mincore", SYS_mincore, 0, 4096, "*"),
            call!("mbind", SYS_mbind, 0, 4096, 1, "*", 64, 0),
            call!("map_shadow_stack", =453, 0, 4096, 0),
        ];
        check(scene, UNKNOWN, unknown);
        check(
            scene,
            Killed,
            vec![
                call!("userfaultfd", SYS_userfaultfd, 0),
                call!("personality READ_IMPLIES_EXEC", SYS_personality, 0x0040_0000),
            ],
        );
        let file = scene.text("mine/code");
        for action in [&["mmap_file", file.as_str()][..], &["written_code"], &["writable_code"]] {
            let ended = scene.worker().run(action);
            assert_eq!(ended.answer(), Some(-i64::from(libc::EPERM)), "{action:?}: {ended:?}");
        }
    });
}

/// The kernel refuses what the filter of system calls would let through by a hole.
#[test]
fn mdwe_alone_keeps_what_was_written_from_being_run() {
    Scene::each(|scene| {
        for action in ["written_code", "writable_code"] {
            let ended = scene.worker().with("without", "seccomp").run(&[action]);
            if ended.said.contains("mdwe enforced") {
                assert_eq!(ended.answer(), Some(-i64::from(libc::EACCES)), "{action}: {ended:?}");
            }
        }
    });
}

#[test]
fn the_code_window_is_run_and_not_changed() {
    Scene::each(|scene| {
        for (how, signal, answer) in [
            ("run", None, Some(7)),
            ("write", Some(libc::SIGSEGV), None),
            ("protect_write", None, Some(-libc::EACCES)),
            ("protect_all", None, Some(-libc::EPERM)),
            ("protect_back", None, Some(-libc::EPERM)),
            ("punch", None, Some(-libc::EACCES)),
            ("reopen", None, Some(-libc::EPERM)),
            // A descriptor that somebody forgot to close cannot be used.
            ("write_by_descriptor", None, Some(-libc::EPERM)),
            ("resize_by_descriptor", None, Some(-libc::EPERM)),
            ("map_by_descriptor", None, Some(-libc::EPERM)),
        ] {
            let ended = scene.worker().with("keep_window", true).run(&["window", how]);
            assert_eq!((ended.signal, ended.answer()), (signal, answer.map(i64::from)), "{how}: {ended:?}");
        }
    });
}

/// Data: 64 MiB, addresses: 512 MiB, a file: 1 MiB, descriptors: 64.
#[test]
fn floods_end_at_their_limits() {
    Scene::each(|scene| {
        let within = |action: &str, least: i64, most: i64| {
            let ended = scene.worker().run(&[action]);
            let answer = ended.answer();
            assert!(answer.is_some_and(|answer| (least..=most).contains(&answer)), "{action}: {ended:?}");
        };
        // A thread of Rust takes 2 MiB of data.
        within("threads", 8, 32);
        within("descriptors", 50, 61);
        // Mapped to be read only: they cost page tables, and are no data.
        within("addresses", 1, i64::try_from(ADDRESS_SPACE_BYTES >> 26).unwrap());
        let ended = scene.worker().run(&["memory"]);
        assert!(ended.signal == Some(libc::SIGABRT) && ended.error.contains("memory allocation of"), "{ended:?}");
        let ended = scene.worker().run(&["file_size", &scene.text("mine/large")]);
        assert_eq!((ended.signal, ended.answer()), (None, Some(i64::from(libc::EFBIG))), "{ended:?}");
        assert_eq!(std::fs::metadata(scene.path("mine/large")).unwrap().len(), 1 << 20);
        scene.check_unchanged("floods");
    });
}

#[test]
fn queues_and_semaphores_are_nobodys() {
    Scene::each(|scene| {
        let calls = vec![
            call!("semget", SYS_semget, 0, 1, 0o1600),
            call!("semop", SYS_semop, 0, "*", 1),
            call!("semtimedop", SYS_semtimedop, 0, "*", 1, 0),
            call!("semctl", SYS_semctl, 0, 0, 0, 0),
            call!("msgget", SYS_msgget, 0, 0o1600),
            call!("msgsnd", SYS_msgsnd, 0, "*", 1, 0),
            call!("msgrcv", SYS_msgrcv, 0, "*", 1, 0, 0),
            call!("msgctl", SYS_msgctl, 0, 0, 0),
            call!("mq_open", SYS_mq_open, "/queue", 0o102, 0o600, 0),
            call!("mq_unlink", SYS_mq_unlink, "/queue"),
            call!("mq_notify", SYS_mq_notify, 0, "*"),
        ];
        check(scene, UNKNOWN, calls);
        check(
            scene,
            Refused(&[libc::EFAULT, libc::EINVAL]),
            vec![call!("futex at no address", SYS_futex, 1, 0, 0, 0, 0, 0)],
        );
        check(scene, Harmless, vec![call!("madvise of nothing", SYS_madvise, 0, 0, 4)]);
    });
}
