//! Finds the end of a JSON value by its brackets and quotes.

/// Follows a value byte by byte. It does not check that the text is JSON, but finds the end of valid JSON. In invalid JSON it stops
/// at a place at which reading can continue.
pub(super) struct Brackets {
    ends: Ends,
    // The number of bytes of the line before the value, and before the next byte.
    begin_column: u64,
    column: u64,
    newlines: u64,
    // The number of open brackets, and which of the innermost are braces; the last bit is the innermost.
    depth: u64,
    braces: u128,
    text: Text,
    // The last byte outside of strings that is not white space; a quote stands for a string.
    last: u8,
    // Whether this line contains only white space so far.
    line_is_blank: bool,
    first: Option<u8>,
    torn: bool,
}

/// Where a value ends that is neither a list nor an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// At the end of its line.
    WithLine,
    /// At the end of its line, or at the next comma or bracket of the array.
    InArray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escape,
}

/// The meaning of a byte for the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The byte is a part of the value.
    Inside,
    /// The byte is the last one of the value.
    EndAfter,
    /// The value ended before this byte.
    EndBefore,
}

impl Brackets {
    /// A value that begins after this many bytes of its line.
    pub(super) fn new(ends: Ends, begin_column: u64) -> Brackets {
        Brackets {
            ends,
            begin_column,
            column: begin_column,
            newlines: 0,
            depth: 0,
            braces: 0,
            text: Text::Outside,
            last: b' ',
            line_is_blank: false,
            first: None,
            torn: false,
        }
    }

    /// The number of these bytes that belong to the value, if it ends among them.
    pub(super) fn end(&mut self, bytes: &[u8]) -> Option<usize> {
        for (index, &byte) in bytes.iter().enumerate() {
            match self.step(byte) {
                Step::Inside => {}
                Step::EndAfter => return Some(index + 1),
                Step::EndBefore => return Some(index),
            }
        }
        None
    }

    pub(super) fn step(&mut self, byte: u8) -> Step {
        let step = self.follow(byte);
        if step != Step::EndBefore {
            self.column = if byte == b'\n' { 0 } else { self.column + 1 };
        }
        step
    }

    fn follow(&mut self, byte: u8) -> Step {
        let first = self.first.is_none();
        let scalar = self.is_scalar();
        self.first.get_or_insert(byte);
        if byte == b'\n' {
            if scalar && !first {
                return Step::EndBefore;
            }
            // A string cannot contain a line end: its closing quote is missing.
            self.torn |= self.text != Text::Outside;
            self.text = Text::Outside;
            self.newlines += 1;
            self.line_is_blank = true;
            return Step::Inside;
        }
        match (self.text, byte) {
            (Text::Inside, b'"') => self.text = Text::Outside,
            (Text::Inside, b'\\') => self.text = Text::Escape,
            (Text::Inside | Text::Escape, _) => self.text = Text::Inside,
            (Text::Outside, b' ' | b'\t' | b'\r') => {}
            (Text::Outside, _) => return self.outside(byte, first),
        }
        Step::Inside
    }

    /// Handles a byte outside of strings that is not white space.
    fn outside(&mut self, byte: u8, first: bool) -> Step {
        let blank = std::mem::take(&mut self.line_is_blank);
        let before = std::mem::replace(&mut self.last, byte);
        match byte {
            b'"' => self.text = Text::Inside,
            b'{' | b'[' => {
                if byte == b'{'
                    && blank
                    && self.depth > 0
                    && self.column <= self.begin_column
                    && !self.takes_value(before)
                {
                    // No value is allowed here, and the line begins like the next record.
                    return Step::EndBefore;
                }
                if first || self.depth > 0 {
                    self.depth += 1;
                    self.braces = self.braces << 1 | u128::from(byte == b'{');
                }
            }
            b',' | b']' if self.depth == 0 && self.ends == Ends::InArray && !first => return Step::EndBefore,
            b'}' | b']' if self.depth > 0 => {
                self.depth -= 1;
                self.braces >>= 1;
                if self.depth == 0 {
                    return Step::EndAfter;
                }
            }
            _ => {}
        }
        Step::Inside
    }

    /// Whether a value is allowed after this byte.
    fn takes_value(&self, before: u8) -> bool {
        matches!(before, b':' | b'[') || (before == b',' && self.braces & 1 == 0)
    }

    /// Whether the value is neither a list nor an object.
    pub(super) fn is_scalar(&self) -> bool {
        !matches!(self.first, Some(b'{' | b'['))
    }

    /// Whether the value is an object.
    pub(super) fn is_object(&self) -> bool {
        self.first == Some(b'{')
    }

    /// The number of open brackets.
    pub(super) fn depth(&self) -> u64 {
        self.depth
    }

    /// Whether the value is incomplete, according to the brackets and the last byte. False after a complete element of the
    /// outermost list.
    pub(super) fn is_open_for_more(&self) -> bool {
        self.depth > 1 || matches!(self.last, b'[' | b',')
    }

    /// Whether a line ended within a string.
    pub(super) fn text_is_torn(&self) -> bool {
        self.torn
    }

    /// The number of line ends so far.
    pub(super) fn newlines(&self) -> u64 {
        self.newlines
    }

    /// The number of bytes of the line before the next byte.
    pub(super) fn column(&self) -> u64 {
        self.column
    }
}
