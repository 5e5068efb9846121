//! Frames as they are written, read, and refused.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use expect_test::{Expect, expect};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::*;

const QUERY: QueryId = QueryId(7);
const ASKED: RequestId = RequestId(3);

fn text(text: &str) -> String {
    text.to_owned()
}

fn every_to_worker() -> Vec<ToWorker> {
    let user = Some(WorkerUser { uid: 70_001, gid: 70_001 });
    let cpu = CpuPlace { session_nice: Some(-3), nice: None };
    let (worker, handed) = (WorkerId(9), vec![Handed::CodeWindow, Handed::Lock]);
    let (role, settings) = (WorkerRole::Tenant, vec![1, 2]);
    vec![
        ToWorker::Welcome { version: VERSION, role, worker, supervisor_pid: 1, cpu, user, handed, settings },
        ToWorker::Read { request: ASKED, file: text("q.toml"), text: b"name = \xff".to_vec() },
        ToWorker::Grant { request: ASKED, limits: vec![1], variables: vec![(text("TOPIC"), b"\xff".to_vec())] },
        ToWorker::Run { query: QUERY, draft: vec![0; 70_000], limits: vec![], base_folder: b"/q".to_vec() },
        ToWorker::Go { query: QUERY },
        ToWorker::Code { request: ASKED, window_offset: 4096, code_bytes: 5, more: true, about: vec![] },
        ToWorker::CodeRefused { request: ASKED, code: text("cap"), text: text("too many"), about: vec![4] },
        ToWorker::Connected { request: ASKED },
        ToWorker::ConnectRefused { request: ASKED, code: text("denied"), text: text("a private address") },
        ToWorker::Hand { query: QUERY, handed: Handed::Output },
        ToWorker::Steer { query: QUERY, steering: Steering::Stop },
        ToWorker::Look { query: QUERY },
        ToWorker::End { grace_ms: 500 },
        ToWorker::Reach {
            request: ASKED,
            tenant: text("a"),
            host: text("h"),
            port: 1,
            allowed: vec![text("10.0.0.0/8")],
        },
    ]
}

fn every_from_worker() -> Vec<FromWorker> {
    let wall = WallReport { name: text("landlock"), state: WallState::Partly, note: text("ABI 2") };
    vec![
        FromWorker::Hello { version: VERSION, role: WorkerRole::Tenant, walls: vec![wall] },
        FromWorker::Needs { request: ASKED, tenant: Some(text("acme")), variables: vec![text("TOPIC")] },
        FromWorker::Draft {
            request: ASKED,
            draft: Some(vec![1; 100]),
            problems: vec![DraftProblem { line: 2, text: text("no sources") }],
        },
        FromWorker::Compile { request: ASKED, tenant: text("acme"), module_bytes: 3, offset: 0, chunk: vec![1, 2, 3] },
        FromWorker::Connect { request: ASKED, host: text("kafka"), port: 9092 },
        FromWorker::Resolved {
            query: QUERY,
            name: text("late"),
            commit_ms: Some(1000),
            claims: vec![3; 90],
            warnings: vec![DraftProblem { line: 1, text: text("odd") }],
        },
        FromWorker::Started { query: QUERY },
        FromWorker::Refused { query: QUERY, code: text(""), text: text("no such file") },
        FromWorker::Progress { query: QUERY, bytes: vec![0; 300] },
        FromWorker::Work { held: 1, done: 2 },
        FromWorker::Log { level: LineLevel::Warn, target: text("weir"), text: text("late") },
        FromWorker::Event { query: None, code: text("retry"), text: text("again") },
        FromWorker::Ended { query: QUERY, end: QueryEnd::Complete, summary: vec![9] },
        FromWorker::Reached { request: ASKED },
        FromWorker::NotReached { request: ASKED, code: text("denied"), text: text("a loopback address") },
        FromWorker::Telemetry { query: QUERY, bytes: vec![1, 2] },
    ]
}

