//! Sources, each in a task of its own.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::bytes::record_bytes;
use super::room::{Place, Room};
use crate::source::{Source, SourceBatch, SourceError, SourceEvent};
use crate::trace::{Draw, Drawn};

/// What a source's task hands on.
pub(crate) struct FromSource {
    pub(crate) source: usize,
    pub(crate) read: Result<SourceEvent, SourceError>,
    /// The trace that it may become part of, where the query is traced.
    pub(crate) drawn: Option<Drawn>,
    /// Its place among the bytes that wait, kept until it was taken in.
    pub(crate) place: Option<Place>,
}

/// Reading tasks, ended with the query whichever way it ends.
pub(crate) struct Readers(pub(crate) Vec<JoinHandle<()>>);

impl Drop for Readers {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// What a reader is told from outside.
pub(crate) struct Steering {
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) pause: watch::Receiver<bool>,
    /// Where traces come from, if the query is traced.
    pub(crate) draw: Option<Draw>,
}

/// Reads a source to its end, or until it is told to stop, or until nobody listens.
pub(crate) async fn read(
    index: usize,
    mut source: Box<dyn Source>,
    queue: mpsc::Sender<FromSource>,
    room: Room,
    mut steering: Steering,
) {
    let Steering { stop, pause, draw } = &mut steering;
    loop {
        if *stop.borrow_and_update() {
            return;
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
        if queue.send(FromSource { source: index, read, drawn, place }).await.is_err() || failed {
            return;
        }
    }
}

/// Bytes of its records, bad ones too.
fn waiting_bytes(batch: &SourceBatch) -> u64 {
    let bad = batch.bad.iter().map(|bad| bad.bytes.len() as u64).sum::<u64>();
    record_bytes(&batch.batch).saturating_add(bad)
}
