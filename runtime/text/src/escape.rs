//! Text that came from outside, made fit for terminals, logs and lines.

use std::fmt::{self, Write};

/// The text with everything escaped that a terminal, or a reader of lines, might take for more than text: control characters,
/// invisible ones, those that turn the reading direction, line separators, and accents without a letter. Quotes,
/// backslashes and spaces mean nothing there, and stay.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    push(&mut escaped, text);
    escaped
}

/// The same of the first characters.
pub fn escape_to(text: &str, chars_max: usize) -> String {
    escape(start(text, chars_max).0)
}

/// The same, with an ellipsis for what was left out.
pub fn elide(text: &str, chars_max: usize) -> String {
    let (start, is_all) = start(text, chars_max);
    let mut escaped = escape(start);
    if !is_all {
        escaped.push('…');
    }
    escaped
}

/// What a library says of an error or of a file, on one line and not endless: at most 300 characters, with a space for each control
/// character, and an ellipsis for what was left out. It may quote what it read.
pub fn brief(said: &(impl ToString + ?Sized)) -> String {
    let text = said.to_string();
    let (start, is_all) = start(text.trim_end(), 300);
    let mut brief: String = start.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if !is_all {
        brief.push('…');
    }
    brief
}

/// The same, cut to a number of bytes: the longest start that ends neither within a character nor within an escape.
pub fn escape_within(text: &str, bytes_max: usize) -> String {
    let mut escaping = Escaping::new(bytes_max);
    // An error says that there was more than that.
    let _cut = escaping.write_str(text).is_err();
    escaping.into_text()
}

/// The same of text between double quotes, which it cannot end: quotes and backslashes have a backslash before them.
pub fn escape_quoted(text: &str) -> String {
    escape(&text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The same of several lines, which stay lines: for text whose line ends are one's own.
pub fn escape_lines(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let end = line.strip_suffix('\n');
        push(&mut escaped, end.unwrap_or(line));
        if end.is_some() {
            escaped.push('\n');
        }
    }
    escaped
}

/// The same JSON, with everything escaped in its own way that [`escape`] escapes: within JSON that can only be in strings.
pub fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    let mut before = None;
    for character in json.chars() {
        if is_plain(before, character) {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _written = write!(escaped, "\\u{unit:04x}").is_ok();
            }
        }
        before = Some(character);
    }
    escaped
}

/// The same of the first characters of something's display, which is ended as soon as there is enough of it: a few bytes of a
/// mangled name can stand for a megabyte.
pub fn escape_display(value: impl fmt::Display, chars_max: usize) -> String {
    let mut start = Start { text: String::new(), chars_left: chars_max };
    // An error says that it was ended, or that it ended itself; what there is until then is kept.
    let _ended = write!(start, "{value:#}").is_err();
    escape(&start.text)
}

/// Takes a number of characters and refuses the next one.
struct Start {
    text: String,
    chars_left: usize,
}

impl Write for Start {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.chars_left = self.chars_left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}

/// Escapes what is written to it, and refuses more than a number of bytes.
#[derive(Debug)]
pub struct Escaping {
    text: String,
    bytes_max: usize,
    before: Option<char>,
}

impl Escaping {
    /// Empty, for at most this number of bytes.
    pub fn new(bytes_max: usize) -> Escaping {
        Escaping { text: String::new(), bytes_max, before: None }
    }

    /// What was written, as far as it fits.
    pub fn into_text(self) -> String {
        self.text
    }
}

impl Write for Escaping {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let end = self.text.len();
            push_one(&mut self.text, self.before, character);
            if self.text.len() > self.bytes_max {
                self.text.truncate(end);
                // Nor what is shorter, and comes after it.
                self.bytes_max = end;
                return Err(fmt::Error);
            }
            self.before = Some(character);
        }
        Ok(())
    }
}

/// The first characters, and whether they are all.
fn start(text: &str, chars_max: usize) -> (&str, bool) {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => (text.get(..end).unwrap_or_default(), false),
        None => (text, true),
    }
}

fn push(escaped: &mut String, text: &str) {
    let mut before = None;
    for character in text.chars() {
        push_one(escaped, before, character);
        before = Some(character);
    }
}

fn push_one(escaped: &mut String, before: Option<char>, character: char) {
    if is_plain(before, character) { escaped.push(character) } else { escaped.extend(character.escape_debug()) }
}

