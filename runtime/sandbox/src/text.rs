//! Text that came from outside, made fit for messages and logs.

/// The text with control and invisible characters escaped, so that it can neither break a line nor colour a terminal
/// nor turn the reading direction; cut after so many characters.
pub(crate) fn clean_to(text: &str, chars_max: usize) -> String {
    let mut cleaned = String::with_capacity(text.len().min(chars_max));
    for character in text.chars().take(chars_max) {
        push_clean(&mut cleaned, character);
    }
    cleaned
}

/// The same, of at most so many bytes: the longest start of it that ends neither within a character nor within an
/// escape.
pub(crate) fn clean_within(text: &str, bytes_max: usize) -> String {
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

/// Text at the length of a message's part.
pub(crate) fn clean(text: &str) -> String {
    clean_to(text, 160)
}

/// The longest start of the text that has at most so many bytes and ends between characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
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
    fn a_cut_never_splits_a_character() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("日", 2), "");
        assert_eq!(cut("ab", 100), "ab");
    }
}
