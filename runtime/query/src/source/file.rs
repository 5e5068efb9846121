//! Files as a source: one after the other, each a partition.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use weir_batch::arrow::array::{Int32Array, new_empty_array};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::format::{
    CsvOptions, Decoded, Decoder, DecoderInput, Fill, Format, FormatError, open_csv_decoder, open_decoder,
};
use weir_batch::{Batch, Schema};
use weir_files::{FileError, FileKind};

use super::new_keys::NewKeyCount;
use super::pipe::Pipe;
use super::{Origin, Partition, Positions, Source, SourceBatch, SourceError, SourceEvent};
use crate::file::Folders;

/// Reads files in the order given. `_partition` is the file's place in the list, `_offset` the record's in its file.
///
/// Decoding runs on a blocking thread, one of the share that the sources of a query have; one batch is in memory at a
/// time. A pipe or terminal is waited for without a thread: one that is silent holds a descriptor and nothing else.
pub struct FileSource {
    schema: Arc<Schema>,
    // Threads that the sources of the query may take for reading.
    share: Arc<Semaphore>,
    // `None` only while a blocking thread has it, or after such a thread died.
    files: Option<Files>,
    // The read that is under way. Whoever stops waiting for it finds it here again.
    reading: Option<JoinHandle<(Files, Result<Step, SourceError>)>>,
    paused: bool,
}

impl FileSource {
    /// The threads that all file sources of a query may hold at once. A read takes one for as long as it takes to decode a
    /// batch; a file on a network that is away, for as long as that.
    pub const THREADS_MAX: usize = 8;

    /// A source over these files; none is opened before the first batch is asked for.
    pub fn new(paths: Vec<PathBuf>, format: Format, schema: Arc<Schema>, fill: Fill) -> FileSource {
        let files = Files {
            paths,
            folders: Folders::anywhere(),
            format,
            csv: CsvOptions::default(),
            schema: Arc::clone(&schema),
            fill,
            next_path: 0,
            open: None,
            partition: None,
            skip: 0,
            new_keys: None,
        };
        let share = Arc::new(Semaphore::new(FileSource::THREADS_MAX));
        FileSource { schema, share, files: Some(files), reading: None, paused: false }
    }

    /// The same, of CSV that is written in its own way.
    #[must_use]
    pub fn with_csv(mut self, csv: CsvOptions) -> FileSource {
        if let Some(files) = &mut self.files {
            files.csv = csv;
        }
        self
    }

    /// The same, kept to these folders: a file that turns out to lie elsewhere once it is open is an error.
    #[must_use]
    pub fn within(mut self, folders: Folders) -> FileSource {
        if let Some(files) = &mut self.files {
            files.folders = folders;
        }
        self
    }

    /// The same, with threads from this share.
    #[must_use]
    pub fn sharing(mut self, share: Arc<Semaphore>) -> FileSource {
        self.share = share;
        self
    }

