//! The commit: the one moment at which what was read becomes what was done.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use weir_sinks::{KafkaTransactions, Prepared, SinkError};

use super::chain::Chain;
use super::error::Cause;
use super::failpoint::failpoint;
use super::metric_state::Snapshot;
use super::sink_task::SinkTask;
use super::state::{Manifest, NextNumber, PreparedFile, SourcePositions, StateError, StateFolder, WRITER};
use crate::source::SourceError;

/// What makes a commit one.
pub(super) enum Committing {
    /// Sinks are flushed, and then positions are kept: a crash in between repeats records, and loses none.
    AtLeastOnce(Option<Kept>),
    /// Sinks prepare, a manifest names what they prepared together with the positions, and sinks publish. The manifest's
    /// rename is the commit.
    Manifest(Kept),
    /// Output and positions are in one transaction of Kafka's.
    Transaction(KafkaTransactions),
}

/// A query's state folder, with what it says.
pub(super) struct Kept {
    pub(super) folder: Arc<StateFolder>,
    /// Without metrics: these come from the registry at each commit.
    pub(super) manifest: Manifest,
    // The writing that is under way; it goes on where nobody waits for it any more.
    saving: Option<JoinHandle<Result<(), StateError>>>,
}

/// Manifests that are written at once in this process: each holds a thread, and a disk that is slow for one is for all.
static SAVING: Semaphore = Semaphore::const_new(4);

impl Kept {
    pub(super) fn new(folder: StateFolder, mut manifest: Manifest) -> Kept {
        manifest.written_by = WRITER.to_owned();
        Kept { folder: Arc::new(folder), manifest, saving: None }
    }

    /// Writes the manifest with these metrics, on a thread that no task of the runtime needs.
    async fn save(&mut self, metrics: Snapshot) -> Result<(), StateError> {
        let (folder, mut manifest) = (Arc::clone(&self.folder), self.manifest.clone());
        let turn = SAVING.acquire().await.map_err(|error| StateError::Thread(error.to_string()))?;
        self.saving = Some(tokio::task::spawn_blocking(move || {
            manifest.metrics = metrics.into_stored();
            let saved = folder.save(&manifest);
            drop(turn);
            saved
        }));
        self.saved().await.unwrap_or(Ok(()))
    }

    /// How the writing that is under way ended; `None` where none is.
    pub(super) async fn saved(&mut self) -> Option<Result<(), StateError>> {
        let done = self.saving.as_mut()?.await;
        self.saving = None;
        Some(done.unwrap_or_else(|error| Err(StateError::Thread(error.to_string()))))
    }
}

/// What the sources are asked before a commit, each with its name.
struct Vouching(Vec<(String, JoinHandle<Result<(), SourceError>>)>);

impl Vouching {
    async fn done(self) -> Result<(), Cause> {
        for (name, asked) in self.0 {
            let answer = asked.await.unwrap_or_else(|error| Err(SourceError::Thread(error.to_string())));
            answer.map_err(|source| Cause::Source { name, source })?;
        }
        Ok(())
    }
}

impl Chain {
    /// Makes everything taken in durable, dead letters first, and then counts it: metrics fold, progress moves on.
    pub(super) async fn commit(&mut self) -> Result<(), Cause> {
        if self.uncommitted_records == 0 && !self.moved {
            return Ok(());
        }
        self.commit_all(false).await
    }

    /// As a commit, with every sink closed: the last one.
    pub(super) async fn commit_last(&mut self) -> Result<(), Cause> {
        self.commit_all(true).await
    }

    async fn commit_all(&mut self, last: bool) -> Result<(), Cause> {
        let records = self.uncommitted_records;
        let span = self.spans.as_mut().and_then(|spans| spans.commit(records));
        let done = self.commit_in_steps(last).await;
        if let (Some(mut span), Err(error)) = (span, &done) {
            span.fail(error);
        }
        done
    }

