//! A running sink: in a task of its own, behind a bounded queue, so that one sink's pace is another's only when its queue is full.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use weir_batch::Batch;
use weir_sinks::{Prepared, RefusedRow, Sink, SinkError, SinkStats, Written};

use super::bytes::record_bytes;
use super::counters::SinkCounters;
use super::error::Cause;
use super::ids::{Id, Point, SinkId};
use super::refused::{RefusalPolicy, RefusedRows};
use super::room::{QueuePermit, Room};
use super::timing::Timing;
use weir_letters::{DeadLetterError, DeadLetters, Sender, Why};
use weir_plan::{Plan, SinkPlan};
use weir_trace::BatchSpan;

enum Message {
    /// A batch, its span where it has one, and its place among the bytes that wait, kept until it is written.
    Batch(Arc<Batch>, Option<Arc<BatchSpan>>, QueuePermit),
    /// Asks whether everything before was taken without an error.
    Taken(oneshot::Sender<()>),
    /// Asks that everything before be made durable.
    Flush(oneshot::Sender<()>),
    /// Asks that everything before be made durable where no reader finds it.
    Prepare(oneshot::Sender<Vec<Prepared>>),
    /// Asks that what was prepared be made visible.
    Publish(oneshot::Sender<()>),
    /// Asks that everything before be made durable and visible, with these bytes kept in the same step.
    Commit(Vec<u8>, oneshot::Sender<()>),
    /// Asks that everything before be made durable and the sink be released. A queue that ends without this was
    /// abandoned: then nothing more is published.
    Close,
}

/// A sink with its plan, its counters and its task, of which this is the near end. Dropped, it stops the sink where it is.
pub(super) struct RunningSink<'p> {
    plan: &'p SinkPlan,
    inputs: Vec<Point>,
    counters: Arc<SinkCounters>,
    queue: mpsc::Sender<Message>,
    room: Room,
    // `None` once the sink's end was told.
    task: Option<JoinHandle<Result<(), SinkError>>>,
    reader_gone: bool,
    // Records that it cannot take and that are to be dead letters. As few as batches wait in its queue, as long as somebody
    // takes them between batches.
    refused: mpsc::UnboundedReceiver<RefusedRows>,
    sender: Sender,
}

/// The sink that failed, and how.
pub(super) struct SinkFailure {
    pub(super) name: Arc<str>,
    pub(super) error: SinkError,
}

