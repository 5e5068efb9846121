//! The CSV grammar: where records end, what their fields are, and which lines are faulty.
//!
//! A record ends with a newline, optionally after a carriage return, or with the input. A carriage return anywhere else outside
//! quotes is an error. A quote opens a quoted field only at the beginning of a field. Within a quoted field, quotes are doubled.
//! The field ends with a quote that is followed by a delimiter, a line end or the end of the input. A quote anywhere else is an
//! error, and so is other text after a closing quote. This is stricter than the csv crate and csv-core, which treat such quotes as
//! text and have no option for it.
//!
//! Strictness also limits the work. A position is inside quotes exactly if an odd number of quotes precedes it in its record.
//! Therefore, if a record that begins on line `n` is found to be faulty on a later line, each line in between contains an even
//! number of quotes, and can be read by itself when reading continues at line `n + 1`: no line is read more than twice.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2};

use super::csv_options::Dialect;

/// Why a line is not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GrammarFault {
    /// A quote opens on this line and does not close.
    OpenQuote,
    /// Text follows a closing quote.
    TextAfterQuote,
    /// A quote in a field that does not begin with one.
    BareQuote,
    /// A carriage return outside quotes without a newline after it.
    BareReturn,
}

impl GrammarFault {
    /// The message. `lines` is the distance from the record's first line to the error.
    pub(super) fn message(self, lines: u64) -> String {
        let further = if lines == 1 { "1 line later".to_owned() } else { format!("{lines} lines later") };
        match (self, lines) {
            (GrammarFault::OpenQuote, _) => "a quote opens on this line and is never closed".to_owned(),
            (GrammarFault::BareReturn, _) => "a carriage return without a newline outside quotes".to_owned(),
            (GrammarFault::TextAfterQuote, 0) => {
                "text follows a closing quote: write a quote inside quotes twice".to_owned()
            }
            (GrammarFault::TextAfterQuote, _) => {
                format!("a quote opens on this line and closes {further}, where text follows it")
            }
            (GrammarFault::BareQuote, 0) => {
                "a quote inside an unquoted field: put the field in quotes, and write the quote twice".to_owned()
            }
            (GrammarFault::BareQuote, _) => {
                format!("a quote opens on this line, and {further} there is a quote inside an unquoted field")
            }
        }
    }
}

/// The state of the search for a record's end. The search continues when more bytes have arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    /// The number of bytes of the record that were examined.
    pub(super) at: usize,
    /// The number of line ends among them, all inside quotes.
    pub(super) lines: u64,
    state: ScanState,
}

#[derive(Clone, Copy, Debug, Default)]
enum ScanState {
    #[default]
    Outside,
    Inside,
    /// After a quote in a quoted field: the closing quote, or the first of two.
    AfterQuote,
}

/// The result of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// The end of the record is not in the bytes.
    More,
    /// The end of the record, without its line end, and the beginning of the next record.
    End { end: usize, next: usize },
    /// The record's first line is faulty.
    Fault(GrammarFault),
}

impl Scan {
    /// Continues the search. `record` starts at the beginning of the record; `last` says that no more bytes will follow.
    pub(super) fn advance(&mut self, dialect: Dialect, record: &[u8], last: bool) -> Cut {
        // Without quotes, the only state is `Outside`.
        let quote = dialect.quote.unwrap_or(b'\n');
        loop {
            let rest = record.get(self.at..).unwrap_or_default();
            match self.state {
                ScanState::Outside => {
                    let Some(found) = memchr2(quote, b'\n', rest) else {
                        self.at = record.len();
                        return if last { Cut::End { end: self.at, next: self.at } } else { Cut::More };
                    };
                    let place = self.at + found;
                    self.at = place + 1;
                    if rest.get(found) == Some(&b'\n') {
                        let before = record.get(..place).unwrap_or_default();
                        let end = before.strip_suffix(b"\r").unwrap_or(before).len();
                        return Cut::End { end, next: place + 1 };
                    }
                    // The previous byte is outside quotes too, so a delimiter there ends a field.
                    if place > 0 && record.get(place - 1) != Some(&dialect.delimiter) {
                        return Cut::Fault(GrammarFault::BareQuote);
                    }
                    self.state = ScanState::Inside;
                }
                ScanState::Inside => {
                    let found = memchr(quote, rest);
                    let within = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
                    self.lines += memchr_iter(b'\n', within).count() as u64;
                    self.at += within.len();
                    if found.is_none() {
                        return if last { Cut::Fault(GrammarFault::OpenQuote) } else { Cut::More };
                    }
                    self.at += 1;
                    self.state = ScanState::AfterQuote;
                }
                ScanState::AfterQuote => match (rest.first(), rest.get(1)) {
                    (Some(&byte), _) if byte == quote => {
                        self.at += 1;
                        self.state = ScanState::Inside;
                    }
                    (Some(&byte), _) if byte == dialect.delimiter => {
                        self.at += 1;
                        self.state = ScanState::Outside;
                    }
                    (Some(b'\n'), _) => return Cut::End { end: self.at, next: self.at + 1 },
                    (Some(b'\r'), Some(b'\n')) => return Cut::End { end: self.at, next: self.at + 2 },
                    (None, _) | (Some(b'\r'), None) if !last => return Cut::More,
                    (None, _) => return Cut::End { end: self.at, next: self.at },
                    (Some(b'\r'), None) => return Cut::Fault(GrammarFault::BareReturn),
                    _ => return Cut::Fault(GrammarFault::TextAfterQuote),
                },
            }
        }
    }
}

