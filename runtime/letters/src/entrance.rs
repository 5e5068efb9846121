//! Converts letters back to records, for the source or stage where they failed.

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

/// The maximum number of letters that are decoded at once for a preview.
pub const LOOKED_AT: usize = 1024;

/// Decodes the letters of one source, stage or sink.
pub struct Entrance {
    schema: Arc<Schema>,
    what: What,
}

enum What {
    /// Records that a stage or sink received: as JSON, or as values that it read directly from one of these sources.
    Received { record: RecordDecoder, originals: Vec<(Arc<str>, RecordDecoder)> },
    /// Records that a source could not decode, in its format.
    Bytes(RecordDecoder),
    /// Lines of CSV files, whose headers name the columns. One decoder per file.
    Csv { folders: Folders, options: CsvOptions, files: HashMap<Option<String>, Result<RecordDecoder, String>> },
    /// No letters can be replayed here.
    Nothing,
}

/// Decoded letters.
#[non_exhaustive]
pub struct Restored {
    /// The valid records, with their system columns.
    pub batch: Batch,
    /// The indices of the invalid letters, ascending, with what is wrong.
    pub bad: Vec<(usize, String)>,
}

/// The decoder of an entrance that a letter needs. Letters that are decoded together need the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// A record as JSON.
    Record,
    /// Bytes as this source read them; `None` if the letter does not name the source.
    Original(Option<String>),
    /// No content: the record was too large.
    Omitted,
}

impl Form {
    /// The form of this letter.
    pub fn of(letter: &Letter) -> Form {
        match &letter.value {
            LetterValue::Record { .. } => Form::Record,
            LetterValue::Original(_) => Form::Original(letter.source.clone()),
            LetterValue::Omitted => Form::Omitted,
        }
    }
}

impl Entrance {
    /// The entrance at this place of a plan, for records with this schema.
    ///
    /// # Errors
    ///
    /// A schema that the format of the letters does not support.
    pub fn of(place: &LettersEntrance, schema: &Arc<Schema>, folders: &Folders) -> Result<Entrance, FormatError> {
        match place {
            LettersEntrance::Source(kind) => Entrance::of_source(kind, schema, folders),
            LettersEntrance::Input(sources) => Entrance::of_input(schema, sources),
        }
    }

    /// The entrance of a stage or sink with this input schema. `sources` are those from which it reads directly.
    ///
    /// # Errors
    ///
    /// As [`Entrance::of`].
    pub fn of_input(input: &Arc<Schema>, sources: &[SourcePlan]) -> Result<Entrance, FormatError> {
        // This program wrote the letter, so numbers are microseconds, whatever the unit of the source.
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
            // For binary formats, a letter holds the record as JSON.
            SourceKind::File { .. } => bytes(RecordFormat::JsonLines)?,
            SourceKind::Kafka(config) => What::Bytes(config.decoder(schema)?),
            SourceKind::Generator { .. }
            | SourceKind::Nexmark { .. }
            | SourceKind::Custom(_)
            | SourceKind::Letters(_) => What::Nothing,
        };
        Ok(Entrance { schema: Arc::clone(schema), what })
    }

    /// The schema of the records.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Why a letter cannot be replayed here, whatever its record contains.
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

    /// Whether a record that does not decode would be lost.
    pub fn must_decode(&self) -> bool {
        matches!(self.what, What::Received { .. })
    }

    /// Decodes letters that are not refused, all of one origin and one [`Form`].
    ///
    /// # Errors
    ///
    /// Letters that are refused, or system columns that do not fit. Records that do not decode are in [`Restored::bad`].
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

/// The decoder for the source of a letter's value.
fn original<'a>(originals: &'a [(Arc<str>, RecordDecoder)], letter: &Letter) -> Option<&'a RecordDecoder> {
    let source = letter.source.as_deref()?;
    originals.iter().find(|(name, _)| **name == *source).map(|(_, decoder)| decoder)
}

/// The decoder for the file of a letter.
fn csv_file<'a>(
    folders: &Folders,
    options: &CsvOptions,
    files: &'a mut HashMap<Option<String>, Result<RecordDecoder, String>>,
    letter: &Letter,
    schema: &Arc<Schema>,
) -> &'a Result<RecordDecoder, String> {
    files.entry(letter.origin.clone()).or_insert_with(|| {
        let path = letter.origin.as_deref().ok_or("it does not name its file of origin")?;
        // The path comes from the letter, not from the query file: the file is only read inside of the tenant's folders.
        let path = folders.input(Path::new(path)).map_err(|error| format!("its file of origin {error}"))?;
        let file = folders.open(&path).map_err(|error| format!("the header of {}: {error}", path.display()))?;
        // Reading a pipe would wait, or find it empty.
        if !file.metadata().is_ok_and(|there| there.is_file()) {
            return Err(format!("the header of {}: it is not a regular file", path.display()));
        }
        let wrong = |error: FormatError| format!("the header of {}: {error}", path.display());
        let header = csv_header(file, options).map_err(wrong)?.unwrap_or_default();
        RecordDecoder::csv(Arc::clone(schema), options, Some(&header)).map_err(wrong)
    })
}