    async fn commit_in_steps(&mut self, last: bool) -> Result<(), Cause> {
        let started = Instant::now();
        failpoint("commit.begin");
        // What they refuse is dead-lettered in this commit.
        self.settle_sinks().await?;
        self.take_refused()?;
        if let Some(letters) = &mut self.dead_letters {
            letters.flush().await?;
        }
        failpoint("commit.letters");
        match &self.committing {
            Committing::AtLeastOnce(_) => {
                if last {
                    self.close_sinks().await?;
                } else {
                    self.flush_sinks().await?;
                }
                failpoint("commit.sinks");
                self.keep_positions().await?;
                failpoint("commit.positions");
                self.save(Vec::new()).await?;
            }
            Committing::Manifest(_) => {
                let vouched = self.vouch();
                let files = self.prepare_sinks().await?;
                vouched.done().await?;
                failpoint("commit.prepared");
                self.save(files).await?;
                failpoint("commit.saved");
                self.publish_sinks().await?;
                failpoint("commit.published");
            }
            Committing::Transaction(transactions) => {
                let transactions = transactions.clone();
                let vouched = self.vouch();
                self.flush_sinks().await?;
                vouched.done().await?;
                failpoint("commit.sinks");
                let mut offsets = Vec::new();
                for (index, (keeper, positions)) in self.keepers.iter().zip(&self.positions).enumerate() {
                    let Some(keeper) = keeper.as_ref().filter(|_| !positions.is_empty()) else { continue };
                    offsets.push(keeper.of_transaction(positions).map_err(|source| match source.is_lost() {
                        true => Cause::Lost {
                            name: self.source_name(index),
                            partitions: positions.iter().map(|(partition, _)| partition.clone()).collect(),
                        },
                        false => Cause::Source { name: self.source_name(index), source },
                    })?);
                }
                failpoint("commit.offsets");
                transactions.commit(offsets).await?;
                failpoint("commit.transaction");
            }
        }
        // Committed from here on: what fails below fails a query whose output is there.
        self.committed();
        self.counters.commit_times.add(started.elapsed());
        if last && !matches!(self.committing, Committing::AtLeastOnce(_)) {
            self.close_sinks().await?;
        }
        if last && let Some(letters) = &mut self.dead_letters {
            letters.close().await?;
        }
        Ok(())
    }

    /// Has the sources make sure, while the sinks are flushed, that what was read is of the topics that it was taken for.
    fn vouch(&self) -> Vouching {
        let mut asked = Vec::new();
        for (index, (keeper, positions)) in self.keepers.iter().zip(&self.positions).enumerate() {
            if let Some(keeper) = keeper.clone().filter(|_| !positions.is_empty()) {
                let positions = positions.clone();
                asked.push((self.source_name(index), tokio::spawn(async move { keeper.vouch(&positions).await })));
            }
        }
        Vouching(asked)
    }

    /// Waits for a manifest whose writing was begun before the attempt failed. With it the commit is done, whatever failed.
    pub(super) async fn settle_commit(&mut self) {
        let kept = match &mut self.committing {
            Committing::Manifest(kept) | Committing::AtLeastOnce(Some(kept)) => kept,
            Committing::AtLeastOnce(None) | Committing::Transaction(_) => return,
        };
        match kept.saved().await {
            None => {}
            Some(Ok(())) => self.committed(),
            Some(Err(error)) => tracing::warn!("the last commit was not written: {error}"),
        }
    }

    fn committed(&mut self) {
        self.metrics.commit();
        self.counters.commit(self.uncommitted_records);
        self.places.committed(&self.positions);
        (self.uncommitted_records, self.moved) = (0, false);
    }

    /// Tells the sources' own systems how far they were read.
    async fn keep_positions(&mut self) -> Result<(), Cause> {
        for index in 0..self.keepers.len() {
            let (Some(Some(keeper)), Some(positions)) = (self.keepers.get(index), self.positions.get(index)) else {
                continue;
            };
            if positions.is_empty() {
                continue;
            }
            match keeper.commit(positions).await {
                Ok(()) => {}
                // Whoever reads the partitions now begins where the last commit was, and repeats what is there already.
                Err(error) if error.is_lost() => {
                    tracing::warn!(source = self.source_name(index), "positions were not kept: {error}");
                    if let Some(positions) = self.positions.get_mut(index) {
                        *positions = Default::default();
                    }
                }
                Err(source) => return Err(Cause::Source { name: self.source_name(index), source }),
            }
        }
        Ok(())
    }

