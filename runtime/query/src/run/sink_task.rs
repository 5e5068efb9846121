//! A sink in a task of its own, behind a bounded queue, so that one sink's pace is another's only when its queue is full.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use weir_batch::Batch;
use weir_sinks::{Sink, SinkError};

use super::counters::Counters;

enum Message {
    Batch(Arc<Batch>),
    Flush(oneshot::Sender<()>),
}

/// The near end of a sink's queue.
pub(crate) struct SinkTask {
    name: Arc<str>,
    // `None` once the queue is closed.
    queue: Option<mpsc::Sender<Message>>,
    task: Option<JoinHandle<Result<(), SinkError>>>,
}

/// The sink that failed, and how.
pub(crate) struct SinkFailure {
    pub(crate) name: Arc<str>,
    pub(crate) error: SinkError,
}

impl SinkTask {
    pub(crate) fn spawn(
        name: Arc<str>,
        sink: Box<dyn Sink>,
        queue_batches_max: usize,
        counters: Arc<Counters>,
        index: usize,
    ) -> SinkTask {
        let (queue, messages) = mpsc::channel(queue_batches_max.max(1));
        let task = tokio::spawn(serve(sink, messages, counters, index));
        SinkTask { name, queue: Some(queue), task: Some(task) }
    }

    /// Queues a batch, waiting while the queue is full.
    pub(crate) async fn write(&mut self, batch: Arc<Batch>) -> Result<(), SinkFailure> {
        self.send(Message::Batch(batch)).await
    }

    /// Asks that all queued so far be made durable; the answer comes by the channel, which is dropped if the sink fails.
    pub(crate) async fn flush(&mut self) -> Result<oneshot::Receiver<()>, SinkFailure> {
        let (done, receiver) = oneshot::channel();
        self.send(Message::Flush(done)).await?;
        Ok(receiver)
    }

    /// Ends the queue; returns when the sink has written and published everything.
    /// A sink whose end was told already has nothing more to say.
    pub(crate) async fn close(&mut self) -> Result<(), SinkFailure> {
        self.queue = None;
        if self.task.is_none() {
            return Ok(());
        }
        self.outcome().await
    }

    /// Stops the sink where it is, publishing nothing more.
    pub(crate) async fn abort(&mut self) {
        self.queue = None;
        if let Some(task) = self.task.take() {
            task.abort();
            // An aborted task answers with its cancellation, which is what was asked for.
            drop(task.await);
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), SinkFailure> {
        if let Some(queue) = &self.queue
            && queue.send(message).await.is_ok()
        {
            return Ok(());
        }
        // The far end is gone only when the sink failed.
        self.outcome().await?;
        Err(self.failure(SinkError::ended()))
    }

    /// Why the sink ended.
    pub(crate) async fn outcome(&mut self) -> Result<(), SinkFailure> {
        let Some(task) = self.task.take() else { return Err(self.failure(SinkError::ended())) };
        match task.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.failure(error)),
            Err(_panic_or_abort) => Err(self.failure(SinkError::ended())),
        }
    }

    fn failure(&self, error: SinkError) -> SinkFailure {
        SinkFailure { name: Arc::clone(&self.name), error }
    }
}

async fn serve(
    mut sink: Box<dyn Sink>,
    mut messages: mpsc::Receiver<Message>,
    counters: Arc<Counters>,
    index: usize,
) -> Result<(), SinkError> {
    let counters = counters.sinks.get(index);
    let publish = |sink: &dyn Sink| {
        if let Some(counters) = counters {
            let stats = sink.stats();
            counters.records.raise_to(stats.records);
            counters.bytes.raise_to(stats.bytes);
            counters.batches.raise_to(stats.batches);
            counters.files.raise_to(stats.files);
        }
    };
    loop {
        let message = match sink.next_deadline() {
            None => messages.recv().await,
            Some(deadline) => {
                let wait = deadline.saturating_duration_since(Instant::now());
                match tokio::time::timeout(wait, messages.recv()).await {
                    Ok(message) => message,
                    Err(_elapsed) => {
                        sink.tick().await?;
                        publish(&*sink);
                        continue;
                    }
                }
            }
        };
        match message {
            Some(Message::Batch(batch)) => sink.write(batch).await?,
            Some(Message::Flush(done)) => {
                sink.flush().await?;
                // Nobody waits any more when the query has failed meanwhile: nothing is owed then.
                let _waiting: Result<(), ()> = done.send(());
            }
            None => {
                sink.close().await?;
                publish(&*sink);
                return Ok(());
            }
        }
        publish(&*sink);
    }
}