/// Reads what is written, cut at every byte, and in pieces of one byte.
fn round_trip<F: Framed + PartialEq + std::fmt::Debug>(all: &[F]) {
    assert_eq!(all.len(), F::KINDS.len(), "one of each kind");
    let mut stream = Vec::new();
    for (frame, (name, bytes_max)) in all.iter().zip(F::KINDS) {
        let bytes = encode(frame).unwrap();
        assert!(format!("{frame:?}").starts_with(name), "the {name} are in the order of the kinds");
        assert!(bytes.len() <= bytes_max + 4 && *bytes_max <= FRAME_BYTES_MAX, "{name}");
        for cut in (0..bytes.len()).step_by(1.max(bytes.len() / 500)) {
            let mut frames = Frames::<F>::default();
            frames.extend(&bytes[..cut]);
            assert_eq!(frames.next_frame().unwrap(), None, "{name} cut at {cut}");
            assert_eq!(frames.end().is_err(), cut > 0);
            frames.extend(&bytes[cut..]);
            assert_eq!(frames.next_frame().unwrap().as_ref(), Some(frame));
            assert_eq!(frames.pending_bytes(), 0);
        }
        stream.extend(bytes);
    }
    let mut frames = Frames::<F>::default();
    let mut read = Vec::new();
    for piece in stream.chunks(1000) {
        frames.extend(piece);
        while let Some(frame) = frames.next_frame().unwrap() {
            read.push(frame);
        }
    }
    assert_eq!(read, all);
}

#[test]
fn every_kind_is_read_as_written() {
    round_trip(&every_to_worker());
    round_trip(&every_from_worker());
}

/// What comes of bytes that a worker sends.
fn check(bytes: &[u8], expected: Expect) {
    let mut frames = Frames::<FromWorker>::default();
    frames.extend(bytes);
    let found = match frames.next_frame() {
        Ok(frame) => format!("{frame:?}"),
        Err(error) => {
            assert!(error.is_garbage());
            assert!(matches!(frames.next_frame(), Ok(None)), "nothing comes after an error");
            error.to_string()
        }
    };
    expected.assert_eq(&found);
}

#[test]
fn garbage_is_refused_by_its_first_bytes() {
    let head = |length: u32, kind: u32| [length.to_le_bytes(), kind.to_le_bytes()].concat();
    check(&[0; 4], expect!["a frame of 0 bytes: expected a kind of four bytes"]);
    check(&[3, 0, 0, 0], expect!["a frame of 3 bytes: expected a kind of four bytes"]);
    check(&[0xff; 4], expect!["None"]);
    check(&[0xff; 8], expect!["a frame of the unknown kind 4294967295"]);
    check(&head(8, 16), expect!["a frame of the unknown kind 16"]);
    check(&head(u32::MAX, 0), expect!["a frame Hello of 4294967295 bytes: the maximum is 8192"]);
    check(&head(65, 6), expect!["a frame Started of 65 bytes: the maximum is 64"]);
    check(&head(64, 6), expect!["None"]);
    check(&[head(4, 6)].concat(), expect!["an invalid frame Started: UnexpectedEnd { additional: 8 }"]);
    check(&[head(16, 6), vec![0; 12]].concat(), expect!["an invalid frame Started: 4 extra bytes"]);
    // A text of 2^60 bytes, a list of 2^40 problems: neither is allocated.
    let long = (1_u64 << 60).to_le_bytes();
    check(&[head(17, 10), vec![0; 4], long.to_vec(), vec![0]].concat(), expect!["an invalid frame Log: LimitExceeded"]);
    let list = [vec![0; 8], vec![0], (1_u64 << 40).to_le_bytes().to_vec()].concat();
    check(&[head(21, 2), list].concat(), expect!["an invalid frame Draft: LimitExceeded"]);
    // Neither UTF-8 nor a truth value.
    let text = [1_u64.to_le_bytes().to_vec(), vec![0xff], vec![0; 8]].concat();
    check(
        &[head(25, 10), vec![0; 4], text].concat(),
        expect!["an invalid frame Log: Utf8 { inner: Utf8Error { valid_up_to: 0, error_len: Some(1) } }"],
    );
    check(
        &[head(24, 12), vec![0; 8], vec![3], vec![0; 11]].concat(),
        expect![[
            r#"an invalid frame Ended: UnexpectedVariant { type_name: "QueryEnd", allowed: Range { min: 0, max: 2 }, found: 3 }"#
        ]],
    );
}

