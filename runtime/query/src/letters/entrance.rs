//! How a letter becomes a record again, at the source or stage where it died.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use weir_batch::arrow::array::BinaryArray;
use weir_batch::format::{CsvOptions, Format, FormatError, RecordDecoder, RecordFormat, csv_header};
use weir_batch::{Batch, Schema};

use super::Letter;
use super::system::system_columns;
use crate::file::{Folders, SourceKind, SourcePlan};

/// Letters that are decoded at once, at most, while they are only looked at.
pub(super) const LOOKED_AT: usize = 1024;

/// Decodes the letters of one place.
pub(crate) struct Entrance {
    schema: Arc<Schema>,
    what: What,
}

enum What {
    /// What a stage received, as JSON.
    Record(RecordDecoder),
    /// What a source could not decode, in its format.
    Bytes(RecordDecoder),
    /// Lines of CSV files, whose headers say what is where. A decoder for each file.
    Csv { folders: Folders, files: HashMap<Option<String>, Result<RecordDecoder, String>> },
    /// Nothing that could come in here.
    Nothing,
}

/// Some letters, decoded.
pub(crate) struct Restored {
    /// The records, with their system columns.
    pub(crate) batch: Batch,
    /// Those that are none, ascending, each with what is wrong with it.
    pub(crate) bad: Vec<(usize, String)>,
}

impl Entrance {
    /// The entrance of a stage that reads this schema.
    pub(super) fn of_stage(input: &Arc<Schema>) -> Result<Entrance, FormatError> {
        // The letter was written by this program: numbers in it are microseconds, whatever those of the source are.
        let written = Schema::new(input.fields().to_vec())?;
        let decoder = RecordDecoder::new(RecordFormat::JsonLines, Arc::new(written))?;
        Ok(Entrance { schema: Arc::clone(input), what: What::Record(decoder) })
    }

    /// The entrance of a source.
    pub(super) fn of_source(source: &SourcePlan, folders: &Folders) -> Result<Entrance, FormatError> {
        let bytes = |format| RecordDecoder::new(format, Arc::clone(&source.schema)).map(What::Bytes);
        let what = match &source.kind {
            SourceKind::File { format: Format::Csv, .. } => {
                What::Csv { folders: folders.clone(), files: HashMap::new() }
            }
            // Of binary formats a letter holds the record as JSON.
            SourceKind::File { .. } => bytes(RecordFormat::JsonLines)?,
            SourceKind::Kafka(config) => bytes(config.format)?,
            SourceKind::Generator { .. } | SourceKind::Nexmark { .. } | SourceKind::Letters(_) => What::Nothing,
        };
        Ok(Entrance { schema: Arc::clone(&source.schema), what })
    }

    /// The schema of what comes in.
    pub(super) fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Why a letter cannot come in here at all, whatever its record holds.
    pub(super) fn refuses(&mut self, letter: &Letter) -> Option<String> {
        match &mut self.what {
            What::Record(_) if letter.record.is_none() => Some("it holds no record".to_owned()),
            What::Bytes(_) | What::Csv { .. } if letter.bytes.is_none() => Some("it holds no bytes".to_owned()),
            What::Record(_) | What::Bytes(_) => None,
            What::Csv { folders, files } => csv_file(folders, files, letter, &self.schema).as_ref().err().cloned(),
            What::Nothing => Some("the source decodes nothing".to_owned()),
        }
    }

    /// Whether a record that does not decode is the letter's fault, and nobody would keep it.
    pub(super) fn must_decode(&self) -> bool {
        matches!(self.what, What::Record(_))
    }

    /// Decodes letters that are not refused, and are of one origin.
    pub(super) fn decode(&mut self, letters: &[&Letter]) -> Result<Restored, FormatError> {
        let refused = || FormatError::Header { reason: "the letter cannot come in here".to_owned() };
        let bytes = || BinaryArray::from_iter(letters.iter().map(|letter| letter.bytes.as_deref()));
        let decoded = match &mut self.what {
            What::Record(decoder) => {
                let records = letters.iter().map(|letter| letter.record.as_deref().map(str::as_bytes));
                decoder.decode(&BinaryArray::from_iter(records))?
            }
            What::Bytes(decoder) => decoder.decode(&bytes())?,
            What::Csv { folders, files } => {
                let first = letters.first().ok_or_else(refused)?;
                let decoder = csv_file(folders, files, first, &self.schema).as_ref().map_err(|_| refused())?;
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

/// The decoder of the file that a letter came from.
fn csv_file<'a>(
    folders: &Folders,
    files: &'a mut HashMap<Option<String>, Result<RecordDecoder, String>>,
    letter: &Letter,
    schema: &Arc<Schema>,
) -> &'a Result<RecordDecoder, String> {
    files.entry(letter.origin.clone()).or_insert_with(|| {
        let path = letter.origin.as_deref().ok_or("it does not say which file it came from")?;
        // A letter's word is not the query file's: it is read like any other file of the tenant's, within its folders.
        let path = folders.input(Path::new(path)).map_err(|error| format!("the file that it came from {error}"))?;
        let file = folders.open(&path).map_err(|error| format!("the header of {}: {error}", path.display()))?;
        // A pipe would be waited for, and would be read empty.
        if !file.metadata().is_ok_and(|there| there.is_file()) {
            return Err(format!("the header of {}: it is no regular file", path.display()));
        }
        let wrong = |error: FormatError| format!("the header of {}: {error}", path.display());
        let options = CsvOptions::default();
        let header = csv_header(file, &options).map_err(wrong)?.unwrap_or_default();
        RecordDecoder::csv(Arc::clone(schema), &options, Some(&header)).map_err(wrong)
    })
}
