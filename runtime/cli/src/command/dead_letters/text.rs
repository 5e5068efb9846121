//! What letters hold, as text: nothing of it reaches a terminal as it is.

use std::fmt::Write;

use weir_text::elide;

/// Bytes as text where they are, and else as a dump of at most this many of them.
pub(super) fn bytes(bytes: &[u8], indent: &str, bytes_max: usize) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return format!("{indent}{}\n", elide(text, bytes_max));
    }
    let mut shown = String::new();
    for (line, part) in bytes.chunks(16).take(bytes_max.div_ceil(16)).enumerate() {
        let hex: Vec<String> = part.iter().map(|byte| format!("{byte:02x}")).collect();
        let text = part.iter().map(|&byte| if byte.is_ascii_graphic() || byte == b' ' { byte.into() } else { '.' });
        let text: String = text.collect();
        writeln!(shown, "{indent}{:08x}  {:<47}  {text}", line * 16, hex.join(" ")).unwrap_or_default();
    }
    if bytes.len() > bytes_max {
        writeln!(shown, "{indent}… {} bytes in all", bytes.len()).unwrap_or_default();
    }
    shown
}

/// Microseconds since the Unix epoch, as a time where that can be written.
pub(super) fn time(micros: i64) -> String {
    match arrow::temporal_conversions::timestamp_us_to_datetime(micros) {
        Some(time) => format!("{time:?}Z"),
        None => format!("{micros} us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\r\n\u{9b}31m\u{202e}b\u{7f}\"\u{0}\t\u{e0001}é";

    fn is_tame(text: &str) -> bool {
        !text.chars().any(|char| char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{e0001}'))
    }

    #[test]
    fn nothing_hostile_reaches_the_terminal() {
        let dump = bytes(&[HOSTILE.as_bytes(), b"\xff"].concat(), "", 64).replace('\n', "");
        assert!(is_tame(&dump), "{dump:?}");
        let text = bytes(HOSTILE.as_bytes(), "", 64).replace('\n', "");
        assert!(is_tame(&text) && text.starts_with("a\\u{1b}[2J\\r\\n"), "{text:?}");
    }

    #[test]
    fn bytes_that_are_no_text_are_dumped() {
        assert_eq!(bytes(b"{\"id\": 1}", "  ", 100), "  {\"id\": 1}\n");
        let dump = bytes(&[b'a', 0xff, 0x0a], "", 100);
        assert_eq!(dump, format!("00000000  61 ff 0a{}  a..\n", " ".repeat(39)));
        assert!(bytes(&[0xff; 100], "", 16).ends_with("… 100 bytes in all\n"));
    }

    #[test]
    fn times_are_written_where_they_can_be() {
        assert_eq!(time(1_640_995_200_000_000), "2022-01-01T00:00:00Z");
        assert_eq!(time(i64::MAX), format!("{} us", i64::MAX));
    }
}
