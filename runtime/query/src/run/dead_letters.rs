//! Records that failed, kept with what is needed to find out why and to run them again.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use weir_batch::Batch;
use weir_batch::arrow::array::Array;
use weir_batch::format::{BadRecord, Format, FormatError, open_encoder};

use crate::file::Folders;

/// What every letter of a place says alike.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    pub(crate) query: Arc<str>,
    pub(crate) tenant: Arc<str>,
    /// The source or stage.
    pub(crate) place: Arc<str>,
    /// Digest of the module and name of the function, where a guest was at work.
    pub(crate) guest: Option<(Arc<str>, Arc<str>)>,
}

/// A JSON-lines file of dead letters, one object a letter:
/// `query`, `tenant`, `place`, `module`, `function`, `code`, `message`, `partition`, `offset`, `line` and either
/// `record` (the fields as the failing stage received them) or `bytes_hex` (what a source could not decode).
///
/// Letters are appended, and durable after [`DeadLetters::flush`]. A torn last line of an earlier crash is closed off.
#[derive(Debug)]
pub(crate) struct DeadLetters {
    path: PathBuf,
    file: File,
    pending: Vec<u8>,
}

/// Dead letters could not be kept, so the query cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// The file could not be opened, written or made durable.
    #[error("dead letters {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A record could not be written as JSON.
    #[error("a dead letter could not be written as JSON: {0}")]
    Encode(#[from] FormatError),
    /// A record's JSON is no JSON.
    #[error("a dead letter could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Serialize)]
struct Letter<'a> {
    query: &'a str,
    tenant: &'a str,
    place: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    function: Option<&'a str>,
    code: &'a str,
    message: &'a str,
    partition: Option<i32>,
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_hex: Option<String>,
}

/// Letters are handed to the system when this much has gathered.
const PENDING_BYTES_MAX: usize = 256 * 1024;

impl DeadLetters {
    /// Opens the file to append to it, making its folder where that is missing. It has to lie within these folders.
    pub(crate) fn open(path: &Path, folders: &Folders) -> Result<DeadLetters, DeadLetterError> {
        let open = || -> io::Result<File> {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder)?;
            let mut file = open_or_create(path)?;
            folders.check_opened(&file, path)?;
            if file.seek(SeekFrom::End(0))? > 0 {
                let mut last = [0];
                file.seek(SeekFrom::End(-1))?;
                file.read_exact(&mut last)?;
                if last != *b"\n" {
                    file.write_all(b"\n")?;
                }
            }
            // The file's name must last as long as what is in it.
            File::open(folder)?.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(|source| DeadLetterError::Io { path: path.to_owned(), source })?;
        Ok(DeadLetters { path: path.to_owned(), file, pending: Vec::new() })
    }

    /// Adds the record at `row` of a batch that a stage received.
    pub(crate) fn add_row(
        &mut self,
        sender: &Sender,
        batch: &Arc<Batch>,
        row: usize,
        code: &str,
        message: &str,
    ) -> Result<(), DeadLetterError> {
        let (partition, offset) = position(batch, row);
        let record = record_json(batch, row)?;
        self.add(&Letter { partition, offset, ..Letter::of(sender, code, message) }, Some(&record))
    }

    /// Adds what a source could not decode.
    pub(crate) fn add_bad(
        &mut self,
        sender: &Sender,
        partition: Option<i32>,
        bad: &BadRecord,
    ) -> Result<(), DeadLetterError> {
        let bytes_hex = bad.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let letter = Letter {
            partition,
            offset: Some(bad.offset),
            line: bad.line,
            bytes_hex: Some(bytes_hex),
            ..Letter::of(sender, "undecodable", &bad.message)
        };
        self.add(&letter, None)
    }

    /// Writes a letter, with `record`, which is JSON already, as its last key.
    fn add(&mut self, letter: &Letter<'_>, record: Option<&[u8]>) -> Result<(), DeadLetterError> {
        serde_json::to_writer(&mut self.pending, letter)?;
        if let Some(record) = record {
            // The letter is an object with keys, so that it ends in the brace that is taken off here.
            self.pending.pop();
            self.pending.extend_from_slice(b",\"record\":");
            self.pending.extend_from_slice(record);
            self.pending.push(b'}');
        }
        self.pending.push(b'\n');
        if self.pending.len() >= PENDING_BYTES_MAX {
            self.write_out()?;
        }
        Ok(())
    }

    /// Makes every letter durable. A failure is final: after a failed fsync the system may have dropped the pages.
    pub(crate) fn flush(&mut self) -> Result<(), DeadLetterError> {
        self.write_out()?;
        self.file.sync_data().map_err(|source| self.io(source))
    }

    fn write_out(&mut self) -> Result<(), DeadLetterError> {
        let written = self.file.write_all(&self.pending);
        self.pending.clear();
        written.map_err(|source| self.io(source))
    }

    fn io(&self, source: io::Error) -> DeadLetterError {
        DeadLetterError::Io { path: self.path.clone(), source }
    }
}

/// A file that is not there is never made through a link: the system refuses that where it is to be a new one.
fn open_or_create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).read(true);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match options.create_new(true).open(path) {
        // Somebody else made it meanwhile; or it is a link to nowhere, of which this says so.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).read(true).open(path)
        }
        opened => opened,
    }
}

impl<'a> Letter<'a> {
    fn of(sender: &'a Sender, code: &'a str, message: &'a str) -> Letter<'a> {
        Letter {
            query: &sender.query,
            tenant: &sender.tenant,
            place: &sender.place,
            module: sender.guest.as_ref().map(|(module, _)| &**module),
            function: sender.guest.as_ref().map(|(_, function)| &**function),
            code,
            message,
            partition: None,
            offset: None,
            line: None,
            bytes_hex: None,
        }
    }
}

/// Where a row came from, where its source said so.
pub(crate) fn position(batch: &Batch, row: usize) -> (Option<i32>, Option<i64>) {
    let Some(row) = batch.physical_row(row) else { return (None, None) };
    let system = batch.system();
    let partition = system.partition.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row));
    let offset = system.offset.as_ref().filter(|column| column.is_valid(row)).map(|column| column.value(row));
    (partition, offset)
}

/// One row as a JSON object, as the JSON-lines format writes it.
fn record_json(batch: &Arc<Batch>, row: usize) -> Result<Vec<u8>, DeadLetterError> {
    let one = batch.slice(row, 1).map_err(FormatError::from)?;
    let buffer = SharedBuffer::default();
    let mut encoder = open_encoder(Format::JsonLines, batch.schema(), buffer.clone())?;
    encoder.write(&one)?;
    encoder.finish()?;
    Ok(buffer.take().trim_ascii().to_vec())
}

/// The encoder owns its writer, so the bytes come back through a second handle.
#[derive(Clone, Default)]
struct SharedBuffer(Arc<std::sync::Mutex<Vec<u8>>>);

impl SharedBuffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
