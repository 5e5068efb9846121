//! Cuts a JSON file into records: one per line, consecutive objects, or the elements of one array.
//!
//! The first record determines the [`Layout`] of a file. Only lines can be cut without parsing. For the other layouts, brackets are
//! counted and strings are skipped ([`Brackets`]); the reader of a record checks its content. Every byte is examined once, and
//! memory is bounded by the size of a chunk.

use std::io::{self, BufRead};

use super::chunk::{CHUNK_BYTES_MAX, Chunk, READ_BYTES, Span};
use super::foreign;
use super::input::Patient;
use super::json_brackets::{Brackets, Ends, Step};
use super::json_text::DEPTH_MAX;
use super::place::{self, TextLayout, TextPlace};
use super::records::{KEPT_BYTES_MAX, overlong, text_bytes_max};
use super::{Format, FormatError};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Cuts records from a reader. Holds one chunk. After [`io::ErrorKind::WouldBlock`] it can be called again.
pub(super) struct JsonRecords<R> {
    reader: R,
    // The maximum size of a record that is kept completely.
    record_bytes_max: usize,
    // `None` until the first record determines it.
    layout: Option<Layout>,
    look: Look,
    // Bytes that were read and not returned yet begin at `start`.
    buffer: Vec<u8>,
    start: usize,
    end_of_file: bool,
    // The position of the next byte to return: its line, counted from 1, and the number of bytes before it on the line.
    line: u64,
    column: u64,
    // The record that is being cut, until its end is found.
    open: Option<Open>,
    // The number of bytes of the file that were returned.
    consumed: u64,
    // If the end of the file cuts off a record: true leaves that record for later. Otherwise, whether there was one.
    leaves_open_end: bool,
    cut_off: bool,
    // The end of the last element of the array.
    element_end: Option<TextPlace>,
    spans: Vec<Span<JsonFault>>,
}

/// The layout of a file: how records follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// One record per line.
    Lines,
    /// Consecutive objects: the first one spans several lines.
    Objects,
    /// The elements of one array.
    Array(ArrayPlace),
}

/// The position of the next byte relative to the array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ArrayPlace {
    /// Before the array's opening bracket.
    Outside,
    /// After the opening bracket: an element or the closing bracket follows.
    Begun,
    /// After a comma: an element follows.
    Comma,
    /// After an element: a comma or the closing bracket follows.
    Element,
    /// After the array: nothing may follow.
    Behind,
}

/// An error of a record, whatever its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JsonFault {
    /// It exceeds the maximum size; has the size.
    Overlong(u64),
    /// An element of the array is missing before this comma or bracket.
    NoElement,
    /// There is no comma between the element before and this one.
    NoComma,
    /// It follows the end of the array.
    BehindArray,
    /// The file ends within the array. The record is empty.
    OpenArray,
}

impl JsonFault {
    /// The message, for this maximum size of records.
    pub(super) fn message(self, record_bytes_max: usize) -> String {
        match self {
            JsonFault::Overlong(bytes) => return overlong(bytes, record_bytes_max),
            JsonFault::NoElement => "not JSON: an element of the array is missing here",
            JsonFault::NoComma => "not JSON: expected `,` or `]` after the previous element",
            JsonFault::BehindArray => "not JSON: data after the end of the array",
            JsonFault::OpenArray => "not JSON: the file ends before its array is closed; it may be truncated",
        }
        .to_owned()
    }
}

/// A record whose end has not been found.
struct Open {
    // The number of bytes of the buffer that were examined.
    scanned: usize,
    // The number of bytes that were examined and dropped, because the record is too long.
    dropped: u64,
    brackets: Brackets,
}

/// The state of determining the layout.
#[derive(Default)]
struct Look {
    at: usize,
    // From the first bracket on.
    brackets: Option<Brackets>,
    closed: bool,
}

impl<R: Patient> JsonRecords<R> {
    /// Records are bad if they exceed both `record_bytes_max` and 1 MiB.
    pub(super) fn new(reader: R, record_bytes_max: usize) -> JsonRecords<R> {
        JsonRecords {
            reader,
            record_bytes_max: text_bytes_max(record_bytes_max),
            layout: None,
            look: Look::default(),
            buffer: Vec::new(),
            start: 0,
            end_of_file: false,
            line: 1,
            column: 0,
            open: None,
            consumed: 0,
            leaves_open_end: false,
            cut_off: false,
            element_end: None,
            spans: Vec::new(),
        }
    }

    /// The maximum size of a record.
    pub(super) fn record_bytes_max(&self) -> usize {
        self.record_bytes_max
    }

    /// From now on, does not return a record that the end of the file cuts off.
    pub(super) fn leave_open_end(&mut self) {
        self.leaves_open_end = true;
    }

