//! The commit: the one moment at which what was read becomes what was done.

use std::time::Instant;

use tokio::sync::oneshot;
use weir_sinks::{KafkaTransactions, Prepared, SinkError};

use super::chain::Chain;
use super::error::Cause;
use super::failpoint::failpoint;
use super::sink_task::SinkTask;
use super::state::{Manifest, NextNumber, PreparedFile, SourcePositions, StateFolder};

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
    pub(super) folder: StateFolder,
    pub(super) manifest: Manifest,
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
        if let Some(letters) = &mut self.dead_letters {
            letters.flush().await?;
        }
        failpoint("commit.letters");
        self.settle_sinks().await?;
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
                self.save(Vec::new())?;
            }
            Committing::Manifest(_) => {
                let files = self.prepare_sinks().await?;
                failpoint("commit.prepared");
                self.save(files)?;
                failpoint("commit.saved");
                self.publish_sinks().await?;
                failpoint("commit.published");
            }
            Committing::Transaction(transactions) => {
                let transactions = transactions.clone();
                self.flush_sinks().await?;
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

    fn committed(&mut self) {
        self.metrics.commit();
        self.counters.committed_records.add(self.uncommitted_records);
        self.counters.commits.add(1);
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
    fn save(&mut self, files: Vec<(String, Prepared)>) -> Result<(), Cause> {
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
        manifest.metrics = self.metrics.store();
        Ok(kept.folder.save(&kept.manifest)?)
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
