//! Errors of reading and writing files.

use std::io;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use weir_text::brief;

use super::Format;
use weir_batch::{BatchError, DataType, Fault};

/// A file cannot be read or written. (A single record that cannot be read is a [`super::BadRecord`].)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// An I/O error of the file or pipe.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The format has no schema, and none was given.
    #[error("{format} has no schema: declare the fields in `schema`, or set `infer = true`")]
    SchemaRequired {
        /// The format.
        format: Format,
    },
    /// The first bytes of the file show that it has another format.
    #[error("the file is {found} and cannot be read as {format}: {help}")]
    Foreign {
        /// The expected format.
        format: Format,
        /// The actual kind of the file.
        found: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// A schema cannot be inferred.
    #[error("cannot infer a schema from this {format} file: {reason}")]
    NotInferable {
        /// The format.
        format: Format,
        /// The reason.
        reason: String,
    },
    /// A declared field is not in the file.
    #[error("the file has no field `{name}`; its fields are {available}")]
    MissingField {
        /// The declared field.
        name: String,
        /// The fields of the file.
        available: String,
    },
    /// A declared field is in the file more than once.
    #[error("the file has more than one field `{name}`, so it cannot be read: remove it from `schema`")]
    DoubledField {
        /// The declared field.
        name: String,
    },
    /// A declared field has another type in the file.
    #[error("field `{name}` is declared as {declared}, but is {found} in the file")]
    FieldType {
        /// The field.
        name: String,
        /// The declared type.
        declared: DataType,
        /// The type in the file.
        found: String,
    },
    /// The first line of a CSV file is not a valid header.
    #[error("invalid header row: {reason}")]
    Header {
        /// What is wrong with it.
        reason: String,
    },
    /// Invalid CSV options.
    #[error(transparent)]
    CsvOption(#[from] super::CsvOptionError),
    /// The file is incomplete, damaged, or of another format.
    #[error("invalid {format} file: {reason}")]
    Corrupt {
        /// The format as which it was read.
        format: Format,
        /// The message of the reader.
        reason: String,
    },
    /// Reading the file would take more memory than allowed.
    #[error("{what} takes {bytes} bytes: the maximum for {format} is {bytes_max}; {remedy}")]
    TooLarge {
        /// The format.
        format: Format,
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
        /// What can be done.
        remedy: &'static str,
    },
    /// The file does not have the place from which to resume.
    #[error("the stored position cannot be used: {reason}")]
    Place {
        /// The format.
        format: Format,
        /// What is wrong with it.
        reason: String,
    },
    /// The last record was cut off by the end of the file, was read nevertheless, and has now grown.
    #[error(
        "the last record was taken up to byte {byte}, where the file ended without a line end, but the record now continues there"
    )]
    Continued {
        /// The format.
        format: Format,
        /// The position at which it was continued.
        byte: u64,
    },
    /// An encoder was given a batch with another schema.
    #[error("a batch with the schema ({found}) was passed to an encoder for ({expected})")]
    SchemaMismatch {
        /// The encoder's schema.
        expected: String,
        /// The batch's.
        found: String,
    },
    /// The record is larger than its format allows.
    #[error("the record has {bytes} bytes: the maximum for {format} is {bytes_max}")]
    RecordTooLarge {
        /// The format.
        format: Format,
        /// The record's size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The encoder has failed before.
    #[error("the encoder has failed before and accepts no more batches")]
    Failed,
    /// Inconsistent columns.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The encoder refused valid columns.
    #[error("cannot write {format}: {reason}")]
    Encode {
        /// The format.
        format: Format,
        /// The message of the writer.
        reason: String,
    },
}

impl FormatError {
    /// Who has to act: the tenant for declarations, and whoever wrote the file for its contents.
    pub fn fault(&self) -> Fault {
        match self {
            FormatError::SchemaRequired { .. }
            | FormatError::Foreign { .. }
            | FormatError::NotInferable { .. }
            | FormatError::MissingField { .. }
            | FormatError::DoubledField { .. }
            | FormatError::FieldType { .. }
            | FormatError::RecordTooLarge { .. } => Fault::Tenant,
            FormatError::CsvOption(error) => error.fault(),
            FormatError::Io(_)
            | FormatError::Header { .. }
            | FormatError::Corrupt { .. }
            | FormatError::TooLarge { .. }
            | FormatError::Place { .. }
            | FormatError::Continued { .. } => Fault::External,
            FormatError::Batch(error) => error.fault(),
            FormatError::SchemaMismatch { .. } | FormatError::Failed | FormatError::Encode { .. } => Fault::Internal,
        }
    }

    /// Whether the same call may succeed later: only after temporary errors of the operating system.
    pub fn retryable(&self) -> bool {
        self.io().is_some_and(|error| {
            matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
        })
    }

    /// The I/O error of the file or pipe, if it is the cause.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            FormatError::Io(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the only problem is that a [`super::Feed`] has no more bytes yet.
    pub fn is_waiting(&self) -> bool {
        self.io().is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The error of an Arrow reader, or the I/O error that caused it.
    pub(super) fn read(format: Format, error: ArrowError) -> FormatError {
        match error {
            ArrowError::IoError(_, error) if is_environment(&error) => FormatError::Io(error),
            error => FormatError::Corrupt { format, reason: brief(&error) },
        }
    }

    /// The error of the Parquet reader, or the I/O error that caused it.
    pub(super) fn read_parquet(error: ParquetError) -> FormatError {
        match io_of(error) {
            Ok(error) if is_environment(&error) => FormatError::Io(error),
            Ok(error) => FormatError::Corrupt { format: Format::Parquet, reason: brief(&error) },
            Err(error) => FormatError::Corrupt { format: Format::Parquet, reason: brief(&error) },
        }
    }

    /// Converts I/O errors that the contents of the file cause (an early end, an impossible position) to errors about a damaged
    /// file.
    pub(super) fn of_file(self, format: Format) -> FormatError {
        match self {
            FormatError::Io(error) if !is_environment(&error) => FormatError::Corrupt { format, reason: brief(&error) },
            error => error,
        }
    }

    /// The error of an Arrow writer, or the I/O error that caused it.
    pub(super) fn write(format: Format, error: ArrowError) -> FormatError {
        match error {
            ArrowError::IoError(_, error) => FormatError::Io(error),
            error => FormatError::Encode { format, reason: brief(&error) },
        }
    }

    /// The error of the Parquet writer, or the I/O error that caused it.
    pub(super) fn write_parquet(error: ParquetError) -> FormatError {
        match io_of(error) {
            Ok(error) => FormatError::Io(error),
            Err(error) => FormatError::Encode { format: Format::Parquet, reason: brief(&error) },
        }
    }
}

/// Whether an I/O error comes from the operating system. An unexpected end or an invalid position are caused by the file's
/// contents. Decompressors use the same type for their errors.
fn is_environment(error: &io::Error) -> bool {
    error.raw_os_error().is_some()
        && !matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput)
}

fn io_of(error: ParquetError) -> Result<io::Error, ParquetError> {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => Ok(*error),
            Err(inner) => Err(ParquetError::External(inner)),
        },
        other => Err(other),
    }
}

/// Names of fields for a message, shortened: a header may contain very many.
pub(super) fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 30;
    let more = names.len().saturating_sub(SHOWN);
    let shown = names.take(SHOWN).map(|name| weir_text::escape_to(name, 80));
    let mut list = shown.collect::<Vec<_>>().join(", ");
    if more > 0 {
        list.push_str(&format!(" and {more} more"));
    }
    list
}
