//! A file of dead letters.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_files::Folder;

use super::error::DeadLetterError;
use super::lock::{Locked, lock};
use super::paths::{ReplayPaths, folder_of};
use weir_files::Folders;
use weir_state::{LINE_BYTES_MAX, Letter};

/// A JSON-lines file to which letters are appended. Locked while it is open, so that its letters are replayed only while no query
/// adds to them.
pub(super) struct LetterFile {
    path: PathBuf,
    file: Arc<File>,
    bytes: u64,
}

impl LetterFile {
    /// Opens the file, and creates it if it is missing. Bytes after `committed` are removed. Without `committed`, a torn last line
    /// of an earlier crash is ended instead.
    pub(super) fn open(path: &Path, folders: &Folders, committed: Option<u64>) -> Result<LetterFile, DeadLetterError> {
        let io = |source| DeadLetterError::Io { path: path.to_owned(), source };
        let folder = Arc::new(folders.folder(folder_of(path)).map_err(io)?);
        let replay = ReplayPaths::of(path, Arc::clone(&folder));
        let mut file = open_locked(path, &folder, folders, &replay)?;
        let mut bytes = file.seek(SeekFrom::End(0)).map_err(io)?;
        match committed {
            // The missing letters are being replayed.
            Some(committed) if bytes < committed && replay.is_going_on() => {}
            Some(committed) if bytes < committed => {
                return Err(DeadLetterError::Cut { path: path.to_owned(), found: bytes, committed });
            }
            Some(committed) if bytes > committed => {
                file.set_len(committed).and_then(|()| file.sync_all()).map_err(io)?;
                bytes = committed;
            }
            Some(_) => {}
            None => bytes = close_off(&mut file, bytes).map_err(io)?,
        }
        // The file's name must be as durable as its content.
        folder.sync().map_err(io)?;
        Ok(LetterFile { path: path.to_owned(), file: Arc::new(file), bytes })
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Appends letters, one line each. Returns how many were written without the record's value because they are too long.
    pub(super) async fn append_letters(&mut self, letters: Vec<Letter>) -> Result<u64, DeadLetterError> {
        let (mut lines, mut omitted) = (Vec::new(), 0);
        for letter in letters {
            if write_line(letter, LINE_BYTES_MAX, &mut lines)? {
                omitted += 1;
            }
            if lines.len() >= WRITE_BYTES {
                self.append(std::mem::take(&mut lines)).await?;
            }
        }
        self.append(lines).await?;
        Ok(omitted)
    }

    async fn append(&mut self, lines: Vec<u8>) -> Result<(), DeadLetterError> {
        self.bytes += lines.len() as u64;
        self.off_thread(move |mut file| file.write_all(&lines)).await
    }

    pub(super) async fn sync(&mut self) -> Result<(), DeadLetterError> {
        self.off_thread(|file| file.sync_data()).await
    }

    async fn off_thread(
        &self,
        work: impl FnOnce(&File) -> io::Result<()> + Send + 'static,
    ) -> Result<(), DeadLetterError> {
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        let done = done.unwrap_or_else(|ended| Err(io::Error::other(ended)));
        done.map_err(|source| DeadLetterError::Io { path: self.path.clone(), source })
    }
}

/// The maximum number of bytes per write.
const WRITE_BYTES: usize = 4 << 20;

/// Appends a letter as a line of at most this many bytes. Returns whether it had to be shortened.
fn write_line(letter: Letter, line_bytes_max: usize, into: &mut Vec<u8>) -> Result<bool, DeadLetterError> {
    let begin = into.len();
    letter.write_line(into)?;
    let fits = |into: &Vec<u8>| into.len().saturating_sub(begin) <= line_bytes_max;
    if fits(into) {
        return Ok(false);
    }
    into.truncate(begin);
    let letter = letter.without_value();
    letter.write_line(into)?;
    if !fits(into) {
        into.truncate(begin);
        letter.bare().write_line(into)?;
    }
    Ok(true)
}

/// Opens the file and takes its lock. Before that, letters left by a crashed replay are moved back.
fn open_locked(path: &Path, folder: &Folder, folders: &Folders, replay: &ReplayPaths) -> Result<File, DeadLetterError> {
    let io = |source| DeadLetterError::Io { path: path.to_owned(), source };
    let name = path.file_name().unwrap_or(OsStr::new(""));
    loop {
        // Links are not followed, and files with a second name are refused.
        let file = folder.append(name).map_err(io)?;
        folders.check_opened(&file, path).map_err(io)?;
        match lock(&file, folder, name).map_err(io)? {
            Locked::InUse => return Err(DeadLetterError::InUse { path: path.to_owned() }),
            Locked::Moved => {}
            Locked::Held if replay.put_back().map_err(io)? => {}
            Locked::Held => return Ok(file),
        }
    }
}

/// Ends a torn last line, so that the next letter begins a new line. Returns the new length of the file.
fn close_off(file: &mut File, bytes: u64) -> io::Result<u64> {
    if bytes == 0 {
        return Ok(0);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(bytes);
    }
    file.write_all(b"\n")?;
    Ok(bytes + 1)
}
