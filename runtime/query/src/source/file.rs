//! Files as a source: one after the other, each a partition.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::arrow::array::Int32Array;
use weir_batch::format::{Decoded, Decoder, Fill, Format, open_decoder};
use weir_batch::{Batch, Schema};

use super::{Origin, Source, SourceBatch, SourceError};
use crate::file::Folders;

/// Reads files in the order given. `_partition` is the file's place in the list, `_offset` the record's in its file.
/// Decoding runs on a blocking thread; one batch is in memory at a time.
pub struct FileSource {
    schema: Arc<Schema>,
    // `None` only while a blocking thread has it, or after such a thread died.
    files: Option<Files>,
}

impl FileSource {
    /// A source over these files; none is opened before the first batch is asked for.
    pub fn new(paths: Vec<PathBuf>, format: Format, schema: Arc<Schema>, fill: Fill) -> FileSource {
        let files = Files {
            paths,
            folders: Folders::anywhere(),
            format,
            schema: Arc::clone(&schema),
            fill,
            next_path: 0,
            open: None,
            partition: None,
        };
        FileSource { schema, files: Some(files) }
    }

    /// The same, kept to these folders: a file that turns out to lie elsewhere once it is open is an error.
    pub fn within(mut self, folders: Folders) -> FileSource {
        if let Some(files) = &mut self.files {
            files.folders = folders;
        }
        self
    }
}

#[async_trait]
impl Source for FileSource {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    async fn next(&mut self) -> Result<Option<SourceBatch>, SourceError> {
        let Some(mut files) = self.files.take() else {
            return Err(SourceError::Thread("an earlier read did not come back".to_owned()));
        };
        let read = tokio::task::spawn_blocking(move || {
            let next = files.next();
            (files, next)
        });
        let (files, next) = read.await.map_err(|error| SourceError::Thread(error.to_string()))?;
        self.files = Some(files);
        next
    }
}

/// The files still to be read.
struct Files {
    paths: Vec<PathBuf>,
    folders: Folders,
    format: Format,
    schema: Arc<Schema>,
    fill: Fill,
    next_path: usize,
    open: Option<Box<dyn Decoder>>,
    // All batches of a file share one `_partition` column, as slices of the longest made so far.
    partition: Option<Int32Array>,
}

impl Files {
    fn next(&mut self) -> Result<Option<SourceBatch>, SourceError> {
        loop {
            let Some(decoder) = &mut self.open else {
                let Some(path) = self.paths.get(self.next_path) else { return Ok(None) };
                let file = self.folders.open(path).map_err(|source| SourceError::Io { path: path.clone(), source })?;
                let decoder = open_decoder(self.format, file, Some(&self.schema), self.fill)
                    .map_err(|source| SourceError::Format { path: path.clone(), source })?;
                self.open = Some(decoder);
                self.partition = None;
                self.next_path += 1;
                continue;
            };
            let decoded = decoder.next().map_err(|source| {
                let path = self.paths.get(self.next_path.saturating_sub(1)).cloned().unwrap_or_default();
                SourceError::Format { path, source }
            })?;
            match decoded {
                Some(decoded) => return self.with_partition(decoded).map(Some),
                None => self.open = None,
            }
        }
    }

    fn with_partition(&mut self, decoded: Decoded) -> Result<SourceBatch, SourceError> {
        let rows = decoded.batch.physical_rows();
        let number = i32::try_from(self.next_path.saturating_sub(1)).unwrap_or(i32::MAX);
        let long_enough = self.partition.take().filter(|column| column.values().len() >= rows);
        let column = long_enough.unwrap_or_else(|| Int32Array::from_value(number, rows));
        let mut system = decoded.batch.system().clone();
        system.partition = Some(column.slice(0, rows));
        self.partition = Some(column);
        let batch: Batch = decoded.batch.with_system(system)?;
        let path = self.paths.get(self.next_path.saturating_sub(1)).cloned().unwrap_or_default();
        let origin = Some(Origin { path, partition: number });
        Ok(SourceBatch { batch, bad: decoded.bad, bytes: decoded.bytes_read, origin })
    }
}
