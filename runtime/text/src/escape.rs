//! Escapes text from outside, so that it is safe to print in terminals, logs and single lines.

use std::fmt::{self, Write};

/// Escapes all characters that a terminal, or a reader of lines, could treat as more than text: control characters, invisible
/// characters, characters that change the reading direction, line separators, and combining characters without a base letter.
/// Quotes, backslashes and spaces have no effect there and stay unchanged.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    push(&mut escaped, text);
    escaped
}

/// Like [`escape`], but only the first characters.
pub fn escape_to(text: &str, chars_max: usize) -> String {
    escape(start(text, chars_max).0)
}

/// Like [`escape_to`], with an ellipsis if characters were left out.
pub fn elide(text: &str, chars_max: usize) -> String {
    let (start, is_all) = start(text, chars_max);
    let mut escaped = escape(start);
    if !is_all {
        escaped.push('…');
    }
    escaped
}

/// A message of a library about an error or a file, which may quote the input. Returns one line of at most 300 characters, with a
/// space in place of each control character, and an ellipsis if characters were left out.
pub fn brief(said: &(impl ToString + ?Sized)) -> String {
    let text = said.to_string();
    let (start, is_all) = start(text.trim_end(), 300);
    let mut brief: String = start.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if !is_all {
        brief.push('…');
    }
    brief
}

/// Like [`escape`], cut to a number of bytes. The result never ends within a character or within an escape.
pub fn escape_within(text: &str, bytes_max: usize) -> String {
    let mut escaping = Escaping::new(bytes_max);
    // An error means that the text was longer than that.
    let _cut = escaping.write_str(text).is_err();
    escaping.into_text()
}

/// Like [`escape`], for text between double quotes: also puts a backslash before quotes and backslashes, so that the text cannot
/// end the quotes.
pub fn escape_quoted(text: &str) -> String {
    escape(&text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Like [`escape`], but keeps line ends: for text whose line ends come from this program.
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

/// Escapes the characters that [`escape`] escapes with escapes of JSON, so that the JSON keeps its meaning. In valid JSON they
/// occur only in strings.
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

/// Like [`escape_to`], for a value's `Display`. Stops formatting as soon as the limit is reached: a mangled name of a few bytes can
/// expand to a megabyte.
pub fn escape_display(value: impl fmt::Display, chars_max: usize) -> String {
    let mut start = Start { text: String::new(), chars_left: chars_max };
    // An error means that formatting was stopped, or failed; the text until then is kept.
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

/// Escapes the text that is written to it, up to a number of bytes.
#[derive(Debug)]
pub struct Escaping {
    text: String,
    bytes_max: usize,
    before: Option<char>,
}

impl Escaping {
    /// An empty text with a limit in bytes.
    pub fn new(bytes_max: usize) -> Escaping {
        Escaping { text: String::new(), bytes_max, before: None }
    }

    /// The text that was written, as far as it fits.
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
                // A shorter text that follows is not added either.
                self.bytes_max = end;
                return Err(fmt::Error);
            }
            self.before = Some(character);
        }
        Ok(())
    }
}

/// The first characters, and whether these are all.
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

/// Whether a character is left unescaped after this one.
fn is_plain(before: Option<char>, character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_graphic() || character == ' ';
    }
    // Spaces of other widths are invisible, but harmless.
    if character.is_whitespace() && !character.is_control() && !matches!(character, '\u{2028}' | '\u{2029}') {
        return true;
    }
    let is_printable = |text: &str| !text.escape_debug().any(|escaped| escaped == '\\');
    let mut buffer = [0; 5];
    buffer[0] = b'a';
    let length = character.encode_utf8(&mut buffer[1..]).len();
    // A character that can be printed only after another one is an accent. It is left unescaped after a visible character.
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
        // Letters of many scripts consist of several characters. An accent without a letter would be drawn over the text before it.
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
