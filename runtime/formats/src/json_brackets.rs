//! Where a JSON value ends, told by its brackets and quotes.

/// Follows a value byte by byte. It knows too little to say that something is JSON, and enough to find the end of what
/// is; where it is not, it ends at a place from which reading can go on.
pub(super) struct Brackets {
    ends: Ends,
    // How many bytes of its line come before the value, and before the next byte.
    begin_column: u64,
    column: u64,
    newlines: u64,
    // How many brackets are open, and which of the innermost are braces, the last bit the innermost.
    depth: u64,
    braces: u128,
    text: Text,
    // The last byte outside of texts that is not white space, a quote for a text.
    last: u8,
    // Whether only white space was seen on this line.
    line_is_blank: bool,
    first: Option<u8>,
    torn: bool,
}

/// Where a value ends that is neither list nor object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    /// With its line.
    WithLine,
    /// With its line, and at the array's next comma or bracket.
    InArray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escape,
}

/// What a byte means for the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It belongs to it.
    Inside,
    /// It belongs to it, and ends it.
    EndAfter,
    /// It does not belong to it: the value ended before.
    EndBefore,
}

impl Brackets {
    /// A value that begins behind this many bytes of its line.
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

    /// The number of these bytes that belong to the value, where it ends among them.
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
            // A text does not go over a line end: its quote is missing.
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

    /// A byte outside of texts that is not white space.
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
                    // No value belongs here, and the line begins as the next record's would.
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

    /// Whether a value may come behind this byte.
    fn takes_value(&self, before: u8) -> bool {
        matches!(before, b':' | b'[') || (before == b',' && self.braces & 1 == 0)
    }

    /// Whether the value is neither list nor object.
    pub(super) fn is_scalar(&self) -> bool {
        !matches!(self.first, Some(b'{' | b'['))
    }

    /// Whether the value is an object.
    pub(super) fn is_object(&self) -> bool {
        self.first == Some(b'{')
    }

    /// How many of its brackets are not closed.
    pub(super) fn depth(&self) -> u64 {
        self.depth
    }

    /// Whether more has to come, by the brackets and the last byte: not behind a whole element of the outermost list.
    pub(super) fn is_open_for_more(&self) -> bool {
        self.depth > 1 || matches!(self.last, b'[' | b',')
    }

    /// Whether a line ended within a text.
    pub(super) fn text_is_torn(&self) -> bool {
        self.torn
    }

    /// How many line ends were seen.
    pub(super) fn newlines(&self) -> u64 {
        self.newlines
    }

    /// How many bytes of its line come before the next byte.
    pub(super) fn column(&self) -> u64 {
        self.column
    }
}
