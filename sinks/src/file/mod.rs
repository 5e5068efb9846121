//! Files that appear whole or not at all.

mod config;
mod numbering;
mod part;

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use weir_batch::{Batch, Schema};

use crate::blocking::off_thread;
use crate::phase::Phase;
use crate::{Sink, SinkError, SinkStats};
pub use config::{FileSinkConfig, IfExists};
use numbering::Numbering;
use part::Part;

/// Writes a file, or a row of numbered ones.
///
/// Records go to a hidden file in the same folder. A flush finishes it, syncs it, gives it its final name and syncs the
/// folder, so that a file is whole from the moment it is seen, also after the loss of the machine.
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
    // Made by the first record.
    part: Option<Part>,
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
            let folder = config.folder();
            fs::create_dir_all(folder).map_err(|source| SinkError::file("create the folder", folder, source))?;
            check_path(&config)?;
            part::remove_leftovers(&config)?;
            // Shows at once whether the folder can be written to, and what the encoder says of the schema.
            let part = Part::create(&config, &schema)?;
            Ok(Inner { config, schema, part: Some(part), published: 0, published_bytes: 0 })
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
fn check_path(config: &FileSinkConfig) -> Result<(), SinkError> {
    if config.is_numbered() {
        return Ok(());
    }
    let path = &config.path;
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(SinkError::file("read", path, source)),
        Ok(there) if there.is_dir() => Err(SinkError::NotAFile { path: path.clone(), found: "a folder" }),
        // A rename would replace a device by a file.
        Ok(there) if !there.is_file() => Err(SinkError::NotAFile { path: path.clone(), found: "no regular file" }),
        Ok(_) if config.if_exists == IfExists::Fail => Err(SinkError::FileExists { path: path.clone() }),
        Ok(_) => Ok(()),
    }
}

impl Inner {
    fn write(&mut self, batch: &Batch) -> Result<(), SinkError> {
        if self.part.is_none() {
            if !self.config.is_numbered() {
                return Err(SinkError::Published { path: self.config.path.clone() });
            }
            self.part = Some(Part::create(&self.config, &self.schema)?);
        }
        let Some(part) = &mut self.part else { return Err(SinkError::AfterError) };
        part.write(&self.config.path, batch)?;
        match self.config.rotate_bytes_max {
            Some(bytes_max) if part.records() > 0 && part.bytes() >= bytes_max => self.publish(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match &self.part {
            Some(part) if part.records() > 0 => self.publish(),
            _ => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<(), SinkError> {
        match &self.part {
            Some(part) if part.records() > 0 || !self.config.is_numbered() => self.publish(),
            _ => {
                self.part = None;
                Ok(())
            }
        }
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        let Some(part) = self.part.take() else { return Ok(()) };
        let folder = self.config.folder();
        let (_, bytes) = if self.config.is_numbered() {
            let numbering = Numbering::new(&self.config);
            let first = numbering.next()?;
            // Another sink over the same path may take a number first.
            part.publish((first..).map(|number| numbering.path(number)), IfExists::Fail, folder)?
        } else {
            // What stands there may have changed since the opening.
            check_path(&self.config)?;
            part.publish(std::iter::once(self.config.path.clone()), self.config.if_exists, folder)?
        };
        self.published = self.published.saturating_add(1);
        self.published_bytes = self.published_bytes.saturating_add(bytes);
        Ok(())
    }

    fn pending_bytes(&self) -> u64 {
        self.part.as_ref().filter(|part| part.records() > 0).map_or(0, Part::bytes)
    }

    fn deadline(&self) -> Option<Instant> {
        let part = self.part.as_ref().filter(|part| part.records() > 0)?;
        part.opened().checked_add(self.config.rotate_after?)
    }
}

#[async_trait]
impl Sink for FileSink {
    async fn write(&mut self, batch: Arc<Batch>) -> Result<(), SinkError> {
        let mut stats = self.stats;
        stats.count(&batch);
        self.step(move |inner| inner.write(&batch)).await?;
        self.stats = SinkStats { bytes: self.stats.bytes, files: self.stats.files, ..stats };
        // With a steady stream nobody calls `tick`.
        self.tick().await
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.step(Inner::flush).await
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
            Some(deadline) if deadline <= Instant::now() => self.flush().await,
            _ => Ok(()),
        }
    }
}
