//! Letters as a source of records.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use weir_batch::Schema;
use weir_files::Folders;
use weir_formats::BadRecord;

use super::entrance::{Entrance, Form};
use super::system::system_columns;
use weir_plan::LettersPlan;
use weir_sources::{ReadOrigin, Source, SourceBatch, SourceError, SourceEvent};
use weir_state::LetterLines;
use weir_state::{Letter, LetterValue};
use weir_state::{Partition, Positions};

/// Reads the letters of one source, stage or sink. A position is the number of the next line.
pub struct LettersSource {
    letters: Arc<Letters>,
    schema: Arc<Schema>,
    records_max: usize,
    from: u64,
    // `None` before the first read, while a blocking thread uses it, or after such a thread panicked.
    open: Option<Open>,
    begun: bool,
}

/// Data for its blocking threads.
struct Letters {
    plan: LettersPlan,
    // Only one of them works at a time.
    entrance: Mutex<Entrance>,
}

struct Open {
    lines: LetterLines<BufReader<File>>,
    partition: Partition,
    // A letter of another origin, with its number and size, which begins the next batch.
    next: Option<(u64, u64, Letter)>,
}

impl LettersSource {
    /// The source of these letters, whose records have this schema. CSV files whose headers name the columns are read inside of
    /// these folders.
    ///
    /// # Errors
    ///
    /// A schema that the format of the letters does not support.
    pub fn new(
        plan: &LettersPlan,
        schema: &Arc<Schema>,
        folders: &Folders,
        records_max: usize,
    ) -> Result<LettersSource, SourceError> {
        let entrance = Entrance::of(&plan.entrance, schema, folders);
        let entrance = entrance.map_err(|source| SourceError::Format { path: plan.path.clone(), source })?;
        let letters = Arc::new(Letters { plan: plan.clone(), entrance: Mutex::new(entrance) });
        Ok(LettersSource { letters, schema: Arc::clone(schema), records_max, from: 0, open: None, begun: false })
    }
}

/// A batch of letters ends after this many bytes of their file, whatever their number.
const BYTES_MAX: u64 = 16 << 20;

impl Letters {
    fn io(&self, source: io::Error) -> SourceError {
        SourceError::Io { path: self.plan.path.clone(), source }
    }

    /// The file's name is not enough: the file of the next replay has the same name, but other letters.
    fn partition(&self, file: &File) -> io::Result<Partition> {
        let there = file.metadata()?;
        let written = format!("{}.{:09}", there.mtime(), there.mtime_nsec());
        Ok(Partition::new(format!("{} of {written}", self.plan.path.display()), 0))
    }

    fn open(&self) -> io::Result<Open> {
        let file = self.plan.folder.read(self.plan.path.file_name().unwrap_or_default())?;
        let partition = self.partition(&file)?;
        let lines = LetterLines::new(BufReader::with_capacity(1 << 16, file));
        Ok(Open { lines, partition, next: None })
    }

    /// The next letters of the place, all of one origin, partition and form.
    fn read(&self, open: &mut Open, from: u64, letters_max: usize) -> Result<Option<SourceBatch>, SourceError> {
        let mut letters: Vec<Letter> = Vec::new();
        let (mut bytes, mut last) = (0, 0);
        if let Some((number, took, letter)) = open.next.take() {
            (last, bytes) = (number, took);
            letters.push(letter);
        }
        while letters.len() < letters_max && bytes < BYTES_MAX {
            let Some(entry) = open.lines.next() else { break };
            let entry = entry.map_err(|error| self.io(error))?;
            // Invalid letters were left out when the file was created.
            let Ok(letter) = entry.letter else { continue };
            if entry.number < from || *letter.place != *self.plan.place {
                continue;
            }
            let same = |first: &Letter| {
                (&first.origin, first.partition, Form::of(first))
                    == (&letter.origin, letter.partition, Form::of(&letter))
            };
            if !letters.first().is_none_or(same) {
                open.next = Some((entry.number, entry.bytes, letter));
                break;
            }
            (last, bytes) = (entry.number, bytes + entry.bytes);
            letters.push(letter);
        }
        let Some(first) = letters.first() else { return Ok(None) };
        let origin = first.origin.as_ref();
        let origin = origin.map(|path| ReadOrigin::new(path, first.partition.unwrap_or(0)));
        let format = |source| SourceError::Format { path: self.plan.path.clone(), source };
        let mut entrance = self.entrance.lock().unwrap_or_else(PoisonError::into_inner);
        let restored = entrance.decode(&letters.iter().collect::<Vec<_>>()).map_err(format)?;
        let guilty: Vec<&Letter> = restored.bad.iter().filter_map(|(row, _)| letters.get(*row)).collect();
        let bad_system = Some(Box::new(system_columns(&guilty)?)).filter(|_| !guilty.is_empty());
        let bad = restored.bad.into_iter().filter_map(|(row, message)| {
            let letter = letters.get_mut(row)?;
            let value = std::mem::replace(&mut letter.value, LetterValue::Omitted);
            let LetterValue::Original(bytes) = value else { return None };
            let bytes = bytes.unwrap_or_default();
            let mut bad = BadRecord::new(letter.offset.unwrap_or(0), bytes, message);
            bad.line = letter.line;
            Some(bad)
        });
        let bad = bad.collect();
        let next = i64::try_from(last.saturating_add(1)).unwrap_or(i64::MAX);
        let positions = Positions::from_iter([(open.partition.clone(), next)]);
        let mut read = SourceBatch::new(restored.batch, positions);
        (read.bad, read.bad_system, read.bytes, read.origin) = (bad, bad_system, bytes, origin);
        Ok(Some(read))
    }
}

#[async_trait]
impl Source for LettersSource {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Positions of an earlier replay are ignored.
    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        let open = self.letters.open().map_err(|error| self.letters.io(error))?;
        self.from = positions.get(&open.partition).and_then(|next| u64::try_from(next).ok()).unwrap_or(0);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        let open = self.open.take();
        if open.is_none() && self.begun {
            return Err(SourceError::Thread("an earlier read has not finished".to_owned()));
        }
        self.begun = true;
        let (letters, from, letters_max) = (Arc::clone(&self.letters), self.from, self.records_max);
        let read = tokio::task::spawn_blocking(move || {
            let mut open = match open {
                Some(open) => open,
                None => letters.open().map_err(|error| letters.io(error))?,
            };
            let batch = letters.read(&mut open, from, letters_max)?;
            Ok::<_, SourceError>((open, batch))
        });
        let (open, batch) = read.await.map_err(|error| SourceError::Thread(error.to_string()))??;
        self.open = Some(open);
        Ok(batch.map(SourceEvent::Batch))
    }
}