    /// The beginning of the next record, or of the bytes before it. At the end of an array, the end of its last element: more
    /// elements would begin with a comma there.
    pub(super) fn place(&self) -> TextPlace {
        if let Some(place) = self.element_end.filter(|_| self.layout == Some(Layout::Array(ArrayPlace::Behind))) {
            return place;
        }
        let layout = self.layout.map_or(TextLayout::Lines, Layout::in_place);
        let column = if layout == TextLayout::Lines { 0 } else { self.column };
        TextPlace { byte: self.consumed, line: self.line, column, layout, cut_off: self.cut_off }
    }

    /// Moves to a place, before anything was read.
    pub(super) fn resume(&mut self, place: TextPlace) -> Result<(), FormatError> {
        let Some(file) = self.reader.as_file() else {
            return Err(place::refused(Format::JsonLines, "only files have positions"));
        };
        let place = place.within(Format::JsonLines, file)?;
        self.reader.seek_to(place.byte)?;
        self.layout = Some(Layout::of_place(place.layout));
        (self.line, self.column, self.consumed) = (place.line, place.column, place.byte);
        self.end_element(place.byte);
        Ok(())
    }

    /// The next records, at most `records_max`; `None` at the end of the file.
    pub(super) fn next(&mut self, records_max: usize) -> io::Result<Option<Chunk<'_, JsonFault>>> {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.spans.clear();
        self.reader.wait_for_ever();
        let mut bytes_read = 0;
        let mut position = 0;
        if self.layout.is_none() {
            self.layout = self.find_layout()?;
            if self.layout.is_none() {
                return Ok(None);
            }
            if self.buffer.starts_with(BYTE_ORDER_MARK) {
                self.buffer.drain(..BYTE_ORDER_MARK.len());
                bytes_read += BYTE_ORDER_MARK.len() as u64;
            }
        }
        let mut waiting = false;
        while self.spans.len() < records_max && position < CHUNK_BYTES_MAX {
            let known = self.spans.len();
            let (end, dropped) = match self.cut(position) {
                Ok(Some(taken)) => taken,
                Ok(None) => break,
                // The first record has waited long enough for others. The bytes of the next one are kept.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && bytes_read > 0 => break,
                Err(error) => return Err(error),
            };
            if !waiting && !self.spans.is_empty() {
                waiting = true;
                self.reader.wait_a_while();
            }
            bytes_read += dropped + (end - position) as u64;
            position = end;
            if self.spans.len() > known {
                self.end_element(self.consumed + bytes_read);
            }
        }
        self.start = position;
        if bytes_read == 0 && self.spans.is_empty() {
            return Ok(None);
        }
        self.consumed += bytes_read;
        Ok(Some(Chunk { bytes: &self.buffer[..position], spans: &self.spans, bytes_read }))
    }

    /// Records that the array's last element ended before this byte, after which another record may follow.
    fn end_element(&mut self, byte: u64) {
        let (line, column) = (self.line, self.column);
        self.element_end = self
            .layout
            .filter(|layout| *layout == Layout::Array(ArrayPlace::Element))
            .map(|layout| TextPlace { byte, line, column, layout: layout.in_place(), cut_off: false });
    }

    /// Cuts the record at `from`, or the bytes between records there. Returns the beginning of the next record, and the number of
    /// bytes dropped from the buffer; `None` at the end of the file.
    fn cut(&mut self, from: usize) -> io::Result<Option<(usize, u64)>> {
        if self.open.is_none() {
            let byte = loop {
                if let Some(&byte) = self.buffer.get(from) {
                    break byte;
                }
                if !self.fill()? {
                    self.end_of_array(from);
                    return Ok(None);
                }
            };
            if let Some(end) = self.between(from, byte) {
                return Ok(Some((end, 0)));
            }
            let ends = match self.layout {
                Some(Layout::Array(ArrayPlace::Begun | ArrayPlace::Comma | ArrayPlace::Element)) => Ends::InArray,
                _ => Ends::WithLine,
            };
            self.open = Some(Open { scanned: 0, dropped: 0, brackets: Brackets::new(ends, self.column) });
        }
        let Some(cut_off) = self.look_for_end(from)? else {
            self.open = None;
            return Ok(None);
        };
        // There always is an open record here.
        let Some(open) = self.open.take() else { return Ok(None) };
        Ok(Some(self.take(from, &open, cut_off)))
    }

    /// Skips bytes at `from` that are not a record: white space, and the array's own brackets and commas. Returns their end.
    fn between(&mut self, from: usize, byte: u8) -> Option<usize> {
        let layout = self.layout?;
        if layout == Layout::Lines {
            return None;
        }
        if is_white(byte) {
            let length = self.buffer[from..].iter().take_while(|&&byte| is_white(byte)).count();
            for &byte in &self.buffer[from..from + length] {
                (self.line, self.column) =
                    if byte == b'\n' { (self.line + 1, 0) } else { (self.line, self.column + 1) };
            }
            return Some(from + length);
        }
        let Layout::Array(place) = layout else { return None };
        let (next, fault) = match (place, byte) {
            (ArrayPlace::Outside, b'[') => (ArrayPlace::Begun, None),
            (ArrayPlace::Begun | ArrayPlace::Element, b']') => (ArrayPlace::Behind, None),
            (ArrayPlace::Element, b',') => (ArrayPlace::Comma, None),
            (ArrayPlace::Comma, b']') => (ArrayPlace::Behind, Some(JsonFault::NoElement)),
            (ArrayPlace::Begun | ArrayPlace::Comma, b',') => (ArrayPlace::Comma, Some(JsonFault::NoElement)),
            _ => return None,
        };
        self.layout = Some(Layout::Array(next));
        if fault.is_some() {
            self.spans.push(Span { range: from..from + 1, line: self.line, fault });
        }
        self.column += 1;
        Some(from + 1)
    }

    /// At the end of the file: its array must have ended before.
    fn end_of_array(&mut self, from: usize) {
        if let Some(Layout::Array(place)) = self.layout
            && place != ArrayPlace::Behind
            && !self.leaves_open_end
        {
            self.cut_off = true;
            self.element_end = None;
            self.layout = Some(Layout::Array(ArrayPlace::Behind));
            let fault = Some(JsonFault::OpenArray);
            self.spans.push(Span { range: from..from, line: self.line, fault });
        }
    }

    /// Reads until the end of the open record, keeping at most the maximum size. Returns whether the file ended within the record;
    /// `None` if it did and the record is left for later.
    fn look_for_end(&mut self, from: usize) -> io::Result<Option<bool>> {
        let lines = self.layout == Some(Layout::Lines);
        loop {
            let Some(open) = &mut self.open else { return Ok(Some(false)) };
            let rest = &self.buffer[from + open.scanned..];
            let found = if lines { newline(rest) } else { open.brackets.end(rest) };
            open.scanned += found.unwrap_or(rest.len());
            if open.scanned > self.record_bytes_max || open.dropped > 0 {
                let kept = open.scanned.min(KEPT_BYTES_MAX);
                open.dropped += (open.scanned - kept) as u64;
                self.buffer.drain(from + kept..from + open.scanned);
                open.scanned = kept;
            }
            if found.is_some() {
                return Ok(Some(false));
            }
            let scalar = open.brackets.is_scalar();
            if !self.fill()? {
                if self.leaves_open_end {
                    return Ok(None);
                }
                self.cut_off = true;
                return Ok(Some(!scalar));
            }
        }
    }

    /// Creates a span for the record at `from`. Returns the same as [`JsonRecords::cut`].
    fn take(&mut self, from: usize, open: &Open, cut_off: bool) -> (usize, u64) {
        let mut end = from + open.scanned;
        let bytes = &self.buffer[from..end];
        let content = match self.layout {
            Some(Layout::Lines) => bytes.strip_suffix(b"\r").unwrap_or(bytes),
            _ => {
                let behind = bytes.iter().rev().take_while(|&&byte| is_white(byte)).count();
                &bytes[..bytes.len() - behind]
            }
        };
        let blank = content.iter().all(|&byte| is_white(byte));
        let fault = match self.layout {
            _ if open.dropped > 0 => Some(JsonFault::Overlong(open.scanned as u64 + open.dropped)),
            Some(Layout::Array(ArrayPlace::Element)) => Some(JsonFault::NoComma),
            Some(Layout::Array(ArrayPlace::Behind)) => Some(JsonFault::BehindArray),
            _ => None,
        };
        if !blank || fault.is_some() {
            self.spans.push(Span { range: from..from + content.len(), line: self.line, fault });
        }
        if self.layout == Some(Layout::Lines) {
            if self.buffer.get(end) == Some(&b'\n') {
                end += 1;
            }
            self.line += 1;
        } else {
            self.line += open.brackets.newlines();
            self.column = open.brackets.column();
        }
        if let Some(Layout::Array(place)) = &mut self.layout
            && *place != ArrayPlace::Behind
        {
            *place = match () {
                // For a record that is cut off, no error about the array is added.
                () if cut_off => ArrayPlace::Behind,
                // The same for a record whose closing bracket is missing; the comma after it was counted as a part of it.
                () if open.brackets.depth() > 0 => ArrayPlace::Comma,
                () => ArrayPlace::Element,
            };
        }
        (end, open.dropped)
    }

    /// Examines the beginning of the file to determine the layout; `None` if that is not possible yet and the file may grow.
    fn find_layout(&mut self) -> io::Result<Option<Layout>> {
        while self.buffer.len() < BYTE_ORDER_MARK.len() && self.fill()? {}
        foreign::refuse(Format::JsonLines, &self.buffer)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if self.look.at == 0 && self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.look.at = BYTE_ORDER_MARK.len();
        }
        loop {
            while let Some(&byte) = self.buffer.get(self.look.at) {
                if let Some(layout) = self.look.step(byte) {
                    return Ok(Some(layout));
                }
                self.look.at += 1;
            }
            if self.look.at > self.record_bytes_max || !self.fill()? {
                let undecided = self.end_of_file && self.leaves_open_end && !self.look.closed;
                return Ok((!undecided).then(|| self.look.at_last(self.end_of_file)));
            }
        }
    }

    /// Reads more bytes; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        if self.end_of_file {
            return Ok(false);
        }
        // A single read: do not wait for a pipe to fill the buffer.
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

