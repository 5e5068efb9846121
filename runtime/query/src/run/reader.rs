//! The task that reads a source.

use tokio::sync::{mpsc, watch};

use super::bytes::record_bytes;
use super::ids::SourceId;
use super::room::{QueuePermit, Room};
use weir_sandbox::CpuPace;
use weir_sources::{Source, SourceBatch, SourceError, SourceEvent};
use weir_trace::{Draw, Drawn};

/// What a source's task hands on.
pub(super) struct FromSource {
    pub(super) source: SourceId,
    pub(super) read: Result<SourceEvent, SourceError>,
    /// The trace that it may become part of, where the query is traced.
    pub(super) drawn: Option<Drawn>,
    /// Its place among the bytes that wait, kept until it was taken in.
    pub(super) place: Option<QueuePermit>,
}

/// What a reader has beside its source.
pub(super) struct Reader {
    /// Where what it reads goes.
    pub(super) queue: mpsc::Sender<FromSource>,
    /// The bytes that may wait there.
    pub(super) room: Room,
    /// What CPU time there is, where that is limited.
    pub(super) pace: Option<CpuPace>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) pause: watch::Receiver<bool>,
    /// Where traces come from, if the query is traced.
    pub(super) draw: Option<Draw>,
}

/// Reads a source until it ends, or the query stops, or the receiver is gone.
pub(super) async fn read(id: SourceId, mut source: Box<dyn Source>, reader: Reader) {
    let Reader { queue, room, pace, mut stop, mut pause, draw } = reader;
    loop {
        if *stop.borrow_and_update() {
            return;
        }
        if let Some(pace) = &pace {
            tokio::select! {
                () = pace.ready() => {}
                changed = stop.changed() => {
                    if changed.is_err() { return }
                    continue;
                }
            }
        }
        let paused = *pause.borrow_and_update();
        let drawn = draw.as_ref().map(Draw::next);
        let steers_itself = source.pause(paused);
        let next = tokio::select! {
            // A source that knows nothing of pauses is not interrupted in its reading, which would lose what it read.
            next = source.next(), if steers_itself || !paused => next,
            // A batch that is being read when the stop comes was not taken in: it will be read again.
            changed = stop.changed() => {
                if changed.is_err() { return }
                continue;
            }
            changed = pause.changed(), if steers_itself || paused => {
                if changed.is_err() { return }
                continue;
            }
        };
        let drawn = drawn.map(Drawn::came);
        let read = match next {
            Ok(None) => return,
            Ok(Some(event)) => Ok(event),
            Err(error) => Err(error),
        };
        let failed = read.is_err();
        let place = match &read {
            Ok(SourceEvent::Batch(batch)) => Some(room.take(waiting_bytes(batch)).await),
            _ => None,
        };
        if queue.send(FromSource { source: id, read, drawn, place }).await.is_err() || failed {
            return;
        }
    }
}

/// Bytes of its records, bad ones too.
fn waiting_bytes(batch: &SourceBatch) -> u64 {
    let bad = batch.bad.iter().map(|bad| bad.bytes.len() as u64).sum::<u64>();
    record_bytes(&batch.batch).saturating_add(bad)
}
