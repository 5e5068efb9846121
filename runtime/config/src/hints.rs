//! What somebody may have meant who wrote something common that a query file does not take.

/// The language that a text is written in, where it is clearly another than TOML.
pub(crate) fn other_language(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    // No line of TOML begins with a brace, a dash, a percent sign or an angle bracket.
    if text.starts_with('{') || json_list(text) {
        return Some("JSON");
    }
    if text.starts_with('<') {
        return Some("XML");
    }
    let first = text.lines().map(str::trim_end).find(|line| !line.is_empty() && !line.starts_with('#'))?;
    (first == "---" || first.starts_with("%YAML") || first.starts_with("- ") || yaml_key(first)).then_some("YAML")
}

/// A list of objects, which no name of a table looks like.
fn json_list(text: &str) -> bool {
    text.strip_prefix('[').is_some_and(|inside| inside.trim_start().starts_with('{'))
}

/// `name: late-flights`, or `sources:` alone.
fn yaml_key(line: &str) -> bool {
    let Some((key, value)) = line.split_once(':') else { return false };
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    !key.is_empty() && key.bytes().all(bare) && (value.is_empty() || value.starts_with(' '))
}

/// A number with a unit in a string, such as `64MB`, `1 GiB`, `10s` or `8_192`, as the plain number that was meant: bytes or
/// milliseconds, which the key's name says. `None` where it is no such thing, or too large.
pub(crate) fn plain_number(text: &str, key: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '_')).unwrap_or(text.len());
    let (digits, unit) = text.split_at(end);
    let number: u64 = digits.replace('_', "").parse().ok()?;
    let unit = unit.trim().to_ascii_lowercase();
    let milliseconds = key.contains("_ms");
    let factor: u64 = match (unit.as_str(), milliseconds) {
        ("", _) => 1,
        ("ms", true) => 1,
        ("s" | "sec", true) => 1000,
        ("m" | "min", true) => 60_000,
        ("h", true) => 3_600_000,
        ("b" | "bytes", false) => 1,
        ("k" | "kb", false) => 1000,
        ("m" | "mb", false) => 1_000_000,
        ("g" | "gb", false) => 1_000_000_000,
        ("kib" | "ki", false) => 1 << 10,
        ("mib" | "mi", false) => 1 << 20,
        ("gib" | "gi", false) => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// What to write instead of a path that is none: an address, a pattern, a dash. `reading` is false for an output.
pub fn path(written: &str, reading: bool) -> Option<(String, String)> {
    if let Some((scheme, _)) = written.split_once("://").filter(|(scheme, _)| is_scheme(scheme)) {
        let message = format!("`{scheme}://` is a URL: this key needs the path of a local file");
        let help = match (scheme, reading) {
            ("file", _) => "write only the path, without `file://`",
            (_, true) => "download the object to a local file, and use its path",
            (_, false) => "write to a local file, and upload it from there",
        };
        return Some((message, help.to_owned()));
    }
    if written == "-" {
        let (device, kind) = if reading { ("input", "file source") } else { ("output", "sink") };
        let help = match reading {
            true => "write `path = \"/dev/stdin\"`, with `format` and `schema`",
            false => "use a sink of `kind = \"stdout\"`",
        };
        return Some((format!("`-` does not mean standard {device} in a {kind}"), help.to_owned()));
    }
    if written.starts_with("~/") || written == "~" {
        return Some(("`~` is not expanded in a query file".to_owned(), "write the full path".to_owned()));
    }
    None
}

/// The hint for a file that is missing under a name that looks like a pattern.
pub fn pattern(written: &str) -> Option<&'static str> {
    written
        .contains(['*', '?', '{'])
        .then_some("patterns are not expanded: name each file, `paths = [\"a.jsonl\", \"b.jsonl\"]`")
}

/// A scheme as RFC 3986 has it, section 3.1.
fn is_scheme(text: &str) -> bool {
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    text.starts_with(|letter: char| letter.is_ascii_alphabetic()) && text.bytes().all(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_languages_are_told_from_toml() {
        for (text, language) in [
            ("{\"name\": \"late\"}", Some("JSON")),
            ("\u{feff}\n {\n", Some("JSON")),
            ("[{\"name\": \"late\"}]", Some("JSON")),
            ("[\"a\"]\nname = 1", None),
            ("---\nname: late\n", Some("YAML")),
            ("# a comment\nname: late\nsources:\n", Some("YAML")),
            ("sources:\n  flights:\n", Some("YAML")),
            ("- name: late\n", Some("YAML")),
            ("<query/>", Some("XML")),
            ("name = \"a: b\"", None),
            ("\"a: b\" = 1", None),
            ("[sources.a]", None),
            ("[[stages]]", None),
            ("", None),
            ("name", None),
        ] {
            assert_eq!(other_language(text), language, "{text:?}");
        }
    }

    #[test]
    fn numbers_with_units_are_read_as_the_key_counts() {
        for (text, key, number) in [
            ("64MB", "bytes_max", Some(64_000_000)),
            ("64 MiB", "bytes_max", Some(67_108_864)),
            ("8_192", "records_max", Some(8192)),
            ("10s", "commit_ms", Some(10_000)),
            ("5 min", "commit_ms", Some(300_000)),
            ("10s", "bytes_max", None),
            ("MB", "bytes_max", None),
            ("18446744073709551615GiB", "bytes_max", None),
            ("99999999999999999999", "bytes_max", None),
        ] {
            assert_eq!(plain_number(text, key), number, "{text:?} for {key}");
        }
    }
}
