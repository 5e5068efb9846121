//! How workers start and end.

use std::time::Duration;

use expect_test::{Expect, expect};
use weir_frame::{FromWorker, QueryId, RequestId, Steering, ToWorker, WorkerRole};
use weir_tenancy::{EndCause, TenancyError, TenancyEvent, WaitReason, WorkerState};

use crate::support::{Stage, is_alive, lines};

/// What comes of a process that takes these steps and, where it takes queries, has query 5.
fn check(steps: &str, expected: Expect) {
    let stage = Stage::with(|settings| {
        settings.crashes_max = 1;
    });
    let worker = stage.start("acme", steps);
    if steps.contains("take") {
        stage.run(worker, 5);
    }
    let ended = stage.until_ended();
    expected.assert_eq(&ended);
}

#[test]
fn every_end_is_told_with_what_was_held_and_said() {
    check(
        "hello take:1 say:one say:two abort",
        expect![[r#"acme: ended by signal 6 (ABORT); held [5]; Quarantine; "one\ntwo\n""#]],
    );
    check("hello take:1 signal:9", expect![[r#"acme: ended by signal 9 (KILL); held [5]; Quarantine; """#]]);
    check("hello say:deep signal:4", expect![[r#"acme: ended by signal 4 (ILL); held []; Quarantine; "deep\n""#]]);
    check(
        "hello take:1 signal:31",
        expect![[r#"acme: intrusion: it made a system call that no worker makes; held [5]; Quarantine; """#]],
    );
    check("hello exit:3", expect![[r#"acme: ended by itself with code 3; held []; Quarantine; """#]]);
    check("hello exit:0", expect![[r#"acme: ended by itself with code 0; held []; Gone; """#]]);
    check("hello take:1 exit:0", expect![[r#"acme: ended by itself with code 0; held [5]; Quarantine; """#]]);
    check(
        "hello take:1 garbage hang",
        expect![[r#"acme: was ended: it sent a frame of the unknown kind 4294967295; held [5]; Quarantine; """#]],
    );
    check(
        "hello half",
        expect![[
            r#"acme: was ended: it sent the socket ended within a frame, after 9 bytes of it; held []; Quarantine; """#
        ]],
    );
    check(
        "early hang",
        expect![[r#"acme: was ended: it sent a frame Work out of turn: before Hello; held []; Quarantine; """#]],
    );
    check(
        "hello again hang",
        expect![[r#"acme: was ended: it sent a frame Hello out of turn: it came before; held []; Quarantine; """#]],
    );
    check("hello close hang", expect![[r#"acme: was ended: it closed its control socket; held []; Quarantine; """#]]);
    check("hello take:1 close abort", expect![[r#"acme: ended by signal 6 (ABORT); held [5]; Quarantine; """#]]);
    check(
        "part:no_line_end abort",
        expect![[r#"acme: ended by signal 6 (ABORT); held []; Quarantine; "no_line_end""#]],
    );
    check(
        "hello starve",
        expect![[
            r#"acme: ended for want of memory; held []; Quarantine; "memory allocation of 67108864 bytes failed\nnote: run with `RUST_BACKTRACE=1` environment variable to display a backtrace\n""#
        ]],
    );
    check(
        "hello say:\u{1b}[31mred abort",
        expect![[r#"acme: ended by signal 6 (ABORT); held []; Quarantine; "\\u{1b}[31mred\n""#]],
    );
    check(
        "nonsense",
        expect![[r#"acme: ended by itself with code 1; held []; Quarantine; "no such step: nonsense\n""#]],
    );
}

#[test]
fn processes_that_hang_are_ended() {
    // It was given a query and does not answer.
    let stage = |change: fn(&mut weir_tenancy::TenancySettings)| {
        Stage::with(|settings| {
            settings.crashes_max = 1;
            settings.worker_stall_ms_max = 200;
            change(settings);
        })
    };
    let cause = |stage: &Stage| {
        stage.until(|event| match event {
            TenancyEvent::Ended { cause, .. } => Some(cause),
            _ => None,
        })
    };
    let unanswered = stage(|_| {});
    let worker = unanswered.start("a", "hello hang");
    unanswered.run(worker, 1);
    assert!(matches!(cause(&unanswered), EndCause::Stalled { for_ms: 200.. }));
    // It holds work, and does none of it.
    let holding = stage(|_| {});
    holding.start("a", "hello held:3 hang");
    assert!(matches!(cause(&holding), EndCause::Stalled { for_ms: 200.. }));
    // It began a frame.
    let beginning = stage(|_| {});
    beginning.start("a", "hello half hang");
    assert!(matches!(cause(&beginning), EndCause::Stalled { .. }));
    // It says nothing at all.
    let silent = stage(|settings| settings.hello_ms_max = 100);
    silent.start("a", "hang");
    assert_eq!(cause(&silent), EndCause::Silent);
    // It holds nothing: it may do nothing for as long as it likes, as may one that works all the time.
    let idle = stage(|settings| settings.worker_stall_ms_max = 1_500);
    let worker = idle.start("a", "hello take:1 work:100 say:done serve");
    idle.run(worker, 1);
    let line = idle.until(|event| match event {
        TenancyEvent::Line { line, .. } => Some(line.take()),
        TenancyEvent::Ended { cause, .. } => panic!("{cause}"),
        _ => None,
    });
    assert!(line.ends_with("Z a/1: done"), "{line}");
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_millis(2_000) {
        assert_eq!(idle.status(worker).state, WorkerState::Running);
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_thread_bomb_is_ended() {
    let stage = Stage::with(|settings| settings.crashes_max = 1);
    let mut spec = stage.spec("a", "hello threads:40");
    spec.threads_max = 30;
    stage.supervisor.start(spec).unwrap();
    let cause = stage.until(|event| match event {
        TenancyEvent::Ended { cause, .. } => Some(cause),
        _ => None,
    });
    assert!(matches!(cause, EndCause::TooManyThreads { threads: 31.., threads_max: 30 }), "{cause:?}");
}

#[test]
fn a_crash_is_followed_by_another_start_with_the_same_queries() {
    let stage = Stage::new();
    let count = stage.folder.path().join("count");
    let worker = stage.start("acme", &format!("hello take:2 until:{}:3 serve", count.display()));
    stage.run(worker, 5);
    stage.run(worker, 6);
    expect![[r#"
        acme: ended by signal 6 (ABORT); held [5, 6]; Restart { in_ms: 1 }; ""
        acme: ended by signal 6 (ABORT); held [5, 6]; Restart { in_ms: 2 }; ""
        acme: ended by signal 6 (ABORT); held [5, 6]; Restart { in_ms: 4 }; ""
    "#]]
    .assert_eq(&lines((0..3).map(|_| stage.until_ended())));
    let mut started = 0;
    stage.until(|event| {
        started += usize::from(
            matches!(event, TenancyEvent::Frame { ref frame, .. } if matches!(**frame, FromWorker::Started { .. })),
        );
        (started == 2).then_some(())
    });
    let status = stage.status(worker);
    assert_eq!((status.restarts, status.state), (3, WorkerState::Running));
    assert_eq!(status.queries, [QueryId(5), QueryId(6)]);
    // What has ended is not given to the next process.
    stage.supervisor.send(worker, ToWorker::Steer { query: QueryId(5), steering: Steering::Stop }).unwrap();
    stage.until(|event| match event {
        TenancyEvent::Frame { frame, .. } => matches!(*frame, FromWorker::Ended { .. }).then_some(()),
        _ => None,
    });
    assert_eq!(stage.status(worker).queries, [QueryId(6)]);
}

#[test]
fn a_query_that_was_asked_to_stop_is_not_started_again() {
    let stage = Stage::new();
    let count = stage.folder.path().join("count");
    let worker = stage.start("acme", &format!("hello take:2 spin:200 until:{}:1 serve", count.display()));
    stage.run(worker, 5);
    stage.run(worker, 6);
    stage.until_started();
    stage.until_started();
    // The process is at work, or has aborted already: either way nobody answers.
    let stop = ToWorker::Steer { query: QueryId(5), steering: Steering::Stop };
    stage.supervisor.send(worker, stop).unwrap();
    stage.until_ended();
    // The next process waits for a second query, which is not the one that was stopped.
    stage.run(worker, 7);
    assert_eq!([stage.until_started(), stage.until_started()], [QueryId(6), QueryId(7)]);
    assert_eq!(stage.status(worker).queries, [QueryId(6), QueryId(7)]);
}

#[test]
fn a_crash_loop_is_quarantined_and_released() {
    let stage = Stage::with(|settings| settings.crashes_max = 4);
    let worker = stage.start("acme", "hello abort");
    expect![[r#"
        acme: ended by signal 6 (ABORT); held []; Restart { in_ms: 1 }; ""
        acme: ended by signal 6 (ABORT); held []; Restart { in_ms: 2 }; ""
        acme: ended by signal 6 (ABORT); held []; Restart { in_ms: 4 }; ""
        acme: ended by signal 6 (ABORT); held []; Quarantine; ""
    "#]]
    .assert_eq(&lines((0..4).map(|_| stage.until_ended())));
    assert_eq!(stage.status(worker).state, WorkerState::Quarantined);
    assert!(stage.supervisor.release("acme").unwrap());
    stage.until_spawned();
    assert!(!stage.supervisor.release("another").unwrap());
}

#[test]
fn an_intrusion_ends_all_of_the_tenant_and_nothing_of_others() {
    let stage = Stage::new();
    let other = stage.start("other", "hello serve");
    stage.until_greeted();
    stage.start("acme", "hello serve");
    stage.until_greeted();
    stage.start("acme", "hello signal:31");
    let mut ended = [stage.until_ended(), stage.until_ended()];
    ended.sort();
    expect![[r#"
        acme: intrusion: it made a system call that no worker makes; held []; Quarantine; ""
        acme: was ended: its tenant is in quarantine; held []; Restart { in_ms: 1 }; ""
    "#]]
    .assert_eq(&lines(ended));
    assert_eq!(stage.status(other).state, WorkerState::Running);
    let refused = stage.supervisor.start(stage.spec("acme", "hello serve")).unwrap_err();
    expect!["tenant acme is in quarantine: intrusion: it made a system call that no worker makes; release it when the cause is known"].assert_eq(&refused.to_string());
    assert!(matches!(refused, TenancyError::Quarantined { .. }));
    assert!(stage.supervisor.release("acme").unwrap());
    stage.until_greeted();
}

#[test]
fn processes_start_with_nothing_of_the_supervisors() {
    let stage = Stage::new();
    let mut spec = stage.spec("acme", "hello surroundings exit:0");
    spec.lock = Some(stage.folder.path().join("lock"));
    stage.supervisor.start(spec).unwrap();
    let line = stage.until(|event| match event {
        TenancyEvent::Line { line, .. } => Some(line.take()),
        _ => None,
    });
    let line = line.split_once(": ").unwrap().1;
    let expected = expect!["variables 0, descriptors 3 and 3 of its own, handed 1, stack 2097152, folder /"];
    expected.assert_eq(&line.replace(&format!("and {} of its own", 3 + left_open()), "and 3 of its own"));
}

/// Descriptors that whoever started this process left open in it, as build tools do: they reach every process, and the
/// confinement closes them there.
fn left_open() -> usize {
    let closes_on_exec = 0o2_000_000;
    let is_left = |name: &str| {
        // The one of the list itself is gone by now.
        let Ok(text) = std::fs::read_to_string(format!("/proc/self/fdinfo/{name}")) else { return false };
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).unwrap().trim();
        u32::from_str_radix(flags, 8).unwrap() & closes_on_exec == 0
    };
    let all = std::fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().file_name());
    all.filter_map(|name| name.into_string().ok())
        .filter(|name| name.parse::<u32>().unwrap() > 2 && is_left(name))
        .count()
}

#[test]
fn readers_answer_and_lines_of_walls_are_harmless() {
    let stage = Stage::new();
    let mut spec = stage.spec("", "hello serve");
    spec.role = WorkerRole::Reader;
    let reader = stage.supervisor.start(spec).unwrap();
    let walls = stage.until(|event| match event {
        TenancyEvent::Greeted { walls, .. } => Some(walls),
        _ => None,
    });
    assert_eq!(walls[0].note, "\\u{1b}[2J");
    let read = ToWorker::Read { request: RequestId(1), file: "q.toml".to_owned(), text: b"name".to_vec() };
    stage.supervisor.send(reader, read).unwrap();
    let draft = stage.until(|event| match event {
        TenancyEvent::Frame { frame, .. } => Some(frame.take()),
        _ => None,
    });
    assert!(matches!(draft, FromWorker::Draft { draft: Some(draft), .. } if draft == b"name"));
    let status = stage.status(reader);
    assert!(status.threads == 1 && status.memory_bytes > 100_000 && status.descriptors != Some(0), "{status:?}");
}

#[test]
fn a_change_of_limits_replaces_the_process_at_a_commit() {
    let stage = Stage::new();
    let worker = stage.start("acme", "hello serve");
    stage.run(worker, 5);
    let before = stage.until_spawned();
    stage.until_started();
    let mut spec = stage.spec("acme", "hello take:1 say:larger serve");
    spec.memory_bytes_max = 2 << 20;
    let run = |query, draft: &[u8]| {
        let (query, draft) = (QueryId(query), draft.to_vec());
        ToWorker::Run { query, draft, limits: vec![], base_folder: b"/".to_vec() }
    };
    // The second one is not this worker's.
    let runs = vec![run(5, b"new"), run(6, b"other")];
    stage.supervisor.replace(worker, spec, runs, Duration::from_secs(30)).unwrap();
    expect![[r#"acme: ended as asked; held [5]; Restart { in_ms: 0 }; """#]].assert_eq(&stage.until_ended());
    let after = stage.until_spawned();
    assert!(before != after && !is_alive(before));
    let line = stage.until(|event| match event {
        TenancyEvent::Line { line, .. } => Some(line.take()),
        _ => None,
    });
    assert!(line.ends_with(": larger"));
    assert_eq!(stage.status(worker).queries, [QueryId(5)]);
}

#[test]
fn an_end_has_a_grace_time() {
    let stage = Stage::new();
    let (polite, deaf) = (stage.start("polite", "hello serve"), stage.start("deaf", "hello hang"));
    stage.until_greeted();
    stage.until_greeted();
    stage.supervisor.end(polite, Duration::from_secs(60)).unwrap();
    expect![[r#"polite: ended as asked; held []; Gone; """#]].assert_eq(&stage.until_ended());
    stage.supervisor.end(deaf, Duration::from_millis(50)).unwrap();
    expect![[r#"deaf: was ended: it did not end within the grace time; held []; Gone; """#]]
        .assert_eq(&stage.until_ended());
    let gone = stage.supervisor.send(deaf, ToWorker::End { grace_ms: 1 }).unwrap_err();
    expect!["worker 2 does not exist, or has ended"].assert_eq(&gone.to_string());
    let start = |_| {
        stage.start("last", "hello hang");
        stage.until_spawned()
    };
    let pids: Vec<u32> = (0..3).map(start).collect();
    stage.supervisor.shutdown(Duration::from_millis(20));
    assert!(pids.into_iter().all(|pid| !is_alive(pid)));
}

#[test]
fn what_does_not_fit_waits_and_what_never_fits_is_refused() {
    let stage = Stage::new();
    let all = stage.supervisor.status().unwrap().memory_bytes_max;
    let large = |bytes| {
        let mut spec = stage.spec("large", "hello serve");
        spec.memory_bytes_max = bytes;
        stage.supervisor.start(spec)
    };
    assert!(matches!(large(all + 1), Err(TenancyError::NeverFits { .. })));
    let first = large(all - 10).unwrap();
    stage.until_greeted();
    let second = large(11).unwrap();
    let reason = stage.until(|event| match event {
        TenancyEvent::Waits { worker, reason } if worker == second => Some(reason),
        _ => None,
    });
    assert_eq!(reason, WaitReason::Memory { bytes: 11, bytes_left: 10 });
    assert_eq!(stage.status(second).state, WorkerState::Waiting { reason: Some(reason) });
    stage.run(second, 7);
    stage.supervisor.end(first, Duration::from_secs(60)).unwrap();
    assert_eq!(stage.until_greeted(), second);
    assert_eq!(stage.until_started(), QueryId(7));
    let mut spec = stage.spec("a", "hello");
    spec.weight = 0;
    expect!["weight: 0 is out of range: expected 1 to 10000"]
        .assert_eq(&stage.supervisor.start(spec).unwrap_err().to_string());
}

#[test]
fn one_process_at_a_time_has_the_lock_of_a_tenant() {
    let stage = Stage::new();
    let locked = |steps: &str| {
        let mut spec = stage.spec("acme", steps);
        spec.lock = Some(stage.folder.path().join("lock"));
        stage.supervisor.start(spec).unwrap()
    };
    let first = locked("hello serve");
    stage.until_greeted();
    let second = locked("hello serve");
    let reason = stage.until(|event| match event {
        TenancyEvent::Waits { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason, WaitReason::Locked);
    stage.supervisor.end(first, Duration::from_secs(60)).unwrap();
    assert_eq!(stage.until_greeted(), second);
}
