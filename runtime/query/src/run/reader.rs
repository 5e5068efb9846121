//! Sources, each in a task of its own.

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::source::{Source, SourceError, SourceEvent};

/// What a source's task hands on.
pub(crate) type FromSource = (usize, Result<SourceEvent, SourceError>);

/// Reading tasks, ended with the query whichever way it ends.
pub(crate) struct Readers(pub(crate) Vec<JoinHandle<()>>);

impl Drop for Readers {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Reads a source to its end, or until it is told to stop, or until nobody listens.
pub(crate) async fn read(
    index: usize,
    mut source: Box<dyn Source>,
    queue: mpsc::Sender<FromSource>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        if *stop.borrow_and_update() {
            return;
        }
        let next = tokio::select! {
            next = source.next() => next,
            // A batch that is being read when the stop comes was not taken in: it will be read again.
            changed = stop.changed() => {
                if changed.is_err() { return }
                continue;
            }
        };
        let message = match next {
            Ok(None) => return,
            Ok(Some(event)) => Ok(event),
            Err(error) => Err(error),
        };
        let failed = message.is_err();
        if queue.send((index, message)).await.is_err() || failed {
            return;
        }
    }
}