    /// Begins a read, once there is something to be read and a thread to read with. Nothing is lost where the caller
    /// stops waiting.
    async fn begin(&mut self) -> Result<(), SourceError> {
        let lost = || SourceError::Thread("an earlier read did not come back".to_owned());
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
    /// The same, of a schema that was inferred from this many records of each file: see [`Source::count_new_keys`].
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
        match &mut self.files {
            Some(files) => files.seek(positions),
            None => Ok(()),
        }
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        loop {
            if self.paused {
                // Until it is asked anew.
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
}

/// What came of a read.
enum Step {
    Batch(Box<SourceBatch>),
    /// Nothing yet: the bytes of a pipe have not arrived.
    Wait,
    End,
}

/// A file that is being read.
struct OpenFile {
    // Not open yet where a pipe has not given enough for it.
    decoder: Option<Box<dyn Decoder>>,
    // Where its bytes arrive over time.
    pipe: Option<Pipe>,
}

/// The files still to be read.
struct Files {
    paths: Vec<PathBuf>,
    folders: Folders,
    format: Format,
    csv: CsvOptions,
    schema: Arc<Schema>,
    fill: Fill,
    next_path: usize,
    open: Option<OpenFile>,
    // All batches of a file share one `_partition` column, as slices of the longest made so far.
    partition: Option<Int32Array>,
    // Records of the next file that were taken by an earlier run.
    skip: i64,
    // Where the schema was inferred.
    new_keys: Option<NewKeyCount>,
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

    /// Waits until a read has something to do.
    async fn ready(&mut self) -> Result<(), SourceError> {
        let Some(pipe) = self.open.as_mut().and_then(|open| open.pipe.as_mut()) else { return Ok(()) };
        let ready = pipe.ready(self.fill).await;
        ready.map_err(|source| SourceError::Io { path: self.path(), source })
    }

    /// The file that is open, or was last.
    fn path(&self) -> PathBuf {
        self.paths.get(self.next_path.saturating_sub(1)).cloned().unwrap_or_default()
    }

    /// Opens a file: a pipe without waiting for anybody to write to it.
    fn open(&self, path: &Path) -> Result<OpenFile, SourceError> {
        let io = |source| SourceError::Io { path: path.to_owned(), source };
        match self.folders.open_any(path).map_err(io)? {
            (file, FileKind::Regular | FileKind::Null) => {
                let decoder = self.decoder(path, file)?;
                Ok(OpenFile { decoder: Some(decoder), pipe: None })
            }
            (file, kind) if kind.arrives() => {
                if self.format.carries_schema() {
                    let found = "a pipe or terminal, and this format is read from regular files";
                    return Err(SourceError::NotSeekable { what: path.display().to_string(), found });
                }
                Ok(OpenFile { decoder: None, pipe: Some(Pipe::new(file).map_err(io)?) })
            }
            (_, kind) => Err(io(FileError::NotRegular { kind }.into())),
        }
    }

    fn decoder(&self, path: &Path, input: impl Into<DecoderInput>) -> Result<Box<dyn Decoder>, SourceError> {
        let decoder = match self.format {
            Format::Csv => open_csv_decoder(input, &self.schema, self.fill, &self.csv),
            format => open_decoder(format, input, Some(&self.schema), self.fill),
        };
        let decoder = decoder.map_err(|source| SourceError::Format { path: path.to_owned(), source })?;
        Ok(match &self.new_keys {
            Some(new_keys) => new_keys.watch(path, decoder),
            None => decoder,
        })
    }

    fn next(&mut self) -> Result<Step, SourceError> {
        loop {
            let Some(mut open) = self.open.take() else {
                let Some(path) = self.paths.get(self.next_path).cloned() else { return Ok(Step::End) };
                let open = self.open(&path)?;
                let waits = open.pipe.is_some();
                self.open = Some(open);
                self.partition = None;
                self.next_path += 1;
                if waits {
                    return Ok(Step::Wait);
                }
                continue;
            };
            let decoded = self.decode(&mut open);
            let ended = matches!(decoded, Ok(None));
            if !ended {
                self.open = Some(open);
            }
            match decoded {
                Ok(Some(decoded)) => {
                    if let Some(read) = self.not_skipped(decoded)? {
                        return self.with_partition(read).map(|batch| Step::Batch(Box::new(batch)));
                    }
                }
                Ok(None) => {
                    self.skip = 0;
                    return self.at_end().map(|batch| Step::Batch(Box::new(batch)));
                }
                Err(SourceError::Format { source, .. }) if source.is_waiting() => return Ok(Step::Wait),
                Err(error) => return Err(error),
            }
        }
    }

    /// The next records of a file. Of a pipe whose bytes have not arrived: [`FormatError::is_waiting`].
    fn decode(&self, open: &mut OpenFile) -> Result<Option<Decoded>, SourceError> {
        let path = self.path();
        let OpenFile { decoder, pipe } = open;
        if let (None, Some(pipe)) = (&decoder, &mut *pipe) {
            match self.decoder(&path, pipe.feed()) {
                Ok(opened) => {
                    pipe.settle();
                    *decoder = Some(opened);
                }
                Err(error) => {
                    pipe.feed().rewind();
                    pipe.wants_more();
                    return Err(error);
                }
            }
        }
        let Some(decoder) = decoder else { return Ok(None) };
        let decoded = decoder.next();
        if let Some(pipe) = pipe {
            match &decoded {
                Ok(_) => pipe.gave(),
                Err(_) => pipe.wants_more(),
            }
        }
        decoded.map_err(|source: FormatError| SourceError::Format { path, source })
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
        let origin = Some(Origin { path: self.path(), partition: number });
        let positions = last.map(|last| (partition, last.saturating_add(1))).into_iter().collect();
        Ok(SourceBatch { batch, bad: decoded.bad, bad_system: None, bytes: decoded.bytes_read, origin, positions })
    }
}