impl<'p> RunningSink<'p> {
    /// Starts a sink. Calls `failed` with its id when it fails, except when its reader went away.
    pub(super) fn start(
        id: SinkId,
        sink: Box<dyn Sink>,
        (whole, plan): (&'p Plan, &'p SinkPlan),
        room: Room,
        counters: &Arc<SinkCounters>,
        failed: mpsc::UnboundedSender<SinkId>,
    ) -> RunningSink<'p> {
        let (queue, messages) = mpsc::channel(plan.queue_batches_max.max(1));
        counters.queue_max.set(queue.max_capacity() as u64);
        let (refusals, refused) = mpsc::unbounded_channel();
        let policy = RefusalPolicy::of(whole, plan);
        let sender = policy.sender.clone();
        let far = FarEnd { id, sink, counters: Arc::clone(counters), policy, refusals };
        let task = tokio::spawn(async move {
            let ended = far.serve(messages).await;
            if ended.as_ref().is_err_and(|error| !error.is_reader_gone()) {
                // Nobody listens once the query has ended.
                let _listening: Result<(), _> = failed.send(id);
            }
            ended
        });
        RunningSink {
            plan,
            inputs: Point::of(&plan.inputs),
            counters: Arc::clone(counters),
            queue,
            room,
            task: Some(task),
            reader_gone: false,
            refused,
            sender,
        }
    }

    pub(super) fn name(&self) -> &Arc<str> {
        &self.plan.name
    }

    /// Whether it takes what leaves this point.
    pub(super) fn takes(&self, point: Point) -> bool {
        self.inputs.contains(&point)
    }

    /// Takes what it could not take into the dead letters; does not wait for more.
    pub(super) fn settle_refused(&mut self, mut letters: Option<&mut DeadLetters>) -> Result<(), DeadLetterError> {
        while let Ok(RefusedRows { batch, rows }) = self.refused.try_recv() {
            for RefusedRow { row, why, .. } in rows {
                // A query whose sink dead-letters has a place for letters: the file's check sees to it.
                let Some(letters) = &mut letters else {
                    self.counters.failed.add(1);
                    continue;
                };
                let (code, message) = (why.code(), why.to_string());
                letters.add_row(&self.sender, &batch, row, Why { code, message: &message })?;
                self.counters.dead.add(1);
            }
        }
        Ok(())
    }

    /// Whether whoever read this sink's output has gone. It takes nothing more then, and that is no failure.
    pub(super) fn reader_gone(&self) -> bool {
        self.reader_gone
    }

    /// Queues a batch, waiting while the queue is full, of batches or of bytes.
    pub(super) async fn write(&mut self, batch: Arc<Batch>, span: Option<Arc<BatchSpan>>) -> Result<(), SinkFailure> {
        if self.reader_gone {
            return Ok(());
        }
        // A sink that has ended lets go of what waited for it, so that this ends as well.
        let place = self.room.take(record_bytes(&batch)).await;
        self.send(Message::Batch(batch, span, place)).await
    }

    /// Asks whether everything queued so far was taken; the answer comes by the channel, which is dropped if not.
    pub(super) async fn taken(&mut self) -> Result<oneshot::Receiver<()>, SinkFailure> {
        let (done, receiver) = oneshot::channel();
        self.send(Message::Taken(done)).await?;
        Ok(receiver)
    }

    /// Asks that everything queued so far be made durable; answers likewise.
    pub(super) async fn flush(&mut self) -> Result<oneshot::Receiver<()>, SinkFailure> {
        let (done, receiver) = oneshot::channel();
        self.send(Message::Flush(done)).await?;
        Ok(receiver)
    }

    /// Asks that everything queued so far be made durable and stay hidden; answers likewise.
    pub(super) async fn prepare(&mut self) -> Result<oneshot::Receiver<Vec<Prepared>>, SinkFailure> {
        let (done, receiver) = oneshot::channel();
        self.send(Message::Prepare(done)).await?;
        Ok(receiver)
    }

    /// Asks that what was prepared be made visible; answers likewise.
    pub(super) async fn publish(&mut self) -> Result<oneshot::Receiver<()>, SinkFailure> {
        let (done, receiver) = oneshot::channel();
        self.send(Message::Publish(done)).await?;
        Ok(receiver)
    }

    /// Asks that everything queued so far be made durable and visible, with these bytes kept in the same step; answers
    /// likewise.
    pub(super) async fn commit(&mut self, keep: Vec<u8>) -> Result<oneshot::Receiver<()>, SinkFailure> {
        let (done, receiver) = oneshot::channel();
        self.send(Message::Commit(keep, done)).await?;
        Ok(receiver)
    }

    /// Waits for an answer. A sink that does not answer has ended: well only if its reader went away, which is `None`.
    pub(super) async fn answer<T>(&mut self, answer: oneshot::Receiver<T>) -> Result<Option<T>, SinkFailure> {
        if let Ok(answer) = answer.await {
            return Ok(Some(answer));
        }
        self.outcome().await?;
        if self.reader_gone {
            return Ok(None);
        }
        Err(SinkFailure { name: Arc::clone(&self.plan.name), error: SinkError::ended() })
    }

    /// Ends the queue; returns when the sink has written and published everything.
    pub(super) async fn close(&mut self) -> Result<(), SinkFailure> {
        self.send(Message::Close).await?;
        self.outcome().await
    }

    /// Stops the sink where it is, publishing nothing more.
    pub(super) async fn abort(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            // An aborted task answers with its cancellation, which is what was asked for.
            drop(task.await);
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), SinkFailure> {
        if self.reader_gone || self.queue.send(message).await.is_ok() {
            self.counters.queued.set(self.queue.max_capacity().saturating_sub(self.queue.capacity()) as u64);
            return Ok(());
        }
        // The far end is gone only when the sink has ended.
        self.outcome().await
    }

    /// How the sink ended; waits for that. A reader that went away is remembered, and is no failure.
    pub(super) async fn outcome(&mut self) -> Result<(), SinkFailure> {
        if self.reader_gone {
            return Ok(());
        }
        // Let go of only when it has answered: whoever waits here may be dropped, because the sink has failed, and its
        // failure is asked for by another then.
        let ended = match &mut self.task {
            None => return Err(SinkFailure { name: Arc::clone(&self.plan.name), error: SinkError::ended() }),
            Some(task) => task.await,
        };
        self.task = None;
        let error = match ended {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) if error.is_reader_gone() => {
                self.reader_gone = true;
                return Ok(());
            }
            Ok(Err(error)) => error,
            Err(_panic_or_abort) => SinkError::ended(),
        };
        Err(SinkFailure { name: Arc::clone(&self.plan.name), error })
    }
}