#[test]
fn a_role_has_a_longest_frame() {
    let long = FromWorker::Draft { request: ASKED, draft: Some(vec![0; 5 << 20]), problems: vec![] };
    let head = &encode(&long).unwrap()[..8];
    for (role, expected) in [
        (WorkerRole::Reader, expect!["None"]),
        (WorkerRole::Tenant, expect!["a frame of this role of 5242909 bytes: the maximum is 4194304"]),
        (WorkerRole::Connector, expect!["a frame of this role of 5242909 bytes: the maximum is 65536"]),
    ] {
        let mut frames = Frames::of(role);
        frames.extend(head);
        expected.assert_eq(&frames.next_frame().map_or_else(|error| error.to_string(), |frame| format!("{frame:?}")));
    }
}

#[test]
fn what_is_too_long_is_not_sent() {
    let long = FromWorker::Connect { request: ASKED, host: "a".repeat(513), port: 1 };
    expect!["a frame Connect of 535 bytes: the maximum is 512"].assert_eq(&encode(&long).unwrap_err().to_string());
    let handed = vec![Handed::Lock; 5];
    let (role, worker, cpu) = (WorkerRole::Reader, WorkerId(1), CpuPlace::default());
    let welcome =
        ToWorker::Welcome { version: 1, role, worker, supervisor_pid: 1, cpu, user: None, handed, settings: vec![] };
    expect!["a frame Welcome with 5 descriptors: expected 4"].assert_eq(&encode(&welcome).unwrap_err().to_string());
    let draft = vec![0; (4 << 20) - 64];
    encode(&ToWorker::Run { query: QUERY, draft, limits: vec![], base_folder: vec![] }).unwrap();
}

/// Tells a story: `>` is what the supervisor sends, `<` what the worker does.
fn story(role: WorkerRole, frames: &[(&str, Result<ToWorker, FromWorker>)], expected: Expect) {
    let mut turns = Turns::new(role);
    let mut told = String::new();
    for (what, frame) in frames {
        let turn = match frame {
            Ok(frame) => turns.sent(frame),
            Err(frame) => turns.received(frame),
        };
        let turn = turn.map_or_else(|error| error.to_string(), |()| "ok".to_owned());
        told.push_str(&format!("{what}: {turn}\n"));
    }
    let queries: Vec<_> = turns.queries().collect();
    told.push_str(&format!("queries {queries:?}, owes an answer: {}\n", turns.owes_answer()));
    expected.assert_eq(&told);
}

fn hello(role: WorkerRole, version: u32) -> Result<ToWorker, FromWorker> {
    Err(FromWorker::Hello { version, role, walls: vec![] })
}

fn run(query: u64) -> Result<ToWorker, FromWorker> {
    Ok(ToWorker::Run { query: QueryId(query), draft: vec![], limits: vec![], base_folder: vec![] })
}

fn progress(query: u64) -> Result<ToWorker, FromWorker> {
    Err(FromWorker::Progress { query: QueryId(query), bytes: vec![] })
}

