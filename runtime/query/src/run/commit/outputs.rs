//! What is asked of all sinks of a query at once.

use tokio::sync::oneshot;
use weir_sinks::Prepared;

use crate::run::error::Cause;
use crate::run::ids::{Nodes, SinkId};
use crate::run::running_sink::RunningSink;

type Sinks<'p> = Nodes<SinkId, RunningSink<'p>>;

/// Waits until every sink has taken what is queued for it, so that none publishes while another fails on a batch.
pub(in crate::run) async fn settle_all(sinks: &mut Sinks<'_>) -> Result<(), Cause> {
    let mut taken = Vec::new();
    for sink in sinks.iter_mut() {
        taken.push(sink.taken().await?);
    }
    all_answer(sinks, taken).await.map(drop)
}

pub(super) async fn flush_all(sinks: &mut Sinks<'_>) -> Result<(), Cause> {
    let mut flushed = Vec::new();
    for sink in sinks.iter_mut() {
        flushed.push(sink.flush().await?);
    }
    all_answer(sinks, flushed).await.map(drop)
}

/// What each sink has prepared, with the sink's name.
pub(super) async fn prepare_all(sinks: &mut Sinks<'_>) -> Result<Vec<(String, Prepared)>, Cause> {
    let mut prepared = Vec::new();
    for sink in sinks.iter_mut() {
        prepared.push(sink.prepare().await?);
    }
    let prepared = all_answer(sinks, prepared).await?.into_iter().zip(sinks.iter().map(RunningSink::name));
    Ok(prepared
        .flat_map(|(files, sink)| files.unwrap_or_default().into_iter().map(|file| (sink.to_string(), file)))
        .collect())
}

pub(super) async fn publish_all(sinks: &mut Sinks<'_>) -> Result<(), Cause> {
    let mut published = Vec::new();
    for sink in sinks.iter_mut() {
        published.push(sink.publish().await?);
    }
    all_answer(sinks, published).await.map(drop)
}

pub(in crate::run) async fn close_all(sinks: &mut Sinks<'_>) -> Result<(), Cause> {
    for sink in sinks.iter_mut() {
        sink.close().await?;
    }
    Ok(())
}

/// Waits for an answer of every sink.
async fn all_answer<T>(sinks: &mut Sinks<'_>, answers: Vec<oneshot::Receiver<T>>) -> Result<Vec<Option<T>>, Cause> {
    let mut all = Vec::with_capacity(answers.len());
    for (sink, answer) in sinks.iter_mut().zip(answers) {
        all.push(sink.answer(answer).await?);
    }
    Ok(all)
}
