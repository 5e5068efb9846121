//! How a letter becomes a record again, at the source or stage where it died.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use weir_batch::arrow::array::BinaryArray;
use weir_batch::{Batch, Schema};
use weir_formats::{CsvOptions, Format, FormatError, RecordDecoder, RecordFormat, csv_header};

use super::system::system_columns;
use weir_files::Folders;
use weir_plan::{LettersEntrance, SourceKind, SourcePlan};
use weir_state::{Letter, LetterValue};

/// Letters that are decoded at once, at most, while they are only looked at.
pub const LOOKED_AT: usize = 1024;

/// Decodes the letters of one place.
pub struct Entrance {
    schema: Arc<Schema>,
    what: What,
}

enum What {
    /// What a stage or sink received: as JSON, or as the value of a record of one of these sources, which it reads itself.
    Received { record: RecordDecoder, originals: Vec<(Arc<str>, RecordDecoder)> },
    /// What a source could not decode, in its format.
    Bytes(RecordDecoder),
    /// Lines of CSV files, whose headers say what is where. A decoder for each file.
    Csv { folders: Folders, options: CsvOptions, files: HashMap<Option<String>, Result<RecordDecoder, String>> },
    /// Nothing that could come in here.
    Nothing,
}

/// Some letters, decoded.
pub struct Restored {
    /// The records, with their system columns.
    pub batch: Batch,
    /// Those that are none, ascending, each with what is wrong with it.
    pub bad: Vec<(usize, String)>,
}

/// Which of an entrance's decoders a letter is for. Letters that are decoded together have one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// A record as JSON.
    Record,
    /// Bytes as this source read them; `None` where the letter does not name it.
    Original(Option<String>),
    /// Nothing: the record was too large.
    Omitted,
}

impl Form {
    /// What this letter holds.
    pub fn of(letter: &Letter) -> Form {
        match &letter.value {
            LetterValue::Record { .. } => Form::Record,
            LetterValue::Original(_) => Form::Original(letter.source.clone()),
            LetterValue::Omitted => Form::Omitted,
        }
    }
}

impl Entrance {
    /// The entrance at this place of a plan, by which records of this schema come in.
    ///
    /// # Errors
    ///
    /// A schema that the format of the letters cannot hold.
    pub fn of(place: &LettersEntrance, schema: &Arc<Schema>, folders: &Folders) -> Result<Entrance, FormatError> {
        match place {
            LettersEntrance::Source(kind) => Entrance::of_source(kind, schema, folders),
            LettersEntrance::Input(sources) => Entrance::of_input(schema, sources),
        }
    }

    /// The entrance of a stage or sink that reads this schema: from these sources directly, if there are any.
    ///
    /// # Errors
    ///
    /// As [`Entrance::of`].
    pub fn of_input(input: &Arc<Schema>, sources: &[SourcePlan]) -> Result<Entrance, FormatError> {
        // The letter was written by this program: numbers in it are microseconds, whatever those of the source are.
        let written = Schema::new(input.fields().to_vec())?;
        let record = RecordDecoder::new(RecordFormat::JsonLines, Arc::new(written))?;
        let mut originals = Vec::new();
        for source in sources {
            if let SourceKind::Kafka(config) = &source.kind {
                let decoder = config.decoder(&source.schema)?;
                originals.push((Arc::clone(&source.name), decoder));
            }
        }
        Ok(Entrance { schema: Arc::clone(input), what: What::Received { record, originals } })
    }

    /// The entrance of a source.
    fn of_source(kind: &SourceKind, schema: &Arc<Schema>, folders: &Folders) -> Result<Entrance, FormatError> {
        let bytes = |format| RecordDecoder::new(format, Arc::clone(schema)).map(What::Bytes);
        let what = match kind {
            SourceKind::File { format: Format::Csv, csv, .. } if csv.header => {
                What::Csv { folders: folders.clone(), options: csv.clone(), files: HashMap::new() }
            }
            SourceKind::File { format: Format::Csv, csv, .. } => {
                What::Bytes(RecordDecoder::csv(Arc::clone(schema), csv, None)?)
            }
            // Of binary formats a letter holds the record as JSON.
            SourceKind::File { .. } => bytes(RecordFormat::JsonLines)?,
            SourceKind::Kafka(config) => What::Bytes(config.decoder(schema)?),
            SourceKind::Generator { .. }
            | SourceKind::Nexmark { .. }
            | SourceKind::Custom(_)
            | SourceKind::Letters(_) => What::Nothing,
        };
        Ok(Entrance { schema: Arc::clone(schema), what })
    }

