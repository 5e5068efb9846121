//! What is left to a confined process, and when it is not confined.

use std::fs::{self, File};
use std::os::fd::AsRawFd;

use expect_test::{Expect, expect};

use crate::attack::call;
use crate::scene::{Scene, Victim, Worker};

#[test]
fn a_worker_does_its_work() {
    Scene::each(|scene| {
        let ended = scene.worker().run(&["work", &scene.text("mine")]);
        assert!(ended.said.contains("all of it"), "{ended:?}");
        let ended = scene.worker().run(&["abort"]);
        assert_eq!(ended.signal, Some(libc::SIGABRT), "{ended:?}");
        let ended = scene.worker().run(&["panic"]);
        assert!(ended.signal == Some(libc::SIGABRT) && ended.error.contains("as guests make it happen"), "{ended:?}");
    });
}

#[test]
fn a_call_in_no_list_is_named_where_that_is_asked_for() {
    Scene::each(|scene| {
        let strict = || scene.worker().with("unknown", "end");
        let ended = strict().run(&["work", &scene.text("mine")]);
        assert!(ended.said.contains("all of it"), "{ended:?}");
        // A call that libraries do without, and one that is in no list.
        for (number, name) in [(libc::SYS_memfd_create, "memfd_create"), (libc::SYS_sethostname, "sethostname")] {
            let ended = strict().run(&["call", &number.to_string(), "*", "0"]);
            assert!(!ended.error.contains("unknown system call"), "{name}: {ended:?}");
        }
        let ended = strict().run(&["call", &libc::SYS_inotify_init1.to_string(), "0"]);
        let line = format!("unknown system call {:06}", libc::SYS_inotify_init1);
        assert!(ended.signal == Some(libc::SIGABRT) && ended.error.contains(&line), "{ended:?}");
    });
}

/// What the kernel says of a confined process.
fn status(process: u32) -> String {
    let keys = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp:", "Groups", "Threads"];
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let lines = status.lines().filter(|line| keys.iter().any(|key| line.starts_with(key)));
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn privileges_are_gone() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let check = |uid: Option<u32>, expected: Expect| {
        let victim = Victim::start(Worker::new(uid));
        let id = victim.0.id();
        let file = |name: &str| fs::read_to_string(format!("/proc/{id}/{name}")).unwrap();
        let limits = file("limits");
        let kept = ["Max core", "Max locked", "Max nice", "Max realtime priority", "Max open files", "Max data size"];
        let limits = limits.lines().filter(|line| kept.iter().any(|key| line.starts_with(key)));
        let limits =
            limits.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect::<String>();
        let ids = file("status").lines().find(|line| line.starts_with("Uid")).unwrap().replace('\t', " ");
        expected.assert_eq(&format!("{}{ids}\noom_score_adj {}{limits}", status(id), file("oom_score_adj")));
    };
    check(
        Some(65_534),
        expect![[r#"
        Groups:
        Threads: 1
        CapInh: 0000000000000000
        CapPrm: 0000000000000000
        CapEff: 0000000000000000
        CapBnd: 0000000000000000
        CapAmb: 0000000000000000
        NoNewPrivs: 1
        Seccomp: 2
        Uid: 65534 65534 65534 65534
        oom_score_adj 500
        Max data size 67108864 67108864 bytes
        Max core file size 0 0 bytes
        Max open files 64 64 files
        Max locked memory 0 0 bytes
        Max nice priority 0 0
        Max realtime priority 0 0
    "#]],
    );
    check(
        None,
        expect![[r#"
        Groups:
        Threads: 1
        CapInh: 0000000000000000
        CapPrm: 0000000000000000
        CapEff: 0000000000000000
        CapBnd: 0000000000000000
        CapAmb: 0000000000000000
        NoNewPrivs: 1
        Seccomp: 2
        Uid: 0 0 0 0
        oom_score_adj 500
        Max data size 67108864 67108864 bytes
        Max core file size 0 0 bytes
        Max open files 64 64 files
        Max locked memory 0 0 bytes
        Max nice priority 0 0
        Max realtime priority 0 0
    "#]],
    );
}

#[test]
fn inherited_descriptors_are_closed_but_for_those_that_are_named() {
    Scene::each(|scene| {
        let file = File::open(scene.path("registry/file")).unwrap();
        // Not closed on exec: other processes that tests start meanwhile inherit it, too, and close it.
        let inherited = rustix::io::dup(&file).unwrap();
        let number = inherited.as_raw_fd();
        let read = call!("", SYS_read, number, "*", 8);
        let mut words = vec!["call".to_owned()];
        words.extend(read.words);
        let closed = scene.worker().run(&words);
        assert_eq!(closed.answer(), Some(-i64::from(libc::EBADF)), "{closed:?}");
        let kept = scene.worker().with("keep", number).run(&words);
        assert_eq!(kept.answer(), Some(8), "{kept:?}");
    });
}

#[test]
fn a_process_that_cannot_be_confined_says_why() {
    let scene = Scene::new(None);
    let check = |worker: Worker, action: &str, expected: Expect| {
        let ended = worker.run(&[action]);
        let said = ended.said.replace(&std::process::id().to_string(), "PARENT");
        expected.assert_eq(&said.replace(scene.path("").to_str().unwrap(), "FOLDER/"));
    };
    check(
        Worker::new(None),
        "thread_first",
        expect![[r#"
        2 threads run: a process must be confined before it starts a second one
    "#]],
    );
    check(
        Worker::new(None).with("parent", 1),
        "nothing",
        expect![[r#"
        the parent of this process is PARENT: expected process 1
    "#]],
    );
    check(
        Worker::new(None).read(scene.path("nowhere")),
        "nothing",
        expect![[r#"
        FOLDER/nowhere cannot be opened
    "#]],
    );
    if rustix::process::geteuid().is_root() {
        check(
            Worker::new(None).with("uid", u32::MAX),
            "nothing",
            expect![[r#"
            cannot change the user and group id
        "#]],
        );
    }
}
