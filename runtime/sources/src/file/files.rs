//! Reads the files of a source, one after the other.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_batch::arrow::array::{Int32Array, new_empty_array};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::{Batch, Schema};
use weir_files::{FileError, FileKind};
use weir_formats::{
    CsvOptions, Decoded, Decoder, DecoderInput, Fill, Format, FormatError, ResumePlace, open_csv_decoder, open_decoder,
};

use super::change::{Changed, FileChange, OnChange, Since};
use super::mark::{Difference, difference};
use super::watch::Watch;
use crate::new_keys::NewKeyCount;
use crate::pipe::Pipe;
use crate::{ReadOrigin, SourceBatch, SourceError};
use weir_files::Folders;
use weir_state::{FileMark, Partition, Positions};

/// The result of a read.
pub(super) enum Step {
    Batch(Box<SourceBatch>),
    /// Nothing yet: no bytes of the pipe have arrived.
    Wait,
    End,
}

/// An open file.
struct OpenFile {
    // `None` while a pipe has too few bytes for opening a decoder.
    decoder: Option<Box<dyn Decoder>>,
    // For a pipe or terminal.
    pipe: Option<Pipe>,
    // For a regular file.
    watch: Option<Watch>,
    // The number of its records that an earlier run read.
    skip: i64,
    // The number of bytes of text that were read, including by an earlier run.
    bytes: u64,
    // The beginning of the next batch.
    begin: Option<ResumePlace>,
}

/// Where to begin reading a file.
#[derive(Clone, Debug)]
enum Start {
    /// At its first record.
    Beginning,
    /// After this many records, which are decoded and skipped: versions before 0.2 stored only the number.
    Skip(i64),
    /// At this record, from the place in the mark.
    Mark { next: i64, mark: Arc<FileMark> },
    /// Nowhere: the file was read completely.
    End,
}

/// The files that have not been read completely.
pub(super) struct Files {
    paths: Vec<PathBuf>,
    pub(super) folders: Folders,
    format: Format,
    pub(super) csv: CsvOptions,
    schema: Arc<Schema>,
    fill: Fill,
    pub(super) on_change: OnChange,
    /// Whether this run has stored positions before.
    pub(super) again: bool,
    // For each path with a stored position.
    starts: Vec<Start>,
    next_path: usize,
    open: Option<OpenFile>,
    // All batches of a file share one `_partition` column, as slices of the longest one so far.
    partition: Option<Int32Array>,
    // If the schema was inferred.
    pub(super) new_keys: Option<NewKeyCount>,
    /// Counts files that were read again from the beginning because they had changed.
    pub(super) read_anew: Arc<AtomicU64>,
}

/// The file's name in positions, which does not depend on the current folder.
fn origin_of(path: &Path) -> Arc<str> {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into()
}

impl Files {
    pub(super) fn new(paths: Vec<PathBuf>, format: Format, schema: Arc<Schema>, fill: Fill) -> Files {
        Files {
            paths,
            folders: Folders::anywhere(),
            format,
            csv: CsvOptions::default(),
            schema,
            fill,
            on_change: OnChange::default(),
            again: false,
            starts: Vec::new(),
            next_path: 0,
            open: None,
            partition: None,
            new_keys: None,
            read_anew: Arc::default(),
        }
    }

