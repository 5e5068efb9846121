//! What can be wrong with a file.

use std::io;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;
use weir_text::brief;

use super::Format;
use weir_batch::{BatchError, DataType, Fault};

/// A file that cannot be read or written as a whole. (One record that cannot be read is a [`super::BadRecord`].)
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The file or pipe failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The format carries no schema and none was given.
    #[error("{format} has no schema: declare the fields in `schema`, or set `infer = true`")]
    SchemaRequired {
        /// The format.
        format: Format,
    },
    /// A file that its first bytes show to be of another kind.
    #[error("the file is {found} and cannot be read as {format}: {help}")]
    Foreign {
        /// The format that it was to be read as.
        format: Format,
        /// What it is.
        found: &'static str,
        /// What to do.
        help: &'static str,
    },
    /// Too little to infer a schema from.
    #[error("cannot infer a schema from this {format} file: {reason}")]
    NotInferable {
        /// The format.
        format: Format,
        /// What is missing or in the way.
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
        /// What the file says.
        found: String,
    },
    /// The first line of a CSV file is no usable header.
    #[error("invalid header row: {reason}")]
    Header {
        /// What is wrong with it.
        reason: String,
    },
    /// Options of CSV that cannot be together.
    #[error(transparent)]
    CsvOption(#[from] super::CsvOptionError),
    /// The file is torn, damaged, or of another format.
    #[error("invalid {format} file: {reason}")]
    Corrupt {
        /// The format it was read as.
        format: Format,
        /// What the reader says.
        reason: String,
    },
    /// What the file states would take more memory than a file may take.
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
    /// A place to resume from that this file does not have.
    #[error("the stored position cannot be used: {reason}")]
    Place {
        /// The format.
        format: Format,
        /// What is wrong with it.
        reason: String,
    },
    /// A record that was taken for whole because the file ended there, and that goes on now.
    #[error(
        "the last record was taken up to byte {byte}, where the file ended without a line end, but the record now continues there"
    )]
    Continued {
        /// The format.
        format: Format,
        /// Where it went on.
        byte: u64,
    },
    /// A batch of another schema was given to an encoder.
    #[error("a batch with the schema ({found}) was passed to an encoder for ({expected})")]
    SchemaMismatch {
        /// The encoder's schema.
        expected: String,
        /// The batch's.
        found: String,
    },
    /// A record that is larger than its format admits.
    #[error("the record has {bytes} bytes: the maximum for {format} is {bytes_max}")]
    RecordTooLarge {
        /// The format.
        format: Format,
        /// The record's size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// An encoder that failed before was written to again.
    #[error("the encoder has failed before and accepts no more batches")]
    Failed,
    /// The columns do not hold together.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The encoder refused well-formed columns.
    #[error("cannot write {format}: {reason}")]
    Encode {
        /// The format.
        format: Format,
        /// What the writer says.
        reason: String,
    },
}

impl FormatError {
    /// Whose fault it is: what was declared is the tenant's, and what the file holds is of whoever wrote it.
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

    /// Whether the same may succeed later: only what the system refused for the moment.
    pub fn retryable(&self) -> bool {
        self.io().is_some_and(|error| {
            matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
        })
    }

    /// The failure of the file or pipe beneath, where that is the cause.
    pub fn io(&self) -> Option<&io::Error> {
        match self {
            FormatError::Io(error) => Some(error),
            _ => None,
        }
    }

    /// Whether nothing is wrong but that the bytes of a [`super::Feed`] have not arrived yet.
    pub fn is_waiting(&self) -> bool {
        self.io().is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// What an Arrow reader says of a file, or the I/O error that it met.
    pub(super) fn read(format: Format, error: ArrowError) -> FormatError {
        match error {
            ArrowError::IoError(_, error) if is_environment(&error) => FormatError::Io(error),
            error => FormatError::Corrupt { format, reason: brief(&error) },
        }
    }

    /// What the Parquet reader says of a file, or the I/O error that it met.
    pub(super) fn read_parquet(error: ParquetError) -> FormatError {
        match io_of(error) {
            Ok(error) if is_environment(&error) => FormatError::Io(error),
            Ok(error) => FormatError::Corrupt { format: Format::Parquet, reason: brief(&error) },
            Err(error) => FormatError::Corrupt { format: Format::Parquet, reason: brief(&error) },
        }
    }

    /// The same, as damage where the file ends early or states what cannot be: that is no failure of the disk.
    pub(super) fn of_file(self, format: Format) -> FormatError {
        match self {
            FormatError::Io(error) if !is_environment(&error) => FormatError::Corrupt { format, reason: brief(&error) },
            error => error,
        }
    }

    /// What an Arrow writer says, or the I/O error that it met.
    pub(super) fn write(format: Format, error: ArrowError) -> FormatError {
        match error {
            ArrowError::IoError(_, error) => FormatError::Io(error),
            error => FormatError::Encode { format, reason: brief(&error) },
        }
    }

    /// What the Parquet writer says, or the I/O error that it met.
    pub(super) fn write_parquet(error: ParquetError) -> FormatError {
        match io_of(error) {
            Ok(error) => FormatError::Io(error),
            Err(error) => FormatError::Encode { format: Format::Parquet, reason: brief(&error) },
        }
    }
}

/// What the system says, but for an end of file or a position that cannot be: the rest is the file's fault. Decompressors
/// say what they find in the same type.
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

/// Names of a file, for a message: a header may hold very many.
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
