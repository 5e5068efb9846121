//! Writes files that become visible only when they are complete.

mod config;
mod numbering;
mod part;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use weir_batch::{Batch, Schema};
use weir_files::{FileType, Folder};

use crate::blocking::off_thread;
use crate::phase::Phase;
use crate::{Prepared, Sink, SinkError, SinkStats, Written};
pub use config::{FileSinkConfig, IfExists};
use numbering::Numbering;
pub use part::publish_prepared;
use part::{Finished, Part};

/// Writes one file, or numbered files.
///
/// Records are written to a hidden file in the same folder. A flush completes it, syncs it, renames it to its final name and syncs
/// the folder. So a visible file is complete, even after a crash of the machine.
///
/// Only numbered files support two-phase commits ([`Sink::prepare`], [`Sink::publish`]).
///
/// A sink with numbers continues with the next number. A sink without numbers has one file: a flush publishes it, and later writes
/// fail with [`SinkError::Published`]. If no record was written, `close` publishes an empty file without numbers (so that readers
/// know that there is nothing), but no numbered file. If the sink is dropped without `close`, it publishes nothing and removes its
/// hidden file.
pub struct FileSink {
    inner: Option<Inner>,
    phase: Phase,
    stats: SinkStats,
    deadline: Option<Instant>,
}

/// The state that moves to the blocking thread and back.
struct Inner {
    config: Arc<FileSinkConfig>,
    schema: Arc<Schema>,
    // All files are created and renamed through this handle, so renaming folders of the path has no effect.
    folder: Arc<Folder>,
    // Created with the first record.
    part: Option<Part>,
    // Complete files that wait for the flush.
    held: Vec<Finished>,
    // Durable files that are not visible yet; the caller of `prepare` knows them.
    prepared: Vec<(Finished, Prepared)>,
    next_number: u64,
    published: u64,
    published_bytes: u64,
}

impl FileSink {
    /// Opens the sink: creates the folder if it is missing, and removes hidden files of dead sinks with the same path.
    ///
    /// # Errors
    ///
    /// Settings that [`FileSinkConfig::validate`] refuses; a file that exists and must not be replaced; a path that is not a file;
    /// a folder that cannot be written to.
    pub async fn open(config: &FileSinkConfig, schema: &Arc<Schema>) -> Result<FileSink, SinkError> {
        config.validate()?;
        let (config, schema) = (Arc::new(config.clone()), Arc::clone(schema));
        let inner = off_thread(move || {
            let folder = config.open_folder();
            let folder = folder.map_err(|source| SinkError::file("create the folder", config.folder(), source))?;
            let folder = Arc::new(folder);
            check_path(&config, &folder)?;
            part::remove_leftovers(&config, &folder)?;
            // Checks early whether the folder can be written to, and whether the encoder accepts the schema.
            let part = Part::create(&config, &schema, &folder)?;
            let next_number = config.number_min;
            Ok(Inner {
                config,
                schema,
                folder,
                part: Some(part),
                held: Vec::new(),
                prepared: Vec::new(),
                next_number,
                published: 0,
                published_bytes: 0,
            })
        });
        let inner = Some(inner.await?);
        Ok(FileSink { inner, phase: Phase::Open, stats: SinkStats::default(), deadline: None })
    }

    /// Runs a step on a blocking thread. After an error the hidden file is removed.
    async fn step(
        &mut self,
        step: impl FnOnce(&mut Inner) -> Result<(), SinkError> + Send + 'static,
    ) -> Result<(), SinkError> {
        self.phase.check()?;
        let Some(mut inner) = self.inner.take() else { return Err(SinkError::AfterError) };
        // The deadline is for the file that this step may publish or lose.
        self.deadline = None;
        let done = off_thread(move || step(&mut inner).map(|()| inner)).await;
        let inner = self.phase.keep(done)?;
        self.stats.bytes = inner.published_bytes.saturating_add(inner.pending_bytes());
        self.stats.files = inner.published;
        self.deadline = inner.deadline();
        self.inner = Some(inner);
        Ok(())
    }
}

/// Refuses a path at which no file can be published.
fn check_path(config: &FileSinkConfig, folder: &Folder) -> Result<(), SinkError> {
    if config.is_numbered() {
        return Ok(());
    }
    let path = &config.path;
    let there = folder.stat(config.file_name()).map_err(|source| SinkError::file("read", path, source))?;
    match there.map(|there| FileType::from_raw_mode(there.st_mode)) {
        None => Ok(()),
        Some(FileType::Directory) => Err(SinkError::NotAFile { path: path.clone(), found: "a folder" }),
        // A rename would replace the link instead of the file to which it points.
        Some(FileType::Symlink) => Err(SinkError::NotAFile { path: path.clone(), found: "a link" }),
        Some(FileType::RegularFile) if config.if_exists == IfExists::Fail => {
            Err(SinkError::FileExists { path: path.clone() })
        }
        Some(FileType::RegularFile) => Ok(()),
        // A rename would replace a device by a file.
        Some(_) => Err(SinkError::NotAFile { path: path.clone(), found: "not a regular file" }),
    }
}

