//! Files as a source: one after the other, each a partition.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::arrow::array::{Int32Array, new_empty_array};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::format::{Decoded, Decoder, Fill, Format, open_decoder};
use weir_batch::{Batch, Schema};

use super::{Origin, Partition, Positions, Source, SourceBatch, SourceError, SourceEvent};
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
            skip: 0,
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

    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        match &mut self.files {
            Some(files) => files.seek(positions),
            None => Ok(()),
        }
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        let Some(mut files) = self.files.take() else {
            return Err(SourceError::Thread("an earlier read did not come back".to_owned()));
        };
        let read = tokio::task::spawn_blocking(move || {
            let next = files.next();
            (files, next)
        });
        let (files, next) = read.await.map_err(|error| SourceError::Thread(error.to_string()))?;
        self.files = Some(files);
        Ok(next?.map(SourceEvent::Batch))
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
    // Records of the next file that were taken by an earlier run.
    skip: i64,
}

/// The file's name in positions: the same from whichever folder the query is run.
fn origin_of(path: &Path) -> Arc<str> {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into()
}

impl Files {
    /// Goes to where an earlier run stood. A file that was read to its end is not opened again.
    fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        for (partition, _) in positions.iter() {
            let path = usize::try_from(partition.number).ok().and_then(|number| self.paths.get(number));
            let now = path.map(|path| origin_of(path));
            if now.as_deref() != Some(&*partition.origin) {
                let found = now.map_or_else(|| "not in the list any more".to_owned(), |now| format!("{now} now"));
                return Err(SourceError::Moved { kept: partition.clone(), found });
            }
        }
        while let Some(path) = self.paths.get(self.next_path) {
            match positions.get(&self.partition_of(self.next_path)) {
                Some(Positions::END) => self.next_path += 1,
                Some(next) if next > 0 => {
                    if !path.is_file() {
                        let what = path.display().to_string();
                        return Err(SourceError::NotSeekable { what, found: "no regular file" });
                    }
                    self.skip = next;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn partition_of(&self, index: usize) -> Partition {
        let origin = self.paths.get(index).map(|path| origin_of(path)).unwrap_or_default();
        Partition { origin, number: i32::try_from(index).unwrap_or(i32::MAX) }
    }

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
                Some(decoded) => {
                    if let Some(read) = self.not_skipped(decoded)? {
                        return self.with_partition(read).map(Some);
                    }
                }
                None => {
                    self.open = None;
                    self.skip = 0;
                    return self.at_end().map(Some);
                }
            }
        }
    }

    /// What an earlier run did not take of it.
    fn not_skipped(&self, mut decoded: Decoded) -> Result<Option<Decoded>, SourceError> {
        if self.skip == 0 {
            return Ok(Some(decoded));
        }
        decoded.bad.retain(|bad| bad.offset >= self.skip);
        if let Some(offsets) = &decoded.batch.system().offset {
            let keep = BooleanBuffer::collect_bool(offsets.len(), |row| offsets.value(row) >= self.skip);
            decoded.batch = Arc::unwrap_or_clone(Arc::new(decoded.batch).filter(&keep)?);
        }
        Ok((!decoded.batch.is_empty() || !decoded.bad.is_empty()).then_some(decoded))
    }

    /// No records, and the position after the last one of the file.
    fn at_end(&self) -> Result<SourceBatch, SourceError> {
        let columns = self.schema.fields().iter().map(|field| new_empty_array(&field.data_type.to_arrow())).collect();
        let batch = Batch::with_rows(Arc::clone(&self.schema), columns, 0)?;
        let partition = self.partition_of(self.next_path.saturating_sub(1));
        let positions = Positions::from_iter([(partition, Positions::END)]);
        Ok(SourceBatch { batch, bad: Vec::new(), bad_system: None, bytes: 0, origin: None, positions })
    }

    fn with_partition(&mut self, decoded: Decoded) -> Result<SourceBatch, SourceError> {
        let rows = decoded.batch.physical_rows();
        let number = i32::try_from(self.next_path.saturating_sub(1)).unwrap_or(i32::MAX);
        let long_enough = self.partition.take().filter(|column| column.values().len() >= rows);
        let column = long_enough.unwrap_or_else(|| Int32Array::from_value(number, rows));
        let partition = self.partition_of(self.next_path.saturating_sub(1));
        let mut system = decoded.batch.system().clone();
        let last_good = system.offset.as_ref().and_then(|offsets| offsets.values().last()).copied();
        let last = last_good.max(decoded.bad.last().map(|bad| bad.offset));
        system.partition = Some(column.slice(0, rows));
        system.origin = Some(Arc::clone(&partition.origin));
        self.partition = Some(column);
        let batch: Batch = decoded.batch.with_system(system)?;
        let path = self.paths.get(self.next_path.saturating_sub(1)).cloned().unwrap_or_default();
        let origin = Some(Origin { path, partition: number });
        let positions = last.map(|last| (partition, last.saturating_add(1))).into_iter().collect();
        Ok(SourceBatch { batch, bad: decoded.bad, bad_system: None, bytes: decoded.bytes_read, origin, positions })
    }
}