impl From<SinkFailure> for Cause {
    fn from(failure: SinkFailure) -> Cause {
        Cause::Sink { name: failure.name.to_string(), source: failure.error }
    }
}

impl Drop for RunningSink<'_> {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What the task has of the sink.
struct FarEnd {
    id: SinkId,
    sink: Box<dyn Sink>,
    counters: Arc<SinkCounters>,
    policy: RefusalPolicy,
    refusals: mpsc::UnboundedSender<RefusedRows>,
}

impl FarEnd {
    async fn serve(self, mut messages: mpsc::Receiver<Message>) -> Result<(), SinkError> {
        let FarEnd { id, mut sink, counters, policy, refusals } = self;
        let counters = &*counters;
        // What an earlier sink of this name took, before the query went back to its last commit, stays counted.
        let mut before = SinkStats::default();
        before.records = counters.records.get();
        before.bytes = counters.bytes.get();
        before.batches = counters.batches.get();
        before.files = counters.files.get();
        let publish = |sink: &dyn Sink| {
            let stats = sink.stats();
            counters.records.set(before.records + stats.records);
            counters.bytes.set(before.bytes + stats.bytes);
            counters.batches.set(before.batches + stats.batches);
            counters.files.set(before.files + stats.files);
        };
        // A sink that fails ends the query: only what went well is timed.
        let took = |timing: fn(&SinkCounters) -> &Timing, since: Instant| timing(counters).add(since.elapsed());
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
            counters.queued.set(messages.len() as u64);
            let since = Instant::now();
            // Nobody waits for an answer any more when the query has failed meanwhile: nothing is owed then.
            match message {
                Some(Message::Batch(batch, of_batch, place)) => {
                    let span = of_batch.as_ref().and_then(|of_batch| of_batch.sink(id.place(), batch.rows()));
                    drop(of_batch);
                    let written = sink.write(Arc::clone(&batch)).await;
                    let dealt = written.and_then(|Written { refused, .. }| policy.deal(&batch, refused, counters));
                    if let (Some(mut span), Err(error)) = (span, &dealt) {
                        span.fail(error);
                    }
                    drop(batch);
                    if let Some(refused) = dealt? {
                        // Nobody takes them when the query has failed meanwhile: nothing is owed then.
                        let _taken: Result<(), _> = refusals.send(refused);
                    }
                    drop(place);
                    took(|sink| &sink.write_times, since);
                }
                Some(Message::Taken(done)) => {
                    let _waiting: Result<(), ()> = done.send(());
                }
                Some(Message::Flush(done)) => {
                    sink.flush().await?;
                    took(|sink| &sink.flush_times, since);
                    let _waiting: Result<(), ()> = done.send(());
                }
                Some(Message::Prepare(done)) => {
                    let prepared = sink.prepare().await?;
                    took(|sink| &sink.flush_times, since);
                    let _waiting: Result<(), _> = done.send(prepared);
                }
                Some(Message::Publish(done)) => {
                    sink.publish().await?;
                    took(|sink| &sink.flush_times, since);
                    let _waiting: Result<(), ()> = done.send(());
                }
                Some(Message::Commit(keep, done)) => {
                    sink.commit(&keep).await?;
                    took(|sink| &sink.flush_times, since);
                    let _waiting: Result<(), ()> = done.send(());
                }
                Some(Message::Close) => {
                    sink.close().await?;
                    took(|sink| &sink.flush_times, since);
                    publish(&*sink);
                    return Ok(());
                }
                None => return Ok(()),
            }
            publish(&*sink);
        }
    }
}
