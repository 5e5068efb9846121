//! Text that came from outside, made fit for messages and logs.

use std::fmt::{self, Write as _};

/// The text with control and invisible characters escaped, so that it can neither break a line nor colour a terminal
/// nor turn the reading direction; cut after so many characters.
pub fn clean_to(text: &str, chars_max: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(chars_max));
    for character in text.chars().take(chars_max) {
        push_clean(&mut cleaned, character);
    }
    cleaned
}

/// The same, of at most so many bytes: the longest start of it that ends neither within a character nor within an
/// escape.
pub fn clean_within(text: &str, bytes_max: usize) -> String {
    let text = cut(text, bytes_max);
    let mut cleaned = String::with_capacity(text.len());
    for character in text.chars() {
        let before = cleaned.len();
        push_clean(&mut cleaned, character);
        if cleaned.len() > bytes_max {
            cleaned.truncate(before);
            break;
        }
    }
    cleaned
}

fn push_clean(cleaned: &mut String, character: char) {
    match character {
        '"' | '\'' | '\\' => cleaned.push(character),
        other => cleaned.extend(other.escape_debug()),
    }
}

/// The same of something's display, which is ended as soon as there is enough of it: a few bytes of a mangled name can
/// stand for a megabyte.
pub fn clean_display(value: impl fmt::Display, chars_max: usize) -> String {
    let mut start = Start { text: String::new(), chars_left: chars_max };
    // An error says that it was ended, or that it ended itself; what there is until then is kept.
    let _ended = write!(start, "{value:#}").is_err();
    clean_to(&start.text, chars_max)
}

/// Takes so many characters and refuses the next one.
struct Start {
    text: String,
    chars_left: usize,
}

impl fmt::Write for Start {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            self.chars_left = self.chars_left.checked_sub(1).ok_or(fmt::Error)?;
            self.text.push(character);
        }
        Ok(())
    }
}

/// Text at the length of a message's part.
pub fn clean(text: &str) -> String {
    clean_to(text, 160)
}

/// The longest start of the text that has at most so many bytes and ends between characters.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_deceive_is_escaped() {
        let check = |text: &str, expect: &str| assert_eq!(clean(text), expect);
        check("a \"b\" c:\\d 'é' 日", "a \"b\" c:\\d 'é' 日");
        check("\u{1b}[31mred\nnext\r\0", "\\u{1b}[31mred\\nnext\\r\\0");
        check("\u{202e}txet", "\\u{202e}txet");
        assert_eq!(clean(&"x".repeat(1000)).len(), 160);
    }

    #[test]
    fn what_is_escaped_keeps_the_limit() {
        let check = |bytes_max: usize, expect: &str| assert_eq!(clean_within("aé\0\0日", bytes_max), expect);
        check(0, "");
        check(2, "a");
        check(4, "aé");
        check(5, "aé\\0");
        check(8, "aé\\0\\0");
        check(10, "aé\\0\\0日");
    }

    #[test]
    fn a_display_without_end_is_ended() {
        struct Endless;
        impl fmt::Display for Endless {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                loop {
                    f.write_str("é\n")?;
                }
            }
        }
        assert_eq!(clean_display(Endless, 3), "é\\né");
        assert_eq!(clean_display("short", 5), "short");
        // Each type argument is a pair of the one before: 2^40 names.
        let digits = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let base_62 =
            |number: usize| [digits[number / 62], digits[number % 62]].map(char::from).iter().collect::<String>();
        let mut path = "INvC1a1f".to_owned();
        let mut last = path.len();
        path.push_str("TuuE");
        for _ in 0..40 {
            let here = path.len();
            let back = base_62(last - 1);
            path.push_str(&format!("TB{back}_B{back}_E"));
            last = here;
        }
        let shown = clean_display(rustc_demangle::demangle(&format!("_R{path}E")), 200);
        assert!(shown.starts_with("a::f::<((), ()), (((), ()), ((), ()))"), "{shown}");
        assert_eq!(shown.chars().count(), 200);
    }

    #[test]
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("日", 2), "");
        assert_eq!(cut("ab", 100), "ab");
    }
}
