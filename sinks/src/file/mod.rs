//! Files that appear whole or not at all.

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

/// Writes a file, or a row of numbered ones.
///
/// Records go to a hidden file in the same folder. A flush finishes it, syncs it, gives it its final name and syncs the
/// folder, so that a file is whole from the moment it is seen, also after the loss of the machine.
///
/// In two steps ([`Sink::prepare`], [`Sink::publish`]) only a numbered one does it.
///
/// A numbered sink goes on with the next number. One without numbers has one file: a flush publishes it, and a write
/// afterwards fails with [`SinkError::Published`]. Closed without having seen a record, a sink without numbers still
/// publishes its file (readers are told that there is nothing), a numbered one none. Dropped without `close`, it
/// publishes nothing and removes its hidden file.
pub struct FileSink {
    inner: Option<Inner>,
    phase: Phase,
    stats: SinkStats,
    deadline: Option<Instant>,
}

/// What travels to the blocking thread and back.
struct Inner {
    config: Arc<FileSinkConfig>,
    schema: Arc<Schema>,
    // All files are made and named through this: nobody can move them elsewhere by renaming what the path names.
    folder: Arc<Folder>,
    // Made by the first record.
    part: Option<Part>,
    // Finished, and waiting for the flush.
    held: Vec<Finished>,
    // Durable, named to whoever commits them, and not yet visible.
    prepared: Vec<(Finished, Prepared)>,
    next_number: u64,
    published: u64,
    published_bytes: u64,
}

impl FileSink {
    /// Opens the sink: creates the folder where it is missing, and removes what dead sinks over the same path left.
    ///
    /// # Errors
    ///
    /// Settings that [`FileSinkConfig::validate`] refuses; a file that is there and may not be replaced; a path that is
    /// no file's; a folder that cannot be written to.
    pub async fn open(config: &FileSinkConfig, schema: &Arc<Schema>) -> Result<FileSink, SinkError> {
        config.validate()?;
        let (config, schema) = (Arc::new(config.clone()), Arc::clone(schema));
        let inner = off_thread(move || {
            let folder = config.open_folder();
            let folder = folder.map_err(|source| SinkError::file("create the folder", config.folder(), source))?;
            let folder = Arc::new(folder);
            check_path(&config, &folder)?;
            part::remove_leftovers(&config, &folder)?;
            // Shows at once whether the folder can be written to, and what the encoder says of the schema.
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

    /// Runs a step away from the async threads. After an error the hidden file is gone.
    async fn step(
        &mut self,
        step: impl FnOnce(&mut Inner) -> Result<(), SinkError> + Send + 'static,
    ) -> Result<(), SinkError> {
        self.phase.check()?;
        let Some(mut inner) = self.inner.take() else { return Err(SinkError::AfterError) };
        // The deadline belongs to what the step may publish or lose.
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

/// Refuses a path under which no file may be published.
fn check_path(config: &FileSinkConfig, folder: &Folder) -> Result<(), SinkError> {
    if config.is_numbered() {
        return Ok(());
    }
    let path = &config.path;
    let there = folder.stat(config.file_name()).map_err(|source| SinkError::file("read", path, source))?;
    match there.map(|there| FileType::from_raw_mode(there.st_mode)) {
        None => Ok(()),
        Some(FileType::Directory) => Err(SinkError::NotAFile { path: path.clone(), found: "a folder" }),
        // A rename would replace the link by a file, and leave what it leads to.
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

    /// Finishes the file at hand; published at once, unless it is to wait for the flush.
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
            // Another sink over the same path may take a number first.
            finished.publish((first..=u64::MAX).map(|number| numbering.name(number)), IfExists::Fail)?;
        } else {
            // What stands there may have changed since the opening.
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

    /// Publishes everything; in two steps what is held, so that the names are in the order of the records.
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
        // Whoever remembers them names what is there, and nothing else.
        self.held.iter_mut().try_for_each(Finished::check)?;
        // The hidden names have to last as long as whoever remembers them.
        part::sync_folder(&self.folder)?;
        let numbering = Numbering::new(&self.config);
        let mut number = numbering.next(&self.folder)?.max(self.next_number);
        for mut finished in std::mem::take(&mut self.held) {
            // Whoever publishes them may be started in another folder.
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
        // With a steady stream nobody calls `tick`.
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
