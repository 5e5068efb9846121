//! Cuts a CSV file into records.

use std::io;
use std::ops::Range;

use memchr::memchr;

use super::chunk::{CHUNK_BYTES_MAX, Chunk, READ_BYTES, Span};
use super::csv_grammar::{self, Cut, Scan};
use super::csv_options::Dialect;
use super::input::Patient;
use super::place::{self, TextLayout, TextPlace};
use super::{Format, FormatError};

/// The maximum number of bytes of an overlong record that are kept. A line may always have this length, because `record_bytes_max`
/// only limits the values that are read.
pub(super) const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// Cuts records from a reader; quoted fields may span lines. Holds one chunk. The work is linear in the input, whatever the
/// content, and however it arrives.
pub(super) struct Records<R> {
    reader: R,
    dialect: Dialect,
    // Whether a blank line is a record.
    blank_is_record: bool,
    // The maximum size of a record that is kept completely.
    record_bytes_max: usize,
    // Bytes that were read and not returned yet, from `start` to `filled`. After `filled` there is room for the next read.
    buffer: Vec<u8>,
    start: usize,
    filled: usize,
    end_of_file: bool,
    at_beginning: bool,
    // The line on which the next record begins, counted from 1.
    line: u64,
    // The state of the search for the end of the current record.
    scan: Scan,
    // The error because of which the record is only its first line, whose end is searched.
    fault: Option<RecordFault>,
    // Whether the current line is a comment; parts of it may have been dropped.
    in_comment: bool,
    // The length so far of an overlong record whose end was not found yet.
    overlong: Option<u64>,
    // The number of bytes of the file that were returned.
    consumed: u64,
    // If the end of the file cuts off a record: true leaves that record for later. Otherwise, whether there was one.
    leaves_open_end: bool,
    cut_off: bool,
    spans: Vec<Span<RecordFault>>,
    // The number of bytes that were examined or moved.
    #[cfg(test)]
    work: u64,
}

/// Why a record cannot be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RecordFault {
    /// It exceeds the maximum size; has the size.
    Overlong(u64),
    /// A quote opens on this line and does not close within the maximum size of a record. Only this line is the bad record; reading
    /// continues with the next line.
    OpenTooLong,
    /// The record breaks the grammar of CSV, this number of lines after its first. Only its first line is the bad record;
    /// reading continues with the next line.
    Grammar(csv_grammar::GrammarFault, u64),
}

impl RecordFault {
    /// The message, for this maximum size of records.
    pub(super) fn message(self, record_bytes_max: usize) -> String {
        match self {
            RecordFault::Overlong(bytes) => overlong(bytes, record_bytes_max),
            RecordFault::OpenTooLong => format!(
                "a quote opens on this line and is not closed within {record_bytes_max} bytes: close it, or raise `batching.record_bytes_max`"
            ),
            RecordFault::Grammar(fault, lines) => fault.message(lines),
        }
    }
}

/// The message about a record of this length.
pub(super) fn overlong(bytes: u64, record_bytes_max: usize) -> String {
    format!("the record has {bytes} bytes: the maximum is {record_bytes_max}; raise `batching.record_bytes_max`")
}

/// The maximum length of a record's text.
pub(super) fn text_bytes_max(record_bytes_max: usize) -> usize {
    record_bytes_max.max(KEPT_BYTES_MAX)
}

impl<R: Patient> Records<R> {
    /// Records are bad if they exceed both `record_bytes_max` and 1 MiB.
    pub(super) fn new(reader: R, dialect: Dialect, record_bytes_max: usize) -> Records<R> {
        Records {
            reader,
            dialect,
            blank_is_record: false,
            record_bytes_max: text_bytes_max(record_bytes_max),
            buffer: Vec::new(),
            start: 0,
            filled: 0,
            end_of_file: false,
            at_beginning: true,
            line: 1,
            scan: Scan::default(),
            fault: None,
            in_comment: false,
            overlong: None,
            consumed: 0,
            leaves_open_end: false,
            cut_off: false,
            spans: Vec::new(),
            #[cfg(test)]
            work: 0,
        }
    }

    /// The maximum size of a record.
    pub(super) fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// From now on a blank line is a record with one empty field.
    pub(super) fn take_blank_lines(&mut self) {
        self.blank_is_record = true;
    }

    /// From now on, does not return a record that the end of the file cuts off.
    pub(super) fn leave_open_end(&mut self) {
        self.leaves_open_end = true;
    }