    /// Writes the manifest, where there is one.
    async fn save(&mut self, files: Vec<(String, Prepared)>) -> Result<(), Cause> {
        let letters = self.dead_letters.as_ref().and_then(|letters| letters.file_bytes());
        let kept = match &mut self.committing {
            Committing::Manifest(kept) | Committing::AtLeastOnce(Some(kept)) => kept,
            Committing::AtLeastOnce(None) | Committing::Transaction(_) => return Ok(()),
        };
        let manifest = &mut kept.manifest;
        // Whoever may write to the folder may have put anything there.
        manifest.commits = manifest.commits.saturating_add(1);
        manifest.records = manifest.records.saturating_add(self.uncommitted_records);
        let sources = self.plan.sources.iter().zip(&self.positions);
        manifest.keep_sources(
            sources.map(|(source, place)| SourcePositions::new(&source.name_in_manifest(), place)).collect(),
        );
        for (sink, prepared) in &files {
            let next = prepared.number.saturating_add(1);
            match manifest.next_numbers.iter_mut().find(|known| known.sink == *sink) {
                Some(known) => known.number = known.number.max(next),
                None => manifest.next_numbers.push(NextNumber { sink: sink.clone(), number: next }),
            }
        }
        let file = |(_, Prepared { hidden, path, number })| PreparedFile { hidden, path, number };
        manifest.files = files.into_iter().map(file).collect();
        manifest.dead_letter_bytes = letters;
        Ok(kept.save(self.metrics.snapshot()).await?)
    }

    /// Waits until every sink has taken what is queued for it, so that none publishes while another fails on a batch.
    async fn settle_sinks(&mut self) -> Result<(), Cause> {
        let mut taken = Vec::with_capacity(self.sinks.len());
        for sink in &mut self.sinks {
            taken.push(sink.taken().await?);
        }
        self.all_answer(taken).await.map(drop)
    }

    async fn flush_sinks(&mut self) -> Result<(), Cause> {
        let mut flushed = Vec::with_capacity(self.sinks.len());
        for sink in &mut self.sinks {
            flushed.push(sink.flush().await?);
        }
        self.all_answer(flushed).await.map(drop)
    }

    async fn prepare_sinks(&mut self) -> Result<Vec<(String, Prepared)>, Cause> {
        let mut prepared = Vec::with_capacity(self.sinks.len());
        for sink in &mut self.sinks {
            prepared.push(sink.prepare().await?);
        }
        let prepared = self.all_answer(prepared).await?.into_iter().zip(self.sinks.iter().map(SinkTask::name));
        Ok(prepared
            .flat_map(|(files, sink)| files.unwrap_or_default().into_iter().map(|file| (sink.to_string(), file)))
            .collect())
    }

    async fn publish_sinks(&mut self) -> Result<(), Cause> {
        let mut published = Vec::with_capacity(self.sinks.len());
        for sink in &mut self.sinks {
            published.push(sink.publish().await?);
        }
        self.all_answer(published).await.map(drop)
    }

    async fn close_sinks(&mut self) -> Result<(), Cause> {
        for sink in &mut self.sinks {
            sink.close().await?;
        }
        Ok(())
    }

    /// Waits for an answer of every sink. One that does not answer has ended: well only if its reader went away.
    async fn all_answer<T>(&mut self, answers: Vec<oneshot::Receiver<T>>) -> Result<Vec<Option<T>>, Cause> {
        let mut all = Vec::with_capacity(answers.len());
        for (sink, answer) in self.sinks.iter_mut().zip(answers) {
            match answer.await {
                Ok(answer) => all.push(Some(answer)),
                Err(_dropped) => {
                    sink.outcome().await?;
                    if !sink.reader_gone() {
                        return Err(Cause::Sink { name: sink.name().to_string(), source: SinkError::ended() });
                    }
                    all.push(None);
                }
            }
        }
        Ok(all)
    }
}