impl Inner {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if self.part.is_none() {
            if !self.config.is_numbered() {
                return Err(SinkError::Published { path: self.config.path.clone() });
            }
            self.part = Some(Part::create(&self.config, &self.schema, &self.folder)?);
        }
        let Some(part) = &mut self.part else { return Err(SinkError::AfterError) };
        part.write(&self.config.path, batch)?;
        match self.config.rotate_bytes_max {
            Some(bytes_max) if part.records() > 0 && part.bytes() >= bytes_max => self.rotate(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match &self.part {
            Some(part) if part.records() > 0 => self.publish_all(),
            _ if !self.held.is_empty() => {
                self.part = None;
                self.publish_all()
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        match &self.part {
            Some(part) if part.records() > 0 || !self.config.is_numbered() => self.publish_all(),
            _ => {
                self.part = None;
                self.publish_all()
            }
        }
    }

    /// Completes the current file. Publishes it at once, unless it must wait for the flush.
    fn rotate(&mut self) -> Result<(), SinkError> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let finished = part.finish(&self.config.path)?;
        if self.config.held_until_flush {
            self.held.push(finished);
            return Ok(());
        }
        self.publish_one(finished)
    }

    fn publish_one(&mut self, finished: Finished) -> Result<(), SinkError> {
        let bytes = finished.bytes;
        if self.config.is_numbered() {
            let numbering = Numbering::new(&self.config);
            let first = numbering.next(&self.folder)?.max(self.config.number_min);
            // Another sink with the same path may use a number first.
            finished.publish((first..=u64::MAX).map(|number| numbering.name(number)), IfExists::Fail)?;
        } else {
            // The path may have changed since the sink was opened.
            check_path(&self.config, &self.folder)?;
            finished.publish(std::iter::once(self.config.file_name().to_owned()), self.config.if_exists)?;
        }
        self.count(bytes);
        Ok(())
    }

    fn count(&mut self, bytes: u64) {
        self.published = self.published.saturating_add(1);
        self.published_bytes = self.published_bytes.saturating_add(bytes);
    }

    /// Publishes everything. In a two-phase commit, the files are published in the order of their records.
    fn publish_all(&mut self) -> Result<(), SinkError> {
        if let Some(part) = self.part.take() {
            let finished = part.finish(&self.config.path)?;
            self.held.push(finished);
        }
        for finished in std::mem::take(&mut self.held) {
            self.publish_one(finished)?;
        }
        Ok(())
    }

    fn prepare(&mut self) -> Result<Vec<Prepared>, SinkError> {
        if !self.config.is_numbered() {
            return Err(SinkError::OneStep);
        }
        if self.part.as_ref().is_some_and(|part| part.records() > 0)
            && let Some(part) = self.part.take()
        {
            self.held.push(part.finish(&self.config.path)?);
        }
        if self.held.is_empty() {
            return Ok(Vec::new());
        }
        // Only files that exist are returned to the caller, who stores their names.
        self.held.iter_mut().try_for_each(Finished::check)?;
        // The hidden names must be durable before the caller stores them.
        part::sync_folder(&self.folder)?;
        let numbering = Numbering::new(&self.config);
        let mut number = numbering.next(&self.folder)?.max(self.next_number);
        for mut finished in std::mem::take(&mut self.held) {
            // The process that publishes them may have another current folder.
            let absolute = |path: &Path| {
                std::path::absolute(path).map_err(|source| SinkError::file("tell the full path of", path, source))
            };
            let path = absolute(&self.folder.path().join(numbering.name(number)))?;
            let hidden = absolute(&finished.keep())?;
            self.prepared.push((finished, Prepared { hidden, path, number }));
            number = number.saturating_add(1);
        }
        self.next_number = number;
        Ok(self.prepared.iter().map(|(_, prepared)| prepared.clone()).collect())
    }

    fn publish_prepared(&mut self) -> Result<(), SinkError> {
        for (finished, prepared) in std::mem::take(&mut self.prepared) {
            let bytes = finished.bytes;
            let name = prepared.path.file_name().unwrap_or_default().to_owned();
            finished.publish(std::iter::once(name), IfExists::Fail)?;
            self.count(bytes);
        }
        Ok(())
    }

    fn pending_bytes(&self) -> u64 {
        let held: u64 = self.held.iter().map(|finished| finished.bytes).sum();
        held + self.part.as_ref().filter(|part| part.records() > 0).map_or(0, Part::bytes)
    }

    fn deadline(&self) -> Option<Instant> {
        let part = self.part.as_ref().filter(|part| part.records() > 0)?;
        part.opened().checked_add(self.config.rotate_after?)
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError> {
        let mut stats = self.stats;
        stats.count(&batch, 0);
        self.step(move |inner| inner.write(&batch)).await?;
        self.stats = SinkStats { bytes: self.stats.bytes, files: self.stats.files, ..stats };
        // With a continuous stream nobody calls `tick`.
        self.tick().await?;
        Ok(Written::ALL)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.step(Inner::flush).await
    }

    async fn prepare(&mut self) -> Result<Vec<Prepared>, SinkError> {
        let (answer, prepared) = std::sync::mpsc::sync_channel(1);
        self.step(move |inner| {
            let prepared = inner.prepare()?;
            // The receiver outlives the step.
            let _received: Result<(), _> = answer.send(prepared);
            Ok(())
        })
        .await?;
        prepared.recv().map_err(|_| SinkError::Ended)
    }

    async fn publish(&mut self) -> Result<(), SinkError> {
        self.step(Inner::publish_prepared).await
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        if self.phase == Phase::Closed {
            return Ok(());
        }
        self.step(Inner::finish).await?;
        self.phase = Phase::Closed;
        self.inner = None;
        self.deadline = None;
        Ok(())
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.deadline
    }

    async fn tick(&mut self) -> Result<(), SinkError> {
        match self.deadline {
            Some(deadline) if deadline <= Instant::now() => self.step(Inner::rotate).await,
            _ => Ok(()),
        }
    }
}
