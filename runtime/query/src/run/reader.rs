//! Sources, each in a task of its own.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::source::{Source, SourceError, SourceEvent};
use crate::trace::{Draw, Drawn};

/// What a source's task hands on.
pub(crate) struct FromSource {
    pub(crate) source: usize,
    pub(crate) read: Result<SourceEvent, SourceError>,
    /// The trace that it may become part of, where the query is traced.
    pub(crate) drawn: Option<Drawn>,
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
        if queue.send(FromSource { source: index, read, drawn }).await.is_err() || failed {
            return;
        }
    }
}