impl Layout {
    fn in_place(self) -> TextLayout {
        match self {
            Layout::Lines => TextLayout::Lines,
            Layout::Objects => TextLayout::Objects,
            Layout::Array(ArrayPlace::Outside) => TextLayout::ArrayOutside,
            Layout::Array(ArrayPlace::Begun) => TextLayout::ArrayBegun,
            Layout::Array(ArrayPlace::Comma) => TextLayout::ArrayComma,
            Layout::Array(ArrayPlace::Element) => TextLayout::ArrayElement,
            Layout::Array(ArrayPlace::Behind) => TextLayout::ArrayBehind,
        }
    }

    fn of_place(layout: TextLayout) -> Layout {
        match layout {
            TextLayout::Lines => Layout::Lines,
            TextLayout::Objects => Layout::Objects,
            TextLayout::ArrayOutside => Layout::Array(ArrayPlace::Outside),
            TextLayout::ArrayBegun => Layout::Array(ArrayPlace::Begun),
            TextLayout::ArrayComma => Layout::Array(ArrayPlace::Comma),
            TextLayout::ArrayElement => Layout::Array(ArrayPlace::Element),
            TextLayout::ArrayBehind => Layout::Array(ArrayPlace::Behind),
        }
    }
}

impl Look {
    /// Examines the next byte. Returns the layout if this determines it.
    fn step(&mut self, byte: u8) -> Option<Layout> {
        let array = Some(Layout::Array(ArrayPlace::Outside));
        let white = is_white(byte);
        let Some(brackets) = &mut self.brackets else {
            return match byte {
                _ if white => None,
                b'{' | b'[' => {
                    let mut brackets = Brackets::new(Ends::WithLine, 0);
                    brackets.step(byte);
                    self.brackets = Some(brackets);
                    None
                }
                _ => Some(Layout::Lines),
            };
        };
        let several_lines = brackets.newlines() > 0;
        if brackets.is_object() {
            return match brackets.step(byte) {
                Step::Inside => brackets.text_is_torn().then_some(Layout::Lines),
                Step::EndBefore => Some(Layout::Lines),
                Step::EndAfter if several_lines => Some(Layout::Objects),
                Step::EndAfter => Some(Layout::Lines),
            };
        }
        match () {
            // More lines follow the line with the array.
            () if self.closed => {
                if white {
                    None
                } else {
                    Some(Layout::Lines)
                }
            }
            // A single line that ends after an element: the next line may continue the array, or be unrelated.
            () if several_lines && white => None,
            () if several_lines => {
                if matches!(byte, b',' | b']') {
                    array
                } else {
                    Some(Layout::Lines)
                }
            }
            () => match brackets.step(byte) {
                Step::EndBefore => Some(Layout::Lines),
                Step::EndAfter => {
                    self.closed = true;
                    None
                }
                Step::Inside if brackets.text_is_torn() || brackets.depth() > DEPTH_MAX.into() => Some(Layout::Lines),
                Step::Inside if byte == b'\n' && brackets.is_open_for_more() => array,
                Step::Inside => None,
            },
        }
    }

    /// The layout of a file that has ended, or whose first record is very long.
    fn at_last(&self, end_of_file: bool) -> Layout {
        match &self.brackets {
            // A single line that begins an array is neither a record nor contains one.
            Some(brackets) if !brackets.is_object() && (self.closed || brackets.newlines() > 0 || !end_of_file) => {
                Layout::Array(ArrayPlace::Outside)
            }
            Some(brackets) if brackets.is_object() && brackets.newlines() > 0 && !end_of_file => Layout::Objects,
            _ => Layout::Lines,
        }
    }
}

/// White space as defined by JSON.
fn is_white(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// The number of bytes before the first line end.
fn newline(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    // For a slice this is a vectorised search, and cannot fail.
    let taken = rest.skip_until(b'\n').unwrap_or(0);
    (taken > 0 && bytes.get(taken - 1) == Some(&b'\n')).then(|| taken - 1)
}
