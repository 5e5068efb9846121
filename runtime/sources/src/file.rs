//! Files as a source: read one after the other, each a partition.

mod change;
mod files;
mod mark;
#[cfg(test)]
mod tests;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use weir_batch::Schema;
use weir_files::Folders;
use weir_formats::{CsvOptions, Fill, Format};
use weir_state::Positions;

pub use self::change::{Changed, FileChange, OnChange, Since};
use self::files::{Files, Step};
use crate::new_keys::NewKeyCount;
use crate::{Source, SourceError, SourceEvent};

/// Reads files in the given order. `_partition` is the file's index in the list, `_offset` the record's number in its file.
///
/// Decoding runs on a blocking thread, which counts towards the limit for all sources of a query. One batch is in memory at a time.
/// Waiting for a pipe or terminal uses no thread: an idle one only holds a file descriptor.
pub struct FileSource {
    schema: Arc<Schema>,
    // Permits for the blocking threads of the query's sources.
    share: Arc<Semaphore>,
    // `None` only while a blocking thread uses it, or after such a thread panicked.
    files: Option<Files>,
    // The current read. If the caller stops waiting, the next call continues to wait for it.
    reading: Option<JoinHandle<(Files, Result<Step, SourceError>)>>,
    paused: bool,
}

impl FileSource {
    /// The maximum number of threads that all file sources of a query may use at once. A read uses one while it decodes a batch; on
    /// a network file system that does not respond, for as long as that lasts.
    pub const THREADS_MAX: usize = 8;

    /// A source of these files. None is opened before the first batch is requested.
    pub fn new(paths: Vec<PathBuf>, format: Format, schema: Arc<Schema>, fill: Fill) -> FileSource {
        let files = Files::new(paths, format, Arc::clone(&schema), fill);
        let share = Arc::new(Semaphore::new(FileSource::THREADS_MAX));
        FileSource { schema, share, files: Some(files), reading: None, paused: false }
    }

    /// Sets options for CSV.
    #[must_use]
    pub fn with_csv(mut self, csv: CsvOptions) -> FileSource {
        if let Some(files) = &mut self.files {
            files.csv = csv;
        }
        self
    }

    /// Limits the source to these folders: a file that is elsewhere when it is open is an error.
    #[must_use]
    pub fn within(mut self, folders: Folders) -> FileSource {
        if let Some(files) = &mut self.files {
            files.folders = folders;
        }
        self
    }

    /// Sets what to do if a file has changed since its position was stored, or changes while it is read.
    #[must_use]
    pub fn on_change(mut self, on_change: OnChange) -> FileSource {
        if let Some(files) = &mut self.files {
            files.on_change = on_change;
        }
        self
    }

    /// Tells the source that an earlier attempt of this run read the files: what was written since then is what that attempt would
    /// have read later.
    #[must_use]
    pub fn again(mut self, again: bool) -> FileSource {
        if let Some(files) = &mut self.files {
            files.again = again;
        }
        self
    }

    /// Uses threads from these permits.
    #[must_use]
    pub fn sharing(mut self, share: Arc<Semaphore>) -> FileSource {
        self.share = share;
        self
    }

    /// Begins a read as soon as there are bytes and a free thread. If the caller stops waiting, nothing is lost.
    async fn begin(&mut self) -> Result<(), SourceError> {
        let lost = || SourceError::Thread("an earlier read has not finished".to_owned());
        let files = self.files.as_mut().ok_or_else(lost)?;
        files.ready().await?;
        let permit = Arc::clone(&self.share).acquire_owned().await;
        let permit = permit.map_err(|closed| SourceError::Thread(closed.to_string()))?;
        let mut files = self.files.take().ok_or_else(lost)?;
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let next = files.next();
            drop(permit);
            (files, next)
        }));
        Ok(())
    }
}

impl FileSource {
    /// Tells the source that its schema was inferred from this many records of each file: see [`Source::count_new_keys`].
    #[must_use]
    pub fn inferred_from(mut self, sample: u64) -> FileSource {
        if let Some(files) = &mut self.files {
            files.new_keys = Some(NewKeyCount { sample, count: Arc::default() });
        }
        self
    }
}

#[async_trait]
impl Source for FileSource {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        let Some(mut files) = self.files.take() else { return Ok(()) };
        let positions = positions.clone();
        let sought = tokio::task::spawn_blocking(move || {
            let sought = files.seek(&positions);
            (files, sought)
        });
        let (files, sought) = sought.await.map_err(|error| SourceError::Thread(error.to_string()))?;
        self.files = Some(files);
        sought
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        loop {
            if self.paused {
                // Waits until it is called again.
                return std::future::pending().await;
            }
            let Some(reading) = &mut self.reading else {
                self.begin().await?;
                continue;
            };
            let read = reading.await;
            self.reading = None;
            let (files, next) = read.map_err(|error| SourceError::Thread(error.to_string()))?;
            self.files = Some(files);
            match next? {
                Step::Batch(batch) => return Ok(Some(SourceEvent::Batch(*batch))),
                Step::Wait => {}
                Step::End => return Ok(None),
            }
        }
    }

    fn pause(&mut self, paused: bool) -> bool {
        self.paused = paused;
        true
    }

    fn count_new_keys(&mut self, count: &Arc<AtomicU64>) {
        if let Some(new_keys) = self.files.as_mut().and_then(|files| files.new_keys.as_mut()) {
            new_keys.count = Arc::clone(count);
        }
    }

    fn count_read_anew(&mut self, count: &Arc<AtomicU64>) {
        if let Some(files) = &mut self.files {
            count.fetch_add(files.read_anew.load(Ordering::Relaxed), Ordering::Relaxed);
            files.read_anew = Arc::clone(count);
        }
    }
}
