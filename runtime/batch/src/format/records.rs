//! Cuts a text file into records.

use std::io::{self, BufRead};
use std::ops::Range;

use super::input::Patient;

/// The longest record that is read whole. A longer one is a bad record, of which this much is kept.
pub(super) const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// A chunk ends after the record that passes this, whatever its number of records: memory follows from it.
const CHUNK_BYTES_MAX: usize = 4 * 1024 * 1024;
const READ_BYTES: usize = 256 * 1024;

/// Cuts lines, or CSV records whose quoted fields may span lines, from a reader. Holds one chunk.
pub(super) struct Records<R> {
    reader: R,
    quotes: bool,
    // What was read and not yet handed out begins at `start`.
    buffer: Vec<u8>,
    start: usize,
    end_of_file: bool,
    at_beginning: bool,
    // The line that the next record begins on, counted from 1.
    line: u64,
    spans: Vec<Span>,
}

/// Some consecutive records.
pub(super) struct Chunk<'a> {
    /// The chunk, line ends included.
    pub(super) bytes: &'a [u8],
    /// The records in it. Blank lines are none.
    pub(super) spans: &'a [Span],
    /// Bytes of the file that the chunk consumed.
    pub(super) bytes_read: u64,
}

/// One record of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// Where the record stands in the chunk, without its line end.
    pub(super) range: Range<usize>,
    /// The line that it begins on.
    pub(super) line: u64,
    /// Why it cannot be read, where that is known without reading it.
    pub(super) fault: Option<Fault>,
}

/// Why a record cannot be cut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is longer than [`RECORD_BYTES_MAX`]; its length is given.
    Overlong(u64),
    /// A quote opens on this line and does not close within [`RECORD_BYTES_MAX`]. The record is this line alone, and
    /// the next one is tried as a record again.
    OpenQuote,
}

impl Fault {
    pub(super) fn message(self) -> String {
        match self {
            Fault::Overlong(bytes) => {
                format!("the record is {bytes} bytes long: at most {RECORD_BYTES_MAX} are read")
            }
            Fault::OpenQuote => "a quote is opened on this line and never closed".to_owned(),
        }
    }
}

/// Where the scan for a CSV record's end stands.
#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    QuoteInQuoted,
}

impl<R: Patient> Records<R> {
    pub(super) fn new(reader: R, quotes: bool) -> Records<R> {
        Records {
            reader,
            quotes,
            buffer: Vec::new(),
            start: 0,
            end_of_file: false,
            at_beginning: true,
            line: 1,
            spans: Vec::new(),
        }
    }