impl Scan {
    /// Like [`Scan::advance`], for dialects without quotes, in which every line is a record.
    pub(super) fn advance_line(&mut self, record: &[u8], last: bool) -> Cut {
        let rest = record.get(self.at..).unwrap_or_default();
        let Some(found) = memchr(b'\n', rest) else {
            self.at = record.len();
            return if last { Cut::End { end: self.at, next: self.at } } else { Cut::More };
        };
        let place = self.at + found;
        self.at = place + 1;
        let before = record.get(..place).unwrap_or_default();
        let end = before.strip_suffix(b"\r").unwrap_or(before).len();
        Cut::End { end, next: place + 1 }
    }
}

/// One field of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FieldSpan {
    // Without the quotes around it.
    range: Range<usize>,
    pub(super) quoted: bool,
    // Quotes in the range are still doubled.
    doubled: bool,
}

impl FieldSpan {
    /// The field's text. If it contains doubled quotes, the text is written to `scratch`.
    pub(super) fn text<'a>(&self, record: &'a [u8], dialect: Dialect, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let raw = record.get(self.range.clone()).unwrap_or_default();
        let Some(quote) = dialect.quote.filter(|_| self.doubled) else { return raw };
        scratch.clear();
        let mut rest = raw;
        while let Some(place) = memchr(quote, rest) {
            let (text, behind) = rest.split_at(place + 1);
            scratch.extend_from_slice(text);
            rest = behind.get(1..).unwrap_or_default();
        }
        scratch.extend_from_slice(rest);
        scratch
    }
}