    /// The beginning of the next record.
    pub(super) fn place(&self) -> TextPlace {
        let (byte, line, cut_off) = (self.consumed, self.line, self.cut_off);
        TextPlace { byte, line, column: 0, layout: TextLayout::Lines, cut_off }
    }

    /// Moves to a place. At most the bytes before the first record were read.
    pub(super) fn resume(&mut self, place: TextPlace) -> Result<(), FormatError> {
        let Some(file) = self.reader.as_file() else {
            return Err(place::refused(Format::Csv, "only files have positions"));
        };
        let place = place.within(Format::Csv, file)?;
        self.reader.seek_to(place.byte)?;
        (self.start, self.filled, self.end_of_file) = (0, 0, false);
        self.at_beginning = place.byte == 0;
        (self.line, self.consumed) = (place.line, place.byte);
        Ok(())
    }

    /// The next records, at most `records_max`; `None` at the end of the file. After [`io::ErrorKind::WouldBlock`] it can be called
    /// again: nothing is lost.
    pub(super) fn next(&mut self, records_max: usize) -> io::Result<Option<Chunk<'_, RecordFault>>> {
        self.spans.clear();
        let mut bytes_read = 0;
        if self.at_beginning {
            while self.filled < 3 && self.fill()? {}
            self.at_beginning = false;
            if self.buffer.get(..self.filled).is_some_and(|bytes| bytes.starts_with(b"\xef\xbb\xbf")) {
                self.start = 3;
                bytes_read += 3;
            }
        }
        // Only if more bytes were returned than are left, so that each byte is moved at most as often as bytes are read.
        if self.start > self.filled - self.start {
            self.remove(0..self.start);
            self.start = 0;
        }
        let begin = self.start;
        let mut position = begin;
        let mut waiting = false;
        self.reader.wait_for_ever();
        while self.spans.len() < records_max && position - begin < CHUNK_BYTES_MAX {
            let end = match self.cut(position, &mut bytes_read) {
                Ok(Some(end)) => end,
                Ok(None) => break,
                // The first record has waited long enough for others. The bytes of the next one are kept.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && bytes_read > 0 => break,
                Err(error) => return Err(error),
            };
            if !waiting && !self.spans.is_empty() {
                waiting = true;
                self.reader.wait_a_while();
            }
            bytes_read += (end - position) as u64;
            position = end;
            self.start = end;
        }
        if bytes_read == 0 {
            return Ok(None);
        }
        self.consumed += bytes_read;
        Ok(Some(Chunk { bytes: &self.buffer[..position], spans: &self.spans, bytes_read }))
    }

    /// Cuts the record at `from`. Returns the beginning of the next record; `None` at the end of the file. Adds the number of bytes
    /// that are dropped from the buffer to `bytes_read`.
    fn cut(&mut self, from: usize, bytes_read: &mut u64) -> io::Result<Option<usize>> {
        if self.overlong.is_some() {
            return self.cut_overlong(from, bytes_read);
        }
        loop {
            let record = &self.buffer[from..self.filled];
            let first = record.first().copied();
            if self.in_comment || first.is_some() && first == self.dialect.comment {
                return self.pass_comment(from, bytes_read);
            }
            let before = self.scan.at;
            let last = self.end_of_file && !self.leaves_open_end;
            let found = match self.fault {
                None => self.scan.advance(self.dialect, record, last),
                Some(_) => self.scan.advance_line(record, last),
            };
            let Scan { at, lines, .. } = self.scan;
            self.count(at - before);
            // Without the newline: bytes that have not arrived may not be a line end.
            let length = match found {
                Cut::End { end, next } if next > end => next - 1,
                _ => at,
            };
            match found {
                _ if length > self.record_bytes_max && lines == 0 => return self.cut_overlong(from, bytes_read),
                _ if length > self.record_bytes_max => self.take_first_line(RecordFault::OpenTooLong),
                Cut::Fault(fault) => self.take_first_line(RecordFault::Grammar(fault, lines)),
                Cut::End { next: 0, .. } => return Ok(None),
                Cut::End { end, next } => {
                    self.cut_off |= end == next;
                    self.push(from..from + end);
                    self.line += 1 + lines;
                    self.scan = Scan::default();
                    return Ok(Some(from + next));
                }
                Cut::More => {
                    if !self.fill()? && self.leaves_open_end {
                        return Ok(None);
                    }
                }
            }
        }
    }

    /// Reduces the current record to its first line, which is a bad record.
    fn take_first_line(&mut self, fault: RecordFault) {
        self.fault = Some(fault);
        self.scan = Scan::default();
    }

    fn push(&mut self, range: Range<usize>) {
        let fault = self.fault.take();
        if !range.is_empty() || self.blank_is_record {
            self.spans.push(Span { range, line: self.line, fault });
        }
    }

    /// Skips the comment at `from`. It may have any length, so its bytes are dropped.
    fn pass_comment(&mut self, from: usize, bytes_read: &mut u64) -> io::Result<Option<usize>> {
        self.in_comment = true;
        let mut passed = 0;
        loop {
            let rest = &self.buffer[from..self.filled];
            let (length, newline) = (rest.len(), memchr(b'\n', rest));
            self.count(newline.unwrap_or(length));
            if let Some(newline) = newline {
                self.in_comment = false;
                self.line += 1;
                return Ok(Some(from + newline + 1));
            }
            passed += length as u64;
            *bytes_read += length as u64;
            self.filled = from;
            if !self.fill()? {
                self.in_comment = false;
                match self.leaves_open_end {
                    true => *bytes_read -= passed,
                    false => self.cut_off = true,
                }
                return Ok(None);
            }
        }
    }

    /// The record at `from` exceeds the maximum size without a line end.
    fn cut_overlong(&mut self, from: usize, bytes_read: &mut u64) -> io::Result<Option<usize>> {
        let kept = from + KEPT_BYTES_MAX;
        // Dropped bytes cannot be read again, so wait for the rest of the line.
        self.reader.wait_for_ever();
        let mut length = self.overlong.unwrap_or(KEPT_BYTES_MAX as u64);
        let mut passed = 0;
        // Drop the rest of the line, one read at a time.
        loop {
            let rest = &self.buffer[kept..self.filled];
            let (rest, newline) = (rest.len(), memchr(b'\n', rest));
            let dropped = newline.unwrap_or(rest);
            length += dropped as u64;
            let dropped_with_end = dropped + usize::from(newline.is_some());
            passed += dropped_with_end as u64;
            *bytes_read += dropped_with_end as u64;
            self.count(dropped);
            self.remove(kept..kept + dropped_with_end);
            self.overlong = Some(length);
            if newline.is_some() {
                break;
            }
            if !self.fill()? {
                if self.leaves_open_end {
                    *bytes_read -= passed;
                    return Ok(None);
                }
                self.cut_off = true;
                break;
            }
        }
        self.overlong = None;
        self.fault = None;
        self.scan = Scan::default();
        self.reader.wait_a_while();
        self.spans.push(Span { range: from..kept, line: self.line, fault: Some(RecordFault::Overlong(length)) });
        self.line += 1;
        Ok(Some(kept))
    }

    /// Removes bytes from the buffer.
    fn remove(&mut self, range: Range<usize>) {
        let moved = self.filled - range.end;
        self.buffer.copy_within(range.end..self.filled, range.start);
        self.filled = range.start + moved;
        self.count(moved);
    }

    /// Reads more bytes; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        if self.end_of_file {
            return Ok(false);
        }
        // Room is allocated once for many reads: a pipe may return one byte at a time.
        if self.buffer.len() - self.filled < READ_BYTES {
            self.buffer.resize(self.filled + 2 * READ_BYTES, 0);
        }
        // A single read: do not wait for a pipe to fill the buffer.
        let end = (self.filled + READ_BYTES).min(self.buffer.len());
        let read = loop {
            match self.reader.read(&mut self.buffer[self.filled..end]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.filled += read;
        self.end_of_file = read == 0;
        Ok(read > 0)
    }

    #[cfg(test)]
    fn count(&mut self, bytes: usize) {
        self.work += bytes as u64;
    }

    #[cfg(not(test))]
    fn count(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::super::CsvOptions;
    use super::*;

    /// The maximum size of records in these tests.
    const RECORD_BYTES_MAX: usize = KEPT_BYTES_MAX;

    /// Returns this many bytes per read, and nothing at every other read.
    struct Trickle<'a>(&'a [u8], usize, bool);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.2 = !self.2;
            if self.2 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let (now, later) = self.0.split_at(self.1.min(self.0.len()).min(buffer.len()));
            buffer[..now.len()].copy_from_slice(now);
            self.0 = later;
            Ok(now.len())
        }
    }

    impl Patient for Trickle<'_> {}

    fn records<R: Patient>(reader: R) -> Records<R> {
        let options = CsvOptions { comment: Some(b'#'), ..CsvOptions::default() };
        Records::new(reader, options.dialect(), 0)
    }

    type Found = Vec<(String, u64, Option<RecordFault>)>;

    fn drain<R: Patient>(mut records: Records<R>, records_max: usize, bytes: usize) -> (Found, u64) {
        let mut found = Vec::new();
        let mut bytes_read = 0;
        loop {
            let chunk = match records.next(records_max) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                chunk => chunk.unwrap(),
            };
            let Some(chunk) = chunk else { break };
            assert!(chunk.spans.len() <= records_max);
            bytes_read += chunk.bytes_read;
            for span in chunk.spans {
                let bytes = &chunk.bytes[span.range.clone()];
                found.push((String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).into(), span.line, span.fault));
            }
        }
        assert_eq!(bytes_read, bytes as u64, "every byte is accounted for");
        (found, records.work)
    }

    fn cut(text: &[u8], records_max: usize) -> Found {
        drain(records(text), records_max, text.len()).0
    }

    /// The result does not depend on how a text is cut into batches and how it arrives.
    fn check_faults(text: &str, expect: &[(&str, u64, Option<RecordFault>)]) {
        let expect: Found = expect.iter().map(|&(text, line, fault)| (text.to_owned(), line, fault)).collect();
        for records_max in [1, 2, 100] {
            assert_eq!(cut(text.as_bytes(), records_max), expect, "{text:?}");
            for step in [1, 2, 5] {
                let trickle = records(Trickle(text.as_bytes(), step, false));
                assert_eq!(drain(trickle, records_max, text.len()).0, expect, "{text:?} by {step}");
            }
        }
    }

    fn check(text: &str, expect: &[(&str, u64)]) {
        let expect: Vec<_> = expect.iter().map(|&(text, line)| (text, line, None)).collect();
        check_faults(text, &expect);
    }

    #[test]
    fn quoted_fields_span_lines() {
        check("a,\"b\nc\"\nd\n", &[("a,\"b\nc\"", 1), ("d", 3)]);
        check("\"a\"\"\n\"\"b\",c\r\n\r\nd", &[("\"a\"\"\n\"\"b\",c", 1), ("d", 4)]);
        check("\"a\r\nb\"\r\nc\r", &[("\"a\r\nb\"", 1), ("c\r", 3)]);
    }

    #[test]
    fn comments_and_blank_lines_are_no_records() {
        check("#a \"\n\nb#,\"\n#c\"\n#d\n#", &[("b#,\"\n#c\"", 3)]);
        check("", &[]);
        check("\u{feff}", &[]);
        check("\u{feff}#\r\n\r\n\n", &[]);
        check("\u{feff}\u{feff}a", &[("\u{feff}a", 1)]);
    }

    #[test]
    fn a_fault_costs_one_line() {
        let fault = |fault, lines| Some(RecordFault::Grammar(fault, lines));
        use csv_grammar::GrammarFault::{BareQuote, OpenQuote, TextAfterQuote};
        let open = fault(OpenQuote, 2);
        let expect = [("a", 1, None), ("\"b,c", 2, open), ("d", 3, None), ("e", 4, None)];
        check_faults("a\n\"b,c\nd\ne", &expect);
        check_faults(
            "1,\"oops\n2,ok\n3,\"fine\"\n",
            &[("1,\"oops", 1, fault(TextAfterQuote, 2)), ("2,ok", 2, None), ("3,\"fine\"", 3, None)],
        );
        check_faults("a\"b\r\nc\n", &[("a\"b", 1, fault(BareQuote, 0)), ("c", 2, None)]);
        check_faults("\"a\"b", &[("\"a\"b", 1, fault(TextAfterQuote, 0))]);
        check_faults("\"", &[("\"", 1, fault(OpenQuote, 0))]);
        let expect = [("\"", 1, fault(TextAfterQuote, 1)), ("a\"b", 2, fault(BareQuote, 0)), ("c", 3, None)];
        check_faults("\"\na\"b\nc", &expect);
    }

    /// Whether a record is read depends only on its length, not on how it arrives.
    #[test]
    fn the_longest_record() {
        for extra in [0, 1] {
            let long = "x".repeat(RECORD_BYTES_MAX - 2 + extra);
            let overlong = |length: usize| (extra > 0).then_some(RecordFault::Overlong(length as u64));
            let open = (extra > 0).then_some(RecordFault::OpenTooLong);
            for (text, line, first) in [
                (format!("{long}xx\nb"), 2, overlong(RECORD_BYTES_MAX + 1)),
                (format!("\"{long}\"\nb"), 2, overlong(RECORD_BYTES_MAX + 1)),
                (format!("\"\n{}\"\nb", &long[1..]), 3, open),
            ] {
                for read in [1 << 20, 300_000, (1 << 20) + 1, 1 << 22] {
                    let found = drain(records(Trickle(text.as_bytes(), read, false)), 1, text.len()).0;
                    assert_eq!(found[0].2, first);
                    assert_eq!(found.last().unwrap(), &("b".to_owned(), line, None));
                }
            }
        }
    }

    #[test]
    fn an_overlong_line_costs_bounded_memory() {
        for comment in [false, true] {
            let mut text = b"a\n".to_vec();
            text.extend(comment.then_some(b'#'));
            text.extend(std::iter::repeat_n(b'x', 3 * RECORD_BYTES_MAX));
            text.extend(b"\nb\n");
            let mut records = records(&text[..]);
            while records.next(10).unwrap().is_some() {}
            assert!(records.buffer.capacity() < 4 * RECORD_BYTES_MAX);
            let found = cut(&text, 10);
            assert_eq!(found.len(), if comment { 2 } else { 3 });
            if !comment {
                assert_eq!(found[1].2, Some(RecordFault::Overlong(3 * RECORD_BYTES_MAX as u64)));
            }
            assert_eq!(found.last().unwrap(), &("b".to_owned(), 3, None));
        }
    }

    /// For every text, each byte is examined and moved a bounded number of times, independent of the length.
    #[test]
    fn work_is_linear() {
        let patterns = [
            "x\",\"",
            "x\",\"\n",
            "\"\n",
            "\"\"\n",
            "\"x\n",
            "\",\"\n",
            "\"\"\"\n",
            "a,\"\n",
            "\n",
            "\r",
            ",",
            "\"",
            "\"\r\n",
            "#\n",
            "#",
            "\"a\"b\n",
            "\"\n\"\"\n",
            "x\n\"",
        ];
        for pattern in patterns {
            for (prefix, bytes) in [("", 100_000), ("", 200_000), ("\"", 200_000), ("\"\n", 200_000), ("a,", 2_200_000)]
            {
                let text = format!("{prefix}{}", pattern.repeat(bytes / pattern.len()));
                let mut records = records(text.as_bytes());
                while records.next(1000).unwrap().is_some() {}
                let (work, bytes) = (records.work, text.len() as u64);
                assert!(work <= 5 * bytes, "{prefix:?} {pattern:?}: {work} for {bytes} bytes");
            }
            // With one record per batch, and a few bytes per read.
            let text = pattern.repeat(20_000 / pattern.len());
            let (_, work) = drain(records(Trickle(text.as_bytes(), 3, false)), 1, text.len());
            assert!(work <= 5 * text.len() as u64, "{pattern:?}: {work} for {} bytes", text.len());
        }
    }

    proptest::proptest! {
        // Well-formed CSV is read as by the csv crate.
        #[test]
        fn the_csv_crate_agrees(text in "[ab,\"\n]{0,40}") {
            let found = cut(text.as_bytes(), 100);
            proptest::prop_assume!(found.iter().all(|(_, _, fault)| fault.is_none()));
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            proptest::prop_assert_eq!(reader.byte_records().count(), found.len());
        }

        #[test]
        fn nothing_is_lost(text in "[ab,\"\n\r#]{0,60}", step in 1_usize..9, records_max in 1_usize..5) {
            let found = cut(text.as_bytes(), 100);
            let trickle = records(Trickle(text.as_bytes(), step, false));
            proptest::prop_assert_eq!(&drain(trickle, records_max, text.len()).0, &found);
            // Every line is a comment, blank, or a part of the record that begins there or on an earlier line.
            let lines: Vec<u64> = found.iter().map(|(_, line, _)| *line).collect();
            proptest::prop_assert!(lines.is_sorted_by(|one, two| one < two));
        }
    }
}
