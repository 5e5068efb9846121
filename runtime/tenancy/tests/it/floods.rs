//! Workers that say too much.

use std::time::Duration;

use weir_frame::{FromWorker, ToWorker, WorkerId};
use weir_tenancy::{EndCause, TenancyError, TenancyEvent, WorkerState};

use crate::support::{Stage, wait_for};

#[test]
fn floods_of_output_are_dropped_and_counted_and_block_nobody() {
    let stage = Stage::with(|settings| settings.line_bytes_per_s = 10_000);
    // 100,000 lines of 100 bytes; nobody takes an event meanwhile.
    let flooder = stage.start("flood", "hello flood:1000 say:end exit:7");
    let other = stage.start("other", "hello serve");
    wait_for("the other runs beside a flood", || stage.status(other).state == WorkerState::Running);
    let (mut lines, mut dropped) = (0, 0);
    let (cause, last_words) = stage.until(|event| {
        match event {
            TenancyEvent::Line { worker, line } if worker == flooder => {
                assert!(line.len() < 300);
                lines += 1;
            }
            TenancyEvent::LinesDropped { worker, lines } if worker == flooder => dropped += lines,
            TenancyEvent::Ended { cause, last_words, .. } => return Some((cause, last_words)),
            _ => {}
        }
        None
    });
    assert_eq!(cause, EndCause::Exited { code: 7 });
    assert_eq!(lines + dropped, 100_001, "every line is shown or counted");
    assert!(dropped > 50_000);
    assert!(last_words.text().ends_with("x\nend\n") && last_words.text().starts_with("xxx"));
    assert_eq!(last_words.left_out(), 100_000 * 100 + 4 - 2 * 4096);
}

#[test]
fn a_worker_whose_frames_nobody_takes_is_not_read_on() {
    let stage = Stage::with(|settings| settings.frames_in_bytes_max = 100_000);
    let worker = stage.start("a", "hello take:1 progress:2000 serve");
    stage.run(worker, 1);
    stage.until_started();
    // The frames have 2 MB: they stay in the worker, which waits.
    wait_for("the worker is throttled", || stage.status(worker).is_throttled);
    let status = stage.status(worker);
    assert!((100_000..300_000).contains(&status.in_bytes), "{}", status.in_bytes);
    let mut progress = 0;
    stage.until(|event| {
        if let TenancyEvent::Frame { frame, .. } = event {
            progress += usize::from(matches!(*frame, FromWorker::Progress { .. }));
        }
        (progress == 2000).then_some(())
    });
    wait_for("the worker is read again", || !stage.status(worker).is_throttled);
    assert_eq!(stage.status(worker).state, WorkerState::Running);
}

#[test]
fn a_rate_of_frames_holds() {
    let stage = Stage::with(|settings| settings.frames_in_per_s = 500);
    let worker = stage.start("a", "hello take:1 progress:1500 serve");
    stage.run(worker, 1);
    stage.until_started();
    wait_for("the worker is throttled", || stage.status(worker).is_throttled);
    let mut progress = 0;
    stage.until(|event| {
        if let TenancyEvent::Frame { frame, .. } = event {
            progress += usize::from(matches!(*frame, FromWorker::Progress { .. }));
        }
        (progress == 1500).then_some(())
    });
}

#[test]
fn lines_in_frames_have_the_same_rate() {
    let stage = Stage::with(|settings| settings.line_bytes_per_s = 1_000);
    let worker = stage.start("a", "hello log:5000 exit:0");
    let (mut lines, mut dropped) = (0, 0);
    stage.until(|event| {
        match event {
            TenancyEvent::Frame { frame, .. } => {
                if let FromWorker::Log { target, text, .. } = &*frame {
                    assert!(target == "t" && text.starts_with("line "), "{target}: {text}");
                    lines += 1;
                }
            }
            TenancyEvent::LinesDropped { lines, .. } => dropped += lines,
            TenancyEvent::Ended { .. } => return Some(()),
            _ => {}
        }
        None
    });
    assert_eq!((lines + dropped, worker), (5000, WorkerId(1)));
    assert!(dropped > 3000, "{dropped}");
}

#[test]
fn a_worker_that_reads_nothing_is_refused_more_and_ended() {
    let stage = Stage::with(|settings| {
        (settings.frames_out_bytes_max, settings.worker_stall_ms_max, settings.crashes_max) = (3 << 20, 500, 1);
    });
    let worker = stage.start("a", "hello hang");
    stage.until_greeted();
    let read = |number| ToWorker::Steer { query: weir_frame::QueryId(number), steering: weir_frame::Steering::Pause };
    let refused = (0..).map(|number| stage.supervisor.send(worker, read(number))).find_map(Result::err).unwrap();
    // Whichever comes first.
    assert!(matches!(refused, TenancyError::Backlog { .. } | TenancyError::UnknownWorker { .. }), "{refused}");
    let cause = stage.until(|event| match event {
        TenancyEvent::Ended { cause, .. } => Some(cause),
        _ => None,
    });
    assert!(matches!(cause, EndCause::Stalled { .. }), "{cause:?}");
    stage.supervisor.shutdown(Duration::ZERO);
}