    /// The next records, at most `records_max`; `None` at the end of the file.
    pub(super) fn next(&mut self, records_max: usize) -> io::Result<Option<Chunk<'_>>> {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.spans.clear();
        let mut bytes_read = 0;
        if self.at_beginning {
            self.at_beginning = false;
            while self.buffer.len() < 3 && self.fill()? {}
            if self.buffer.starts_with(b"\xef\xbb\xbf") {
                self.buffer.drain(..3);
                bytes_read += 3;
            }
        }
        let mut position = 0;
        let mut waiting = false;
        self.reader.wait_for_ever();
        while self.spans.len() < records_max && position < CHUNK_BYTES_MAX {
            let end = match self.cut(position, &mut bytes_read) {
                Ok(Some(end)) => end,
                Ok(None) => break,
                // The first record has waited long enough for others. What was read of the next one stays.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            if !waiting && !self.spans.is_empty() {
                waiting = true;
                self.reader.wait_a_while();
            }
            bytes_read += (end - position) as u64;
            position = end;
        }
        self.start = position;
        if bytes_read == 0 {
            return Ok(None);
        }
        Ok(Some(Chunk { bytes: &self.buffer[..position], spans: &self.spans, bytes_read }))
    }

    /// Cuts the record at `from` and says where the next one begins; `None` where the file has ended. Bytes that are
    /// dropped from the buffer are added to `bytes_read`.
    fn cut(&mut self, from: usize, bytes_read: &mut u64) -> io::Result<Option<usize>> {
        let mut scanned = from;
        let mut state = State::FieldStart;
        loop {
            let newline = match self.quotes {
                true => self.scan_csv(&mut scanned, &mut state),
                false => self.find_newline(&mut scanned),
            };
            if let Some(newline) = newline {
                self.push(from..newline, None);
                self.line += 1 + self.lines_within(from..newline);
                return Ok(Some(newline + 1));
            }
            if self.buffer.len() - from > RECORD_BYTES_MAX {
                return self.cut_overlong(from, bytes_read).map(Some);
            }
            if self.fill()? {
                continue;
            }
            if from == self.buffer.len() {
                return Ok(None);
            }
            if state == State::Quoted {
                return Ok(Some(self.cut_open_quote(from)));
            }
            let end = self.buffer.len();
            self.push(from..end, None);
            self.line += 1 + self.lines_within(from..end);
            return Ok(Some(end));
        }
    }

    fn push(&mut self, range: Range<usize>, fault: Option<Fault>) {
        let bytes = &self.buffer[range.clone()];
        let content = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let blank = match self.quotes {
            true => content.is_empty(),
            false => content.iter().all(u8::is_ascii_whitespace),
        };
        if !blank {
            self.spans.push(Span { range: range.start..range.start + content.len(), line: self.line, fault });
        }
    }

    /// Line ends inside a record: only quoted fields have any.
    fn lines_within(&self, range: Range<usize>) -> u64 {
        match self.quotes {
            true => self.buffer[range].iter().filter(|&&byte| byte == b'\n').count() as u64,
            false => 0,
        }
    }

    fn find_newline(&self, scanned: &mut usize) -> Option<usize> {
        let mut rest = &self.buffer[*scanned..];
        // On a slice this is a vectorised search, and cannot fail.
        let bytes = rest.skip_until(b'\n').unwrap_or(0);
        *scanned += bytes;
        (bytes > 0 && self.buffer[*scanned - 1] == b'\n').then(|| *scanned - 1)
    }

    /// The same rules as the csv crate's: a quote counts at a field's beginning only, and is doubled inside.
    fn scan_csv(&self, scanned: &mut usize, state: &mut State) -> Option<usize> {
        for &byte in &self.buffer[*scanned..] {
            *state = match (*state, byte) {
                (State::Quoted, b'"') => State::QuoteInQuoted,
                (State::Quoted, _) => State::Quoted,
                (State::QuoteInQuoted, b'"') => State::Quoted,
                (State::FieldStart, b'"') => State::Quoted,
                (_, b'\n') => return Some(*scanned),
                (_, b',') => State::FieldStart,
                _ => State::Unquoted,
            };
            *scanned += 1;
        }
        None
    }

    /// The record at `from` has passed the limit.
    fn cut_overlong(&mut self, from: usize, bytes_read: &mut u64) -> io::Result<usize> {
        let mut scanned = from;
        if self.quotes && self.find_newline(&mut scanned).is_some() {
            return Ok(self.cut_open_quote(from));
        }
        let kept = from + RECORD_BYTES_MAX;
        // What is dropped here cannot be dropped again: the rest of the line is waited for.
        self.reader.wait_for_ever();
        let mut length = RECORD_BYTES_MAX as u64;
        // Drop the rest of the line, a read at a time.
        loop {
            let mut scanned = kept;
            let newline = self.find_newline(&mut scanned);
            let dropped = newline.unwrap_or(self.buffer.len()) - kept;
            length += dropped as u64;
            let dropped_with_end = dropped + usize::from(newline.is_some());
            *bytes_read += dropped_with_end as u64;
            self.buffer.drain(kept..kept + dropped_with_end);
            if newline.is_some() || !self.fill()? {
                break;
            }
        }
        self.reader.wait_a_while();
        self.spans.push(Span { range: from..kept, line: self.line, fault: Some(Fault::Overlong(length)) });
        self.line += 1;
        Ok(kept)
    }

    /// The line at `from` opens a quote that does not close: the line alone becomes a bad record.
    fn cut_open_quote(&mut self, from: usize) -> usize {
        let mut scanned = from;
        let newline = self.find_newline(&mut scanned);
        self.push(from..newline.unwrap_or(scanned), Some(Fault::OpenQuote));
        self.line += 1;
        scanned
    }

    /// Reads more; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        if self.end_of_file {
            return Ok(false);
        }
        // A single read: a pipe gives what there is, and is not waited for to fill the buffer.
        let end = self.buffer.len();
        self.buffer.resize(end + READ_BYTES, 0);
        let read = loop {
            match self.reader.read(&mut self.buffer[end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        self.buffer.truncate(end + *read.as_ref().unwrap_or(&0));
        let read = read?;
        self.end_of_file = read == 0;
        Ok(read > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &[u8], quotes: bool, records_max: usize) -> Vec<(String, u64, Option<Fault>)> {
        let mut records = Records::new(text, quotes);
        let mut found = Vec::new();
        let mut bytes_read = 0;
        while let Some(chunk) = records.next(records_max).unwrap() {
            assert!(chunk.spans.len() <= records_max);
            bytes_read += chunk.bytes_read;
            for span in chunk.spans {
                let bytes = &chunk.bytes[span.range.clone()];
                found.push((String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).into(), span.line, span.fault));
            }
        }
        assert_eq!(bytes_read, text.len() as u64, "every byte is accounted for");
        found
    }

    fn check(text: &str, quotes: bool, expect: &[(&str, u64)]) {
        let expect: Vec<_> = expect.iter().map(|&(text, line)| (text.to_owned(), line, None)).collect();
        for records_max in [1, 2, 100] {
            assert_eq!(cut(text.as_bytes(), quotes, records_max), expect, "{text:?}");
        }
    }

    #[test]
    fn lines_are_cut() {
        check("", false, &[]);
        check("\n\r\n  \n", false, &[]);
        check("a\nb", false, &[("a", 1), ("b", 2)]);
        check("a\r\n\n b\n", false, &[("a", 1), (" b", 3)]);
        check("\u{feff}a\n", false, &[("a", 1)]);
    }

    #[test]
    fn quoted_fields_span_lines() {
        check("a,\"b\nc\"\nd\n", true, &[("a,\"b\nc\"", 1), ("d", 3)]);
        check("a\"b\nc\n", true, &[("a\"b", 1), ("c", 2)]);
        check("\"a\"\"\n\"\"b\",c\r\n\r\nd", true, &[("\"a\"\"\n\"\"b\",c", 1), ("d", 4)]);
    }

    #[test]
    fn an_open_quote_costs_one_line() {
        let found = cut(b"a\n\"b,c\nd\ne", true, 10);
        let open = Some(Fault::OpenQuote);
        let expect = [("a", 1, None), ("\"b,c", 2, open), ("d", 3, None), ("e", 4, None)];
        assert_eq!(found, expect.map(|(text, line, fault)| (text.to_owned(), line, fault)));
    }

    #[test]
    fn an_overlong_line_costs_bounded_memory() {
        let mut text = b"a\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * RECORD_BYTES_MAX));
        text.extend(b"\nb\n");
        for quotes in [false, true] {
            let mut records = Records::new(&text[..], quotes);
            while records.next(10).unwrap().is_some() {}
            assert!(records.buffer.capacity() < 4 * RECORD_BYTES_MAX);
            let found = cut(&text, quotes, 10);
            assert_eq!(found[1].2, Some(Fault::Overlong(3 * RECORD_BYTES_MAX as u64)));
            assert_eq!((found[2].0.as_str(), found[2].1), ("b", 3));
        }
    }

    proptest::proptest! {
        // The csv crate, which reads the records afterwards, must see the same ones.
        #[test]
        fn the_csv_crate_agrees(text in "[ab,\"\n]{0,40}") {
            let found = cut(text.as_bytes(), true, 100);
            proptest::prop_assume!(found.iter().all(|(_, _, fault)| fault.is_none()));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            proptest::prop_assert_eq!(reader.byte_records().count(), found.len());
        }
    }
}
