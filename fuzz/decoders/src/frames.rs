//! Frames of a process's socket, from any bytes. The twin among the tests of `weir-frame` runs the same.

use std::fmt::Debug;

use weir_frame::{Framed, Frames, FromWorker, ToWorker, Turns, WorkerRole, encode};

/// Reads the bytes as what a worker sends and as what a supervisor sends. However they are cut, the same comes of them; a frame that is
/// read is written as the bytes that it was read from; none comes after garbage.
pub fn frames(bytes: &[u8]) {
    let from_worker = both_ways::<FromWorker>(bytes);
    both_ways::<ToWorker>(bytes);
    for role in [WorkerRole::Tenant, WorkerRole::Reader, WorkerRole::Connector] {
        let mut turns = Turns::new(role);
        for frame in &from_worker {
            if let Err(error) = turns.received(frame) {
                assert!(error.to_string().len() < 1000);
            }
        }
    }
}

fn both_ways<F: Framed + PartialEq + Debug>(bytes: &[u8]) -> Vec<F> {
    let whole = read::<F>(bytes, bytes.len().max(1));
    let pieces = read::<F>(bytes, 7);
    assert_eq!(whole, pieces);
    let written: Vec<u8> = whole.0.iter().flat_map(|frame| encode(frame).expect("what was read can be written")).collect();
    assert!(bytes.starts_with(&written), "a frame has one form");
    whole.0
}

fn read<F: Framed>(bytes: &[u8], piece: usize) -> (Vec<F>, bool) {
    let mut frames = Frames::<F>::default();
    let mut all = Vec::new();
    for piece in bytes.chunks(piece) {
        frames.extend(piece);
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => all.push(frame),
                Ok(None) => break,
                Err(error) => {
                    assert!(error.is_garbage());
                    assert!(matches!(frames.next_frame(), Ok(None)));
                    return (all, true);
                }
            }
        }
    }
    (all, false)
}