/// Splits a record into fields. `record` ends where [`Scan`] found its end, without the line end. Stores the first `fields_max`
/// fields in `fields`, and returns the total number.
pub(super) fn split(
    record: &[u8],
    dialect: Dialect,
    fields_max: usize,
    fields: &mut Vec<FieldSpan>,
) -> Result<usize, GrammarFault> {
    fields.clear();
    let returns = memchr(b'\r', record).is_some();
    let quote = dialect.quote.filter(|&quote| memchr(quote, record).is_some());
    let Some(quote) = quote else {
        if returns {
            return Err(GrammarFault::BareReturn);
        }
        let mut start = 0;
        for end in memchr_iter(dialect.delimiter, record) {
            if fields.len() == fields_max {
                // The other fields are only counted.
                let rest = record.get(start..).unwrap_or_default();
                return Ok(fields_max + 1 + memchr_iter(dialect.delimiter, rest).count());
            }
            fields.push(FieldSpan { range: start..end, ..FieldSpan::default() });
            start = end + 1;
        }
        if fields.len() < fields_max {
            fields.push(FieldSpan { range: start..record.len(), ..FieldSpan::default() });
            return Ok(fields.len());
        }
        return Ok(fields_max + 1);
    };
    let mut count = 0;
    let mut at = 0;
    loop {
        let mut field = FieldSpan::default();
        if record.get(at) == Some(&quote) {
            let start = at + 1;
            let mut from = start;
            let end = loop {
                let rest = record.get(from..).unwrap_or_default();
                let place = from + memchr(quote, rest).ok_or(GrammarFault::OpenQuote)?;
                if record.get(place + 1) != Some(&quote) {
                    break place;
                }
                field.doubled = true;
                from = place + 2;
            };
            field.range = start..end;
            field.quoted = true;
            at = end + 1;
        } else {
            let rest = record.get(at..).unwrap_or_default();
            let end = at + memchr(dialect.delimiter, rest).unwrap_or(rest.len());
            if returns && memchr(b'\r', record.get(at..end).unwrap_or_default()).is_some() {
                return Err(GrammarFault::BareReturn);
            }
            field.range = at..end;
            at = end;
        }
        count += 1;
        if count <= fields_max {
            fields.push(field);
        }
        if at >= record.len() {
            return Ok(count);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::CsvOptions;
    use super::*;

    fn cut(text: &str) -> Cut {
        let dialect = CsvOptions::default().dialect();
        let whole = Scan::default().advance(dialect, text.as_bytes(), true);
        // A search byte by byte has the same result.
        let mut scan = Scan::default();
        for end in 0..text.len() {
            match scan.advance(dialect, &text.as_bytes()[..end], false) {
                Cut::More => {}
                found => {
                    assert_eq!(found, whole, "{text:?}");
                    return whole;
                }
            }
        }
        assert_eq!(scan.advance(dialect, text.as_bytes(), true), whole, "{text:?}");
        whole
    }

    fn fields(record: &str) -> Result<Vec<String>, GrammarFault> {
        let dialect = CsvOptions::default().dialect();
        let (mut spans, mut scratch) = (Vec::new(), Vec::new());
        let count = split(record.as_bytes(), dialect, 100, &mut spans)?;
        assert_eq!(count, spans.len());
        for fields_max in 0..count {
            assert_eq!(split(record.as_bytes(), dialect, fields_max, &mut Vec::new()), Ok(count), "{record:?}");
        }
        let text = |span: &FieldSpan| {
            let text = String::from_utf8(span.text(record.as_bytes(), dialect, &mut scratch).to_vec()).unwrap();
            if span.quoted { format!("<{text}>") } else { text }
        };
        Ok(spans.iter().map(text).collect())
    }

    #[test]
    fn records_end() {
        let end = |end, next| Cut::End { end, next };
        for (text, found) in [
            ("", end(0, 0)),
            ("\n", end(0, 1)),
            ("a,b\nc", end(3, 4)),
            ("a,b\r\nc", end(3, 5)),
            ("a,b\r\r\nc", end(4, 6)),
            ("\r\n", end(0, 2)),
            ("a,b", end(3, 3)),
            ("\"a\nb\",c\nd", end(7, 8)),
            ("\"a\"\nb", end(3, 4)),
            ("\"a\"\r\nb", end(3, 5)),
            ("\"a\"", end(3, 3)),
            ("\"a\"\r", Cut::Fault(GrammarFault::BareReturn)),
            ("a\r", end(2, 2)),
            ("\"a\"\"\nb\"\nc", end(7, 8)),
            ("\"\",\"\"\n", end(5, 6)),
            ("a,\"", Cut::Fault(GrammarFault::OpenQuote)),
            ("a,\"b\"\"", Cut::Fault(GrammarFault::OpenQuote)),
            ("\"a\"b\n", Cut::Fault(GrammarFault::TextAfterQuote)),
            ("\"a\" ,b\n", Cut::Fault(GrammarFault::TextAfterQuote)),
            ("\"a\"\rb\n", Cut::Fault(GrammarFault::TextAfterQuote)),
            ("\"a\n\"b\"\n", Cut::Fault(GrammarFault::TextAfterQuote)),
            ("a\"b\n", Cut::Fault(GrammarFault::BareQuote)),
            (" \"b\"\n", Cut::Fault(GrammarFault::BareQuote)),
            ("\"a\n\",b\"\n", Cut::Fault(GrammarFault::BareQuote)),
        ] {
            assert_eq!(cut(text), found, "{text:?}");
        }
    }

    #[test]
    fn fields_are_found() {
        for (record, found) in [
            ("", &[""][..]),
            ("a", &["a"]),
            (",", &["", ""]),
            ("a,,b", &["a", "", "b"]),
            ("\"\"", &["<>"]),
            ("\"\",", &["<>", ""]),
            ("\"a,\"\"b\"\"\",c", &["<a,\"b\">", "c"]),
            ("\"\"\"\"", &["<\">"]),
            ("\"a\r\nb\",c", &["<a\r\nb>", "c"]),
            ("\0,\"\0\"", &["\0", "<\0>"]),
        ] {
            assert_eq!(fields(record).unwrap(), found, "{record:?}");
        }
        assert_eq!(fields("a\rb"), Err(GrammarFault::BareReturn));
        assert_eq!(fields("\"a\",\r"), Err(GrammarFault::BareReturn));
    }

    #[test]
    fn without_quotes_every_line_is_a_record() {
        let dialect = Dialect { quote: None, ..CsvOptions::default().dialect() };
        let found = Scan::default().advance(dialect, b"a\"b,\"\nc", true);
        assert_eq!(found, Cut::End { end: 5, next: 6 });
        let mut spans = Vec::new();
        assert_eq!(split(b"a\"b,\"", dialect, 9, &mut spans), Ok(2));
    }
}