/// Whether a character stays as it is behind this one.
fn is_plain(before: Option<char>, character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_graphic() || character == ' ';
    }
    // Spaces of other widths are invisible, and are just that.
    if character.is_whitespace() && !character.is_control() && !matches!(character, '\u{2028}' | '\u{2029}') {
        return true;
    }
    let is_printable = |text: &str| !text.escape_debug().any(|escaped| escaped == '\\');
    let mut buffer = [0; 5];
    buffer[0] = b'a';
    let length = character.encode_utf8(&mut buffer[1..]).len();
    // What is printable only behind another character is an accent. It may be behind one that is shown.
    let (alone, behind) = (&buffer[1..=length], &buffer[..=length]);
    let [alone, behind] = [alone, behind].map(|bytes| std::str::from_utf8(bytes).unwrap_or("\0"));
    is_printable(alone)
        || (is_printable(behind) && before.is_some_and(|before| !before.is_whitespace() && !before.is_control()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\r\n\u{9b}31m\u{202e}b\u{7f}\"\u{0}\t\u{e0001}\u{200b}\u{feff}\u{2066}\u{2028}é";

    #[test]
    fn what_a_library_says_is_one_line_and_not_endless() {
        assert_eq!(brief("line 1\nline\t2\n"), "line 1 line 2");
        assert_eq!(brief(&"ä".repeat(300)), "ä".repeat(300));
        assert_eq!(brief(&"ä".repeat(301)), format!("{}…", "ä".repeat(300)));
    }

    #[test]
    fn what_could_deceive_is_escaped() {
        let check = |text: &str, expect: &str| {
            assert_eq!(escape(text), expect);
            assert_eq!(escape(expect), expect, "twice is once");
        };
        check("a \"b\" c:\\d 'é' 日\u{3000}本 1\u{a0}000", "a \"b\" c:\\d 'é' 日\u{3000}本 1\u{a0}000");
        check("\u{1b}[31mred\nnext\r\0", "\\u{1b}[31mred\\nnext\\r\\0");
        check("\u{202e}txet \u{200f}\u{85}", "\\u{202e}txet \\u{200f}\\u{85}");
        check(
            HOSTILE,
            "a\\u{1b}[2J\\r\\n\\u{9b}31m\\u{202e}b\\u{7f}\"\\0\\t\\u{e0001}\\u{200b}\\u{feff}\\u{2066}\\u{2028}é",
        );
        // Letters of many scripts are made of several characters. Accents on nothing would be on what is before the text.
        check("e\u{301} हिन्दी ไทย", "e\u{301} हिन्दी ไทย");
        check("\u{301}x", "\\u{301}x");
        check("a\n\u{301} \u{301}", "a\\n\\u{301} \\u{301}");
    }

    #[test]
    fn parts_end_between_characters_and_escapes() {
        assert_eq!([escape_to("a\n\n", 2), elide("a\n\n", 2), elide("a\n", 2)], ["a\\n", "a\\n…", "a\\n"]);
        let check = |bytes_max: usize, expect: &str| assert_eq!(escape_within("aé\0\0日", bytes_max), expect);
        check(0, "");
        check(2, "a");
        check(4, "aé");
        check(5, "aé\\0");
        check(8, "aé\\0\\0");
        check(10, "aé\\0\\0日");
        assert_eq!(escape_quoted("a\"\\\n"), "a\\\"\\\\\\n");
        assert_eq!(escape_lines("a\u{1b}\nb\r\n\n"), "a\\u{1b}\nb\\r\n\n");
    }

    #[test]
    fn what_is_written_without_end_is_ended() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("é\n")?;
                }
            }
        }
        assert_eq!([escape_display(Endless, 3), escape_display("short", 5)], ["é\\né", "short"]);
        let mut escaping = Escaping::new(7);
        assert!(write!(escaping, "{Endless}").is_err() && escaping.write_str("x").is_err());
        assert_eq!(escaping.into_text(), "é\\né");
    }

    #[test]
    fn json_stays_the_same_json() {
        let texts = [HOSTILE, "\u{1f600}\\\"'", "\u{301}"];
        let escaped = escape_json(&serde_json::to_string(&texts).unwrap());
        assert_eq!(escape(&escaped), escaped);
        assert_eq!(serde_json::from_str::<Vec<String>>(&escaped).unwrap(), texts);
    }
}