    /// Moves to the stored positions. Checks every file with a position, including files that were read completely.
    pub(super) fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        for (partition, _) in positions.iter() {
            let path = usize::try_from(partition.number).ok().and_then(|number| self.paths.get(number));
            let now = path.map(|path| origin_of(path));
            if now.as_deref() != Some(&*partition.origin) {
                let found = now.map_or_else(|| "no longer in the list".to_owned(), |now| format!("{now}"));
                return Err(SourceError::Moved { kept: partition.clone(), found });
            }
        }
        let starts = (0..self.paths.len()).map(|index| self.start(index, positions));
        self.starts = starts.collect::<Result<_, _>>()?;
        Ok(())
    }

    fn start(&self, index: usize, positions: &Positions) -> Result<Start, SourceError> {
        let partition = self.partition_of(index);
        let (Some(next), Some(path)) = (positions.get(&partition), self.paths.get(index)) else {
            return Ok(Start::Beginning);
        };
        let Some(mark) = positions.mark(&partition) else {
            if path.is_file() && next > 0 {
                tracing::warn!(
                    "{}: an earlier version stored its position without a fingerprint, so Weir cannot detect whether the file has changed",
                    path.display()
                );
            }
            return match next {
                Positions::END => Ok(Start::End),
                ..=0 => Ok(Start::Beginning),
                next if path.is_file() => Ok(Start::Skip(next)),
                _ => Err(not_seekable(path)),
            };
        };
        let unusable = |reason| SourceError::Mark { path: path.clone(), reason };
        mark.validate(next).map_err(unusable)?;
        let (file, kind) = self.folders.open_any(path).map_err(|source| io_error(path, source))?;
        if kind != FileKind::Regular {
            return Err(not_seekable(path));
        }
        self.start_at(path, &file, next, mark)
    }

    /// Where to continue a file with this stored mark.
    fn start_at(&self, path: &Path, file: &File, next: i64, mark: &Arc<FileMark>) -> Result<Start, SourceError> {
        let io = |source| io_error(path, source);
        let behind = || Start::Mark { next, mark: Arc::clone(mark) };
        let appendable = self.appendable();
        let Some(Difference { change, goes_on }) = difference(&mark.seen, file, appendable).map_err(io)? else {
            // If a file may grow, the bytes after the last complete line are an incomplete line.
            let left = appendable && mark.seen.size > mark.seen.bytes;
            return Ok(if next == Positions::END && !left { Start::End } else { behind() });
        };
        let since = Since::Kept { goes_on };
        match (self.on_change, goes_on) {
            // This run checked the file when it began.
            (OnChange::Fail, true) if self.again => Ok(if next == Positions::END { Start::End } else { behind() }),
            (OnChange::Fail, _) => {
                Err(SourceError::Changed { path: path.to_owned(), changed: Changed { change, since } })
            }
            (OnChange::Follow, true) => {
                tracing::info!("{}: {}: continuing at the stored position", path.display(), change.described(since));
                Ok(behind())
            }
            (OnChange::Follow, false) => {
                self.warn_of_anew(path, change, since);
                Ok(Start::Beginning)
            }
        }
    }

    fn warn_of_anew(&self, path: &Path, change: FileChange, since: Since) {
        tracing::warn!("{}: {}: reading it from the beginning", path.display(), change.described(since));
        self.read_anew.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether files of this format can be appended to, so that what was read stays unchanged.
    fn appendable(&self) -> bool {
        !self.format.carries_schema()
    }

    fn partition_of(&self, index: usize) -> Partition {
        let origin = self.paths.get(index).map(|path| origin_of(path)).unwrap_or_default();
        Partition::new(origin, i32::try_from(index).unwrap_or(i32::MAX))
    }

    /// The number of the current file, or of the last one.
    fn index(&self) -> usize {
        self.next_path.saturating_sub(1)
    }

    /// Waits until a read can do something.
    pub(super) async fn ready(&mut self) -> Result<(), SourceError> {
        let Some(pipe) = self.open.as_mut().and_then(|open| open.pipe.as_mut()) else { return Ok(()) };
        let ready = pipe.ready(self.fill).await;
        ready.map_err(|source| SourceError::Io { path: self.path(), source })
    }

    /// The path of the current file, or of the last one.
    fn path(&self) -> PathBuf {
        self.paths.get(self.index()).cloned().unwrap_or_default()
    }

    /// Opens a file. For a pipe, does not wait for a writer.
    fn open(&self, path: &Path, start: &Start) -> Result<OpenFile, SourceError> {
        let io = |source| io_error(path, source);
        let unread = |decoder, pipe| OpenFile { decoder, pipe, watch: None, skip: 0, bytes: 0, begin: None };
        match self.folders.open_any(path).map_err(io)? {
            (file, FileKind::Regular) => self.open_regular(path, file, start),
            (file, FileKind::Null) => Ok(unread(Some(self.decoder(path, file)?), None)),
            (file, kind) if kind.arrives() => {
                if self.format.carries_schema() {
                    let found = "a pipe or terminal, but this format requires a regular file";
                    return Err(SourceError::NotSeekable { what: path.display().to_string(), found });
                }
                Ok(unread(None, Some(Pipe::new(file).map_err(io)?)))
            }
            (_, kind) => Err(io(FileError::NotRegular { kind }.into())),
        }
    }

    fn open_regular(&self, path: &Path, file: File, start: &Start) -> Result<OpenFile, SourceError> {
        let io = |source| io_error(path, source);
        // Reading other files may have taken a long time since the file was checked.
        let start = match start {
            Start::Mark { next, mark } => match self.start_at(path, &file, *next, mark)? {
                // The additional bytes are gone again: continue at its end.
                Start::End => start.clone(),
                start => start,
            },
            start => start.clone(),
        };
        let (skip, mark) = match &start {
            Start::Mark { next: Positions::END, mark } => (mark.place.record, Some(mark)),
            Start::Mark { next, mark } => (*next, Some(mark)),
            Start::Skip(next) => (*next, None),
            Start::Beginning | Start::End => (0, None),
        };
        let watched = file.try_clone().map_err(io)?;
        let watch = Watch::new(watched, self.appendable(), mark.map(|mark| &mark.seen)).map_err(io)?;
        let mut decoder = self.decoder(path, file)?;
        if self.on_change == OnChange::Follow {
            decoder.leave_open_end();
        }
        if let Some(mark) = mark {
            let resumed = decoder.resume(&mark.place, skip);
            resumed.map_err(|source| match source {
                FormatError::Place { .. } | FormatError::Continued { .. } => {
                    SourceError::Place { path: path.to_owned(), source }
                }
                source => SourceError::Format { path: path.to_owned(), source },
            })?;
        }
        let begin = decoder.place();
        // Before the first record, the decoder counts the bytes that it reads.
        let text = begin.as_ref().filter(|place| place.record > 0).and_then(|place| place.at.text());
        let bytes = text.map_or(0, |text| text.byte);
        Ok(OpenFile { decoder: Some(decoder), pipe: None, watch: Some(watch), skip, bytes, begin })
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

    pub(super) fn next(&mut self) -> Result<Step, SourceError> {
        loop {
            let Some(mut open) = self.open.take() else {
                let Some(path) = self.paths.get(self.next_path).cloned() else { return Ok(Step::End) };
                let start = self.starts.get(self.next_path).cloned().unwrap_or(Start::Beginning);
                if matches!(start, Start::End) {
                    self.next_path += 1;
                    continue;
                }
                let open = self.open(&path, &start)?;
                let waits = open.pipe.is_some();
                self.open = Some(open);
                self.partition = None;
                self.next_path += 1;
                if waits {
                    return Ok(Step::Wait);
                }
                continue;
            };
            let decoded = match self.decode(&mut open) {
                Err(SourceError::Format { source, .. }) if source.is_waiting() => {
                    self.open = Some(open);
                    return Ok(Step::Wait);
                }
                decoded => decoded,
            };
            let mark = match self.look(&mut open, &decoded)? {
                Ok(mark) => mark,
                Err(change) => {
                    self.begin_anew(change)?;
                    continue;
                }
            };
            let Some(decoded) = decoded? else {
                return self.at_end(mark).map(|batch| Step::Batch(Box::new(batch)));
            };
            let skip = open.skip;
            let begin = std::mem::replace(&mut open.begin, mark.as_ref().map(|mark| mark.place));
            self.open = Some(open);
            if let Some(read) = not_skipped(skip, decoded)? {
                return self.with_partition(read, mark, begin).map(|batch| Step::Batch(Box::new(batch)));
            }
        }
    }

    /// Checks the file after a read. Returns its new mark, or how it changed meanwhile.
    fn look(
        &self,
        open: &mut OpenFile,
        decoded: &Result<Option<Decoded>, SourceError>,
    ) -> Result<Result<Option<FileMark>, FileChange>, SourceError> {
        let (Some(watch), Some(decoder)) = (&mut open.watch, &open.decoder) else { return Ok(Ok(None)) };
        let new = decoded.as_ref().ok().and_then(Option::as_ref).map_or(0, |decoded| decoded.bytes_read);
        open.bytes = open.bytes.saturating_add(new);
        let place = decoder.place();
        let text = place.as_ref().and_then(|place| place.at.text());
        let cut_off = text.is_some_and(|text| text.cut_off);
        // The comparison ends where reading will continue: a growing array loses its end. Within a unit of decoding, that is after
        // the place.
        let last = decoded.as_ref().ok().and_then(Option::as_ref).and_then(last_record);
        let behind = place.as_ref().is_some_and(|place| last.is_none_or(|last| place.record > last));
        let bytes = text.filter(|_| behind).map_or(open.bytes, |text| text.byte.min(open.bytes));
        let seen = watch.look(bytes, new, cut_off).map_err(|source| io_error(&self.path(), source))?;
        let mut seen = match seen {
            Ok(seen) => seen,
            Err(change) => return Ok(Err(change)),
        };
        if matches!(decoded, Ok(None)) && self.appendable() && seen.size > open.bytes {
            match self.on_change {
                // Bytes written after the end was found are for the next read to find.
                OnChange::Fail => seen.size = open.bytes,
                OnChange::Follow => tracing::warn!(
                    bytes = seen.size - open.bytes,
                    "{}: the last record has no line end yet: a later run will read it",
                    self.path().display(),
                ),
            }
        }
        Ok(Ok(place.map(|place| FileMark { place, seen })))
    }

    /// Starts the current file again, because it changed while it was read. An error if that is not allowed.
    fn begin_anew(&mut self, change: FileChange) -> Result<(), SourceError> {
        let path = self.path();
        if self.on_change == OnChange::Fail {
            return Err(SourceError::Changed { path, changed: Changed { change, since: Since::Read } });
        }
        self.warn_of_anew(&path, change, Since::Read);
        self.next_path = self.index();
        if let Some(start) = self.starts.get_mut(self.next_path) {
            *start = Start::Beginning;
        }
        Ok(())
    }

    /// The next records of a file. For a pipe without bytes: [`FormatError::is_waiting`].
    fn decode(&self, open: &mut OpenFile) -> Result<Option<Decoded>, SourceError> {
        let path = self.path();
        let OpenFile { decoder, pipe, .. } = open;
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

    /// An empty batch with the position after the last record of the file.
    fn at_end(&self, mark: Option<FileMark>) -> Result<SourceBatch, SourceError> {
        let columns = self.schema.fields().iter().map(|field| new_empty_array(&field.data_type.to_arrow())).collect();
        let batch = Batch::with_rows(Arc::clone(&self.schema), columns, 0)?;
        let positions = positions_at(self.partition_of(self.index()), Positions::END, mark, None);
        Ok(SourceBatch { batch, bad: Vec::new(), bad_system: None, bytes: 0, origin: None, positions })
    }

    fn with_partition(
        &mut self,
        decoded: Decoded,
        mark: Option<FileMark>,
        begin: Option<ResumePlace>,
    ) -> Result<SourceBatch, SourceError> {
        let rows = decoded.batch.physical_rows();
        let number = i32::try_from(self.index()).unwrap_or(i32::MAX);
        let long_enough = self.partition.take().filter(|column| column.values().len() >= rows);
        let column = long_enough.unwrap_or_else(|| Int32Array::from_value(number, rows));
        let partition = self.partition_of(self.index());
        let mut system = decoded.batch.system().clone();
        let last = last_record(&decoded);
        system.partition = Some(column.slice(0, rows));
        system.origin = Some(Arc::clone(&partition.origin));
        self.partition = Some(column);
        let batch: Batch = decoded.batch.with_system(system)?;
        let origin = Some(ReadOrigin { path: self.path(), partition: number });
        let positions = last.map(|last| positions_at(partition, last.saturating_add(1), mark, begin));
        let positions = positions.unwrap_or_default();
        Ok(SourceBatch { batch, bad: decoded.bad, bad_system: None, bytes: decoded.bytes_read, origin, positions })
    }
}

fn positions_at(partition: Partition, next: i64, mark: Option<FileMark>, begin: Option<ResumePlace>) -> Positions {
    let mut positions = Positions::default();
    match mark {
        Some(mark) => positions.set_in_file(partition, next, Arc::new(mark), begin),
        None => positions.set(partition, next),
    }
    positions
}

/// The number of the last record, valid or bad.
fn last_record(decoded: &Decoded) -> Option<i64> {
    let offsets = decoded.batch.system().offset.as_ref();
    let last_good = offsets.and_then(|offsets| offsets.values().last()).copied();
    last_good.max(decoded.bad.last().map(|bad| bad.offset))
}

/// The records that an earlier run did not read.
fn not_skipped(skip: i64, mut decoded: Decoded) -> Result<Option<Decoded>, SourceError> {
    if skip == 0 || decoded.batch.is_empty() && decoded.bad.is_empty() {
        return Ok(Some(decoded));
    }
    decoded.bad.retain(|bad| bad.offset >= skip);
    if let Some(offsets) = &decoded.batch.system().offset {
        let keep = BooleanBuffer::collect_bool(offsets.len(), |row| offsets.value(row) >= skip);
        decoded.batch = Arc::unwrap_or_clone(Arc::new(decoded.batch).filter(&keep)?);
    }
    Ok((!decoded.batch.is_empty() || !decoded.bad.is_empty()).then_some(decoded))
}

fn io_error(path: &Path, source: std::io::Error) -> SourceError {
    SourceError::Io { path: path.to_owned(), source }
}

fn not_seekable(path: &Path) -> SourceError {
    SourceError::NotSeekable { what: path.display().to_string(), found: "not a regular file" }
}
