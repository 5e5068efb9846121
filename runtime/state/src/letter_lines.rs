//! Reads letters in the order in which they were written.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use weir_files::Folders;

use crate::{LINE_BYTES_MAX, Letter};

/// A line of a file of letters, or a message of their topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The position, from 0. Lines that are not letters count too.
    pub number: u64,
    /// The size in bytes, with the line end.
    pub bytes: u64,
    /// The letter, or why the line is not one.
    pub letter: Result<Letter, String>,
}

/// Reads letters one at a time from lines. Memory is bounded by the longest line, not by the file.
pub struct LetterLines<R> {
    lines: R,
    next: u64,
    line: Vec<u8>,
    line_bytes_max: usize,
}

impl LetterLines<BufReader<File>> {
    /// The letters of a file, which must be inside of these folders.
    ///
    /// # Errors
    ///
    /// Errors of opening the file.
    pub fn open(path: &Path, folders: &Folders) -> io::Result<LetterLines<BufReader<File>>> {
        Ok(LetterLines::new(BufReader::with_capacity(1 << 16, folders.open(path)?)))
    }
}

impl<R: BufRead> LetterLines<R> {
    /// The letters of these lines.
    pub fn new(lines: R) -> LetterLines<R> {
        LetterLines { lines, next: 0, line: Vec::new(), line_bytes_max: LINE_BYTES_MAX }
    }

    /// Reads the next line. Returns as much of it as is kept, its length, and whether it has an end.
    fn read_line(&mut self) -> io::Result<(u64, bool)> {
        self.line.clear();
        let mut bytes = 0;
        loop {
            let there = match self.lines.fill_buf() {
                Ok(there) => there,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if there.is_empty() {
                return Ok((bytes, false));
            }
            let end = there.iter().position(|&byte| byte == b'\n');
            let part = end.map_or(there, |end| there.split_at(end).0);
            let room = self.line_bytes_max.saturating_add(1).saturating_sub(self.line.len());
            self.line.extend_from_slice(part.split_at_checked(room).map_or(part, |(part, _)| part));
            let taken = part.len() + usize::from(end.is_some());
            bytes += taken as u64;
            self.lines.consume(taken);
            if end.is_some() {
                return Ok((bytes, true));
            }
        }
    }
}

impl<R: BufRead> Iterator for LetterLines<R> {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<io::Result<Entry>> {
        let (bytes, ended) = match self.read_line() {
            Ok((0, _)) => return None,
            Ok(read) => read,
            Err(error) => return Some(Err(error)),
        };
        let letter = if self.line.len() > self.line_bytes_max {
            Err(format!("longer than {} bytes", self.line_bytes_max))
        } else {
            Letter::parse(&self.line).map_err(|error| match ended {
                true => error,
                false => format!("the line has no line end and is incomplete: {error}"),
            })
        };
        let number = self.next;
        self.next += 1;
        Some(Ok(Entry { number, bytes, letter }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"query":"q","tenant":"t","place":"p","code":"c","message":"m"}"#;

    fn entries(text: &str, line_bytes_max: usize) -> Vec<Entry> {
        // With a small buffer, lines cross its ends.
        let mut lines = LetterLines::new(BufReader::with_capacity(7, text.as_bytes()));
        lines.line_bytes_max = line_bytes_max;
        lines.map(Result::unwrap).collect()
    }

    #[test]
    fn torn_and_foreign_lines_keep_their_places_and_their_bytes() {
        let text = format!("{GOOD}\n\nnot a letter\r\n{GOOD}\r\n{}", &GOOD[..20]);
        let entries = entries(&text, 1000);
        let good: Vec<bool> = entries.iter().map(|entry| entry.letter.is_ok()).collect();
        assert_eq!(good, [true, false, false, true, false]);
        assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(entries.iter().map(|entry| entry.bytes).sum::<u64>(), text.len() as u64);
        assert!(entries[4].letter.as_ref().unwrap_err().contains("incomplete"));
    }

    #[test]
    fn a_whole_letter_needs_no_line_end() {
        assert!(entries(GOOD, 1000)[0].letter.is_ok());
    }

    #[test]
    fn a_line_beyond_the_limit_is_not_held() {
        let text = format!("{}\n{GOOD}\n", "x".repeat(100_000));
        let entries = entries(&text, GOOD.len());
        assert_eq!(entries[0].letter, Err(format!("longer than {} bytes", GOOD.len())));
        assert_eq!(entries[0].bytes, 100_001);
        assert!(entries[1].letter.is_ok());
    }
}