#[test]
fn a_query_runs_between_its_start_and_its_end() {
    let started = |query| Err(FromWorker::Started { query: QueryId(query) });
    let resolved = |query| {
        let (query, name, claims, warnings) = (QueryId(query), text("q"), vec![], vec![]);
        Err(FromWorker::Resolved { query, name, commit_ms: None, claims, warnings })
    };
    let go = |query| Ok(ToWorker::Go { query: QueryId(query) });
    let ended = |query| Err(FromWorker::Ended { query: QueryId(query), end: QueryEnd::Complete, summary: vec![] });
    let refused = |query| Err(FromWorker::Refused { query: QueryId(query), code: text(""), text: text("") });
    let work = |held, done| Err(FromWorker::Work { held, done });
    let event = |query| Err(FromWorker::Event { query: Some(QueryId(query)), code: text("x"), text: text("") });
    let story_of = [
        ("< progress before hello", progress(1)),
        ("< hello", hello(WorkerRole::Tenant, VERSION)),
        ("< hello again", hello(WorkerRole::Tenant, VERSION)),
        ("> run 1", run(1)),
        ("> run 1 again", run(1)),
        ("< progress before the start", progress(1)),
        ("< ended before the start", ended(1)),
        ("< started before it is resolved", started(1)),
        ("> go before it is resolved", go(1)),
        ("< resolved", resolved(1)),
        ("< resolved again", resolved(1)),
        ("< refused while it waits", refused(1)),
        ("> go", go(1)),
        ("< started", started(1)),
        ("< started again", started(1)),
        ("< refused after the start", refused(1)),
        ("< progress", progress(1)),
        ("< progress of another", progress(2)),
        ("< event of another", event(2)),
        ("< started without being asked", started(2)),
        ("> run 2", run(2)),
        ("< refused", refused(2)),
        ("< refused again", refused(2)),
        ("< work", work(2, 5)),
        ("< less done", work(2, 4)),
        ("< ended", ended(1)),
        ("< ended again", ended(1)),
        ("> run 1 once more", run(1)),
        ("< a draft", Err(FromWorker::Draft { request: ASKED, draft: None, problems: vec![] })),
    ];
    story(
        WorkerRole::Tenant,
        &story_of,
        expect![[r#"
            < progress before hello: a frame Progress out of turn: before Hello
            < hello: ok
            < hello again: a frame Hello out of turn: it came before
            > run 1: ok
            > run 1 again: a frame Run out of turn: query 1 runs
            < progress before the start: a frame Progress out of turn: query 1 does not run
            < ended before the start: a frame Ended out of turn: query 1 does not run
            < started before it is resolved: a frame Started out of turn: query 1 was not asked for
            > go before it is resolved: a frame Go out of turn: query 1 is not resolved
            < resolved: ok
            < resolved again: a frame Resolved out of turn: query 1 was not asked for
            < refused while it waits: a frame Refused out of turn: query 1 was not asked for
            > go: ok
            < started: ok
            < started again: a frame Started out of turn: query 1 was not asked for
            < refused after the start: a frame Refused out of turn: query 1 was not asked for
            < progress: ok
            < progress of another: a frame Progress out of turn: query 2 does not run
            < event of another: a frame Event out of turn: query 2 does not run
            < started without being asked: a frame Started out of turn: query 2 was not asked for
            > run 2: ok
            < refused: ok
            < refused again: a frame Refused out of turn: query 2 was not asked for
            < work: ok
            < less done: a frame Work out of turn: 4 done after 5
            < ended: ok
            < ended again: a frame Ended out of turn: query 1 does not run
            > run 1 once more: ok
            < a draft: a frame Draft out of turn: from a process for the role tenant
            queries [QueryId(1)], owes an answer: true
        "#]],
    );
}

#[test]
fn questions_are_asked_once_and_modules_come_whole() {
    let piece = |request, module_bytes, offset, length: usize| {
        Err(FromWorker::Compile {
            request: RequestId(request),
            tenant: text("acme"),
            module_bytes,
            offset,
            chunk: vec![0; length],
        })
    };
    let connect = |request| Err(FromWorker::Connect { request: RequestId(request), host: text("h"), port: 1 });
    let code = |request, more| {
        let request = RequestId(request);
        Ok(ToWorker::Code { request, window_offset: 0, code_bytes: 1, more, about: vec![] })
    };
    let story_of = [
        ("< hello", hello(WorkerRole::Tenant, VERSION)),
        ("< the middle first", piece(1, 10, 4, 2)),
        ("< the beginning", piece(2, 10, 0, 4)),
        ("< a gap", piece(2, 10, 5, 1)),
        ("< an overlap", piece(2, 10, 3, 1)),
        ("< beyond the end", piece(2, 10, 4, 7)),
        ("< nothing", piece(2, 10, 4, 0)),
        ("< another length", piece(2, 11, 4, 1)),
        ("< another module between", piece(3, 10, 0, 4)),
        ("< a question between", connect(4)),
        ("< the rest", piece(2, 10, 4, 6)),
        ("< more of it", piece(2, 10, 10, 1)),
        ("< an old number", connect(4)),
        ("< a wrap", piece(5, u32::MAX, u32::MAX, 2)),
        ("> baseline", code(2, true)),
        ("> optimised", code(2, false)),
        ("> once more", code(2, false)),
        ("> code for a connection", code(4, false)),
        ("> connected", Ok(ToWorker::Connected { request: RequestId(4) })),
        ("> connected again", Ok(ToWorker::Connected { request: RequestId(4) })),
    ];
    story(
        WorkerRole::Tenant,
        &story_of,
        expect![[r#"
        < hello: ok
        < the middle first: a frame Compile out of turn: 2 bytes at 4 of 10, where 0 come next
        < the beginning: ok
        < a gap: a frame Compile out of turn: 1 bytes at 5 of 10, where 4 come next
        < an overlap: a frame Compile out of turn: 1 bytes at 3 of 10, where 4 come next
        < beyond the end: a frame Compile out of turn: 7 bytes at 4 of 10, where 4 come next
        < nothing: a frame Compile out of turn: 0 bytes at 4 of 10, where 4 come next
        < another length: a frame Compile out of turn: request 2 within the module of request 2
        < another module between: a frame Compile out of turn: request 3 within the module of request 2
        < a question between: ok
        < the rest: ok
        < more of it: a frame Compile out of turn: request 2 was asked before
        < an old number: a frame Connect out of turn: request 4 was asked before
        < a wrap: a frame Compile out of turn: 2 bytes at 4294967295 of 4294967295, where 0 come next
        > baseline: ok
        > optimised: ok
        > once more: a frame Code out of turn: request 2 was not asked, or was answered
        > code for a connection: a frame Code out of turn: request 4 was not asked, or was answered
        > connected: ok
        > connected again: a frame Connected out of turn: request 4 was not asked, or was answered
        queries [], owes an answer: false
    "#]],
    );

    let mut turns = Turns::new(WorkerRole::Tenant);
    turns.received(&FromWorker::Hello { version: VERSION, role: WorkerRole::Tenant, walls: vec![] }).unwrap();
    let flood = (0..).map(|request| FromWorker::Connect { request: RequestId(request), host: text("h"), port: 1 });
    let refused = flood.map(|frame| turns.received(&frame)).find_map(Result::err).unwrap();
    expect!["a frame Connect out of turn: 64 questions wait for answers"].assert_eq(&refused.to_string());
}

#[test]
fn a_reader_answers_what_it_was_asked() {
    let draft = || Err(FromWorker::Draft { request: ASKED, draft: None, problems: vec![] });
    let story_of = [
        ("< hello of another role", hello(WorkerRole::Tenant, VERSION)),
        ("< hello of another version", hello(WorkerRole::Reader, VERSION + 1)),
        ("< hello", hello(WorkerRole::Reader, VERSION)),
        ("< a draft without a question", draft()),
        ("> read", Ok(ToWorker::Read { request: ASKED, file: text("q"), text: vec![] })),
        ("> read again", Ok(ToWorker::Read { request: ASKED, file: text("q"), text: vec![] })),
        ("< the draft", draft()),
        ("< the draft again", draft()),
        ("< a tenant's frame", progress(1)),
    ];
    story(
        WorkerRole::Reader,
        &story_of,
        expect![[r#"
            < hello of another role: a frame Hello out of turn: role tenant: expected reader
            < hello of another version: frames of version 3: expected version 2; restart the supervisor, so that all its processes are of one version
            < hello: ok
            < a draft without a question: a frame Draft out of turn: request 3 was not asked, or was answered
            > read: ok
            > read again: a frame Read out of turn: request 3 was asked before
            < the draft: ok
            < the draft again: a frame Draft out of turn: request 3 was not asked, or was answered
            < a tenant's frame: a frame Progress out of turn: from a process for the role reader
            queries [], owes an answer: false
        "#]],
    );
}

#[test]
fn descriptors_arrive_with_their_frames_and_go_one_way() {
    let (supervisor, worker) = socket_pair().unwrap();
    let (sender, mut receiver) = halves::<FromWorker, ToWorker>(worker);
    let (mut output, input) = std::io::pipe().unwrap();
    let plain = encode(&ToWorker::End { grace_ms: 1 }).unwrap();
    send_part(&supervisor, &plain, &[]).unwrap();
    let handed = encode(&ToWorker::Hand { query: QUERY, handed: Handed::Output }).unwrap();
    send_part(&supervisor, &handed, &[input.as_fd()]).unwrap();
    send_part(&supervisor, &plain, &[]).unwrap();
    drop(input);
    let mut receive = || receiver.receive().unwrap().unwrap();
    assert_eq!(receive().1.len(), 0);
    let (frame, mut descriptors) = receive();
    assert_eq!(frame, ToWorker::Hand { query: QUERY, handed: Handed::Output });
    let mut file = std::fs::File::from(descriptors.pop().unwrap());
    file.write_all(b"through").unwrap();
    drop(file);
    assert_eq!(receive().1.len(), 0);
    let mut through = String::new();
    output.read_to_string(&mut through).unwrap();
    assert_eq!(through, "through");

    // A worker that sends descriptors: the bytes arrive, the pipe's other end is closed by the kernel.
    let (mut output, input) = std::io::pipe().unwrap();
    sender.send(&FromWorker::Started { query: QUERY }, &[input.as_fd()]).unwrap();
    drop(input);
    let mut piece = [0; 100];
    assert!(receive_plain(&supervisor, &mut piece).unwrap() > 4);
    assert_eq!(output.read(&mut piece).unwrap(), 0, "nobody holds the other end");

    // A frame that should have a descriptor and has none.
    send_part(&supervisor, &handed, &[]).unwrap();
    expect!["a frame with descriptors with 0 descriptors: expected 1"]
        .assert_eq(&receiver.receive().unwrap_err().to_string());
    let null = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let too_many = send_part(&supervisor, &plain, &[null.as_fd(); 5]);
    expect!["more descriptors than a frame may carry"].assert_eq(&too_many.unwrap_err().to_string());
}

#[test]
fn what_may_be_lost_is_never_waited_for() {
    let (supervisor, worker) = socket_pair().unwrap();
    let (sender, mut receiver) = halves::<FromWorker, ToWorker>(worker);
    let line = FromWorker::Log { level: LineLevel::Info, target: text("t"), text: "x".repeat(8_000) };
    let sent = (0..1_000).take_while(|_| sender.try_send(&line).unwrap()).count();
    assert!((1..1_000).contains(&sent), "{sent} lines fit");
    let mut frames = Frames::<FromWorker>::default();
    let mut piece = vec![0; 64 << 10];
    let mut whole = 0;
    while let Ok(read @ 1..) = receive_plain(&supervisor, &mut piece) {
        frames.extend(&piece[..read]);
        while let Some(frame) = frames.next_frame().unwrap() {
            assert_eq!(frame, line);
            whole += 1;
        }
    }
    assert_eq!(whole, sent);
    assert!(sender.try_send(&line).unwrap());
    drop(supervisor);
    assert!(receiver.receive().unwrap().is_none());
    assert!(sender.send(&line, &[]).is_err());
}

proptest! {
    /// The twin of the fuzz target `frames`.
    #[test]
    fn any_bytes_are_frames_or_garbage(bytes in vec(prop_oneof![Just(0_u8), 0_u8..12, any::<u8>()], 0..400), cut in 1_usize..50) {
        from_any::<FromWorker>(&bytes, cut);
        from_any::<ToWorker>(&bytes, cut);
    }

    #[test]
    fn damaged_frames_are_frames_or_garbage(index in 0_usize..15, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = encode(&every_from_worker()[index]).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        from_any::<FromWorker>(&bytes, 100);
    }
}

/// However the bytes are cut, the same comes of them, and what is read is written again as the same bytes.
fn from_any<F: Framed + PartialEq + std::fmt::Debug>(bytes: &[u8], cut: usize) {
    let read = |piece: usize| {
        let mut frames = Frames::<F>::default();
        let (mut read, mut written) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            frames.extend(piece);
            loop {
                match frames.next_frame() {
                    Ok(Some(frame)) => {
                        written.extend(encode(&frame).unwrap());
                        read.push(frame);
                    }
                    Ok(None) => break,
                    Err(error) => {
                        assert!(error.is_garbage() && error.to_string().len() < 500);
                        return (read, written, true);
                    }
                }
            }
        }
        (read, written, false)
    };
    let (whole, written, is_garbage) = read(bytes.len().max(1));
    assert!(bytes.starts_with(&written), "a frame has one form");
    assert_eq!((whole, written, is_garbage), read(cut));
}