    /// The schema of what comes in.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Why a letter cannot come in here at all, whatever its record holds.
    pub fn refuses(&mut self, letter: &Letter) -> Option<String> {
        if letter.value == LetterValue::Omitted {
            return Some("its record was too large to store".to_owned());
        }
        match &mut self.what {
            What::Received { originals, .. } => match &letter.value {
                LetterValue::Original(_) if original(originals, letter).is_none() => {
                    let source = letter.source.as_deref().unwrap_or("(unknown)");
                    Some(format!("it holds a value of source `{source}`, which is not a direct input here"))
                }
                _ => None,
            },
            _ if !matches!(letter.value, LetterValue::Original(_)) => Some("it contains no bytes".to_owned()),
            What::Bytes(_) => None,
            What::Csv { folders, options, files } => {
                csv_file(folders, options, files, letter, &self.schema).as_ref().err().cloned()
            }
            What::Nothing => Some("the source does not decode records".to_owned()),
        }
    }

    /// Whether a record that does not decode is the letter's fault, and nobody would keep it.
    pub fn must_decode(&self) -> bool {
        matches!(self.what, What::Received { .. })
    }

    /// Decodes letters that are not refused, and are of one origin and one [`Form`].
    ///
    /// # Errors
    ///
    /// Letters that are refused, or system columns that do not fit. A record that does not decode is in [`Restored::bad`].
    pub fn decode(&mut self, letters: &[&Letter]) -> Result<Restored, FormatError> {
        let refused = || FormatError::Header { reason: "the dead letter cannot be replayed here".to_owned() };
        let bytes = || BinaryArray::from_iter(letters.iter().map(|letter| letter.original()));
        let decoded = match &mut self.what {
            What::Received { record, originals } => match letters.first().map(|first| Form::of(first)) {
                Some(Form::Original(_)) => {
                    let decoder = letters.first().and_then(|first| original(originals, first)).ok_or_else(refused)?;
                    decoder.decode(&bytes())?
                }
                _ => {
                    let records = letters.iter().map(|letter| letter.record().map(str::as_bytes));
                    record.decode(&BinaryArray::from_iter(records))?
                }
            },
            What::Bytes(decoder) => decoder.decode(&bytes())?,
            What::Csv { folders, options, files } => {
                let first = letters.first().ok_or_else(refused)?;
                let decoder = csv_file(folders, options, files, first, &self.schema).as_ref().map_err(|_| refused())?;
                decoder.decode(&bytes())?
            }
            What::Nothing => return Err(refused()),
        };
        let is_good = |row: usize| decoded.bad.binary_search_by_key(&row, |(row, _)| *row).is_err();
        let good = letters.iter().enumerate().filter(|(row, _)| is_good(*row)).map(|(_, letter)| *letter);
        let system = system_columns(&good.collect::<Vec<_>>())?;
        Ok(Restored { batch: decoded.batch.with_system(system)?, bad: decoded.bad })
    }
}

/// The decoder of the source that a letter's value came from.
fn original<'a>(originals: &'a [(Arc<str>, RecordDecoder)], letter: &Letter) -> Option<&'a RecordDecoder> {
    let source = letter.source.as_deref()?;
    originals.iter().find(|(name, _)| **name == *source).map(|(_, decoder)| decoder)
}

/// The decoder of the file that a letter came from.
fn csv_file<'a>(
    folders: &Folders,
    options: &CsvOptions,
    files: &'a mut HashMap<Option<String>, Result<RecordDecoder, String>>,
    letter: &Letter,
    schema: &Arc<Schema>,
) -> &'a Result<RecordDecoder, String> {
    files.entry(letter.origin.clone()).or_insert_with(|| {
        let path = letter.origin.as_deref().ok_or("it does not name its file of origin")?;
        // A letter's word is not the query file's: it is read like any other file of the tenant's, within its folders.
        let path = folders.input(Path::new(path)).map_err(|error| format!("its file of origin {error}"))?;
        let file = folders.open(&path).map_err(|error| format!("the header of {}: {error}", path.display()))?;
        // A pipe would be waited for, and would be read empty.
        if !file.metadata().is_ok_and(|there| there.is_file()) {
            return Err(format!("the header of {}: it is not a regular file", path.display()));
        }
        let wrong = |error: FormatError| format!("the header of {}: {error}", path.display());
        let header = csv_header(file, options).map_err(wrong)?.unwrap_or_default();
        RecordDecoder::csv(Arc::clone(schema), options, Some(&header)).map_err(wrong)
    })
}
