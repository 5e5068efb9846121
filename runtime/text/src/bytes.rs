//! Bytes as text, and text as bytes.

use std::borrow::Cow;
use std::fmt::Write;

use percent_encoding::percent_decode_str;

/// Two lower-case hexadecimal digits per byte.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    let bytes = bytes.as_ref();
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string does not fail.
        let _written = write!(text, "{byte:02x}").is_ok();
    }
    text
}

/// Decodes percent-encoded text into bytes. `None` if a `%` is not followed by two hexadecimal digits.
pub fn percent_decoded(text: &str) -> Option<Cow<'_, [u8]>> {
    let whole = |rest: &str| rest.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    text.split('%').skip(1).all(whole).then(|| percent_decode_str(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_and_read() {
        assert_eq!(hex([0, 0x0a, 0xff]), "000aff");
        for (text, bytes) in [("", ""), ("a+b", "a+b"), ("%61%2F%25", "a/%"), ("%e6%97%a5", "日")] {
            assert_eq!(percent_decoded(text).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        for odd in ["%", "%2", "a%2", "%zz", "%+1", "%%41", "%é"] {
            assert_eq!(percent_decoded(odd), None, "{odd}");
        }
    }
}
