//! Letters as lines of JSON.
//!
//! Version 2 holds bytes once, in base64. Its `headers` is an object, so that programs which only know version 1 refuse the line
//! instead of reading it without its key and headers. Version 1, which has no key `version`, holds bytes in hexadecimal digits
//! under `key_hex` and `bytes_hex`, and headers in a list.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::encoded_headers::{EncodedHeader, ReadHeaders};
use crate::letter::{Line, of_later_version};
use crate::{Header, Letter, LetterValue};

/// Longer lines are not letters, and are never written.
pub const LINE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The version of a line that this program cannot read as a letter.
#[derive(Deserialize)]
struct Other {
    version: Option<serde_json::Number>,
    damaged: Option<String>,
}

#[derive(Serialize)]
struct WrittenHeaders<'a> {
    base64: Vec<(&'a str, Option<String>)>,
}

/// An invalid letter from a topic, as a line that preserves it.
#[derive(Serialize)]
struct Damaged<'a> {
    version: u64,
    damaged: &'a str,
    partition: i32,
    offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    headers: WrittenHeaders<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

impl<'a> WrittenHeaders<'a> {
    fn of(headers: &'a [Header]) -> WrittenHeaders<'a> {
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_deref().map(base64)));
        WrittenHeaders { base64: headers.collect() }
    }
}

fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn unbase64(key: &str, text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|_| format!("`{key}` is not base64"))
}

fn unhex(key: &str, hex: &str) -> Result<Vec<u8>, String> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| if let [high, low] = *pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect();
    bytes.ok_or_else(|| format!("`{key}` is not hexadecimal"))
}

impl Letter {
    /// Parses one letter, a JSON object of version 1 or 2.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn parse(text: &[u8]) -> Result<Letter, String> {
        match serde_json::from_slice::<Line>(text) {
            Ok(Line { version: Some(version), .. }) if version > Letter::VERSION => {
                Err(of_later_version(&version.to_string()))
            }
            Ok(read) => Letter::of_line(read),
            Err(error) => Err(match serde_json::from_slice::<Other>(text) {
                Ok(Other { version: Some(version), .. }) if version.as_u64().is_none_or(|it| it > Letter::VERSION) => {
                    of_later_version(&version.to_string())
                }
                Ok(Other { damaged: Some(reason), .. }) => reason,
                _ => error.to_string(),
            }),
        }
    }

    fn of_line(mut line: Line) -> Result<Letter, String> {
        let second = line.version == Some(2);
        let headers: Vec<Header> = match line.headers.take() {
            None => Vec::new(),
            Some(ReadHeaders::Hex(headers)) if !second => decoded(headers, unhex)?,
            Some(ReadHeaders::Base64 { base64 }) if second => decoded(base64, unbase64)?,
            Some(_) => return Err("`headers` has another version than the dead letter".to_owned()),
        };
        let record = line.record.take().map(|record| record.get().to_owned());
        let (key, value) = if second {
            let key = line.key_base64.take().map(|key| unbase64("key", &key)).transpose()?;
            let bytes = line.bytes.take().map(|bytes| unbase64("bytes", &bytes)).transpose()?;
            let value = match (line.value.as_deref(), record) {
                (Some("original"), None) => LetterValue::Original(bytes),
                (Some("record"), Some(record)) => LetterValue::Record { record, bytes },
                (Some("omitted"), None) => LetterValue::Omitted,
                _ => {
                    return Err(
                        "`value` must be `original`, `record` or `omitted`, and match the other fields".to_owned()
                    );
                }
            };
            (key, value)
        } else {
            let key = line.key_hex.take().map(|hex| unhex("key_hex", &hex)).transpose()?;
            let bytes = line.bytes_hex.take().map(|hex| unhex("bytes_hex", &hex)).transpose()?;
            let value = match (record, bytes) {
                (Some(record), bytes) => LetterValue::Record { record, bytes },
                (None, Some(bytes)) => LetterValue::Original(Some(bytes)),
                (None, None) => LetterValue::Omitted,
            };
            (key, value)
        };
        Ok(line.into_letter(key, headers, value))
    }

    /// Appends the letter as a line of version 2, with its line end. [`Letter::parse`] returns the same letter.
    ///
    /// # Errors
    ///
    /// A record that is not valid JSON.
    pub fn write_line(&self, into: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        let record = self.record().map(serde_json::from_str::<&RawValue>).transpose()?;
        let begin = into.len();
        let mut serializer = serde_json::Serializer::new(&mut *into);
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("version", &Letter::VERSION)?;
        self.write_facts(&mut line)?;
        if let Some(key) = &self.key {
            line.serialize_entry("key", &base64(key))?;
        }
        line.serialize_entry("headers", &WrittenHeaders::of(&self.headers))?;
        line.serialize_entry("value", self.value.name())?;
        if let Some(bytes) = self.bytes() {
            line.serialize_entry("bytes", &base64(bytes))?;
        }
        if let Some(record) = record {
            line.serialize_entry("record", record)?;
        }
        line.end()?;
        // In JSON, line ends occur only between tokens, where they mean nothing.
        into.iter_mut().skip(begin).filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        into.push(b'\n');
        Ok(())
    }
}

/// An invalid letter from a topic, as a line that preserves all of it.
pub fn damaged_line(
    reason: &str,
    (partition, offset): (i32, i64),
    (key, value): (Option<&[u8]>, Option<&[u8]>),
    headers: &[Header],
) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(&Damaged {
        version: Letter::VERSION,
        damaged: reason,
        partition,
        offset,
        key: key.map(base64),
        headers: WrittenHeaders::of(headers),
        bytes: value.map(base64),
    })?;
    line.push(b'\n');
    Ok(line)
}

fn decoded(
    headers: Vec<EncodedHeader>,
    decode: fn(&str, &str) -> Result<Vec<u8>, String>,
) -> Result<Vec<Header>, String> {
    let headers = headers.into_iter().map(|(name, value)| {
        let value = value.map(|value| decode("headers", &value)).transpose()?;
        Ok((name, value))
    });
    headers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#""query":"q","tenant":"t","place":"p","code":"c","message":"m""#;

    fn of_second(more: &str) -> Result<Letter, String> {
        Letter::parse(format!("{{\"version\":2,{LEAST},{more}}}").as_bytes())
    }

    #[test]
    fn what_is_missing_is_none_and_what_is_unknown_is_passed_over() {
        let letter = Letter::parse(format!("{{{LEAST},\"partition\":null,\"later\":[1]}}").as_bytes()).unwrap();
        assert_eq!((letter.place.as_str(), letter.partition, letter.value), ("p", None, LetterValue::Omitted));
    }

    #[test]
    fn letters_of_version_1_come_back_as_they_were() {
        let more = r#""key_hex":"00ff","headers":[["h","0A"],["n",null]],"bytes_hex":"","record":{"n":1e400, "m":9223372036854775807}"#;
        let letter = Letter::parse(format!("{{{LEAST},{more}}}").as_bytes()).unwrap();
        assert_eq!(letter.key.as_deref(), Some(&[0, 255][..]));
        assert_eq!(letter.headers, [("h".to_owned(), Some(vec![10])), ("n".to_owned(), None)]);
        assert_eq!(letter.bytes(), Some(&[][..]));
        assert_eq!(letter.record(), Some(r#"{"n":1e400, "m":9223372036854775807}"#));
    }

    #[test]
    fn letters_of_version_2_come_back_as_they_were() {
        let more = r#""key":"AP8=","headers":{"base64":[["h","Cg=="],["n",null]]},"value":"original","bytes":"""#;
        let letter = of_second(more).unwrap();
        assert_eq!(letter.key.as_deref(), Some(&[0, 255][..]));
        assert_eq!(letter.headers, [("h".to_owned(), Some(vec![10])), ("n".to_owned(), None)]);
        assert_eq!(letter.value, LetterValue::Original(Some(Vec::new())));
        assert_eq!(of_second(r#""value":"original""#).unwrap().value, LetterValue::Original(None));
        let record = of_second(r#""value":"record","record":{"n":1e400}"#).unwrap();
        assert_eq!(record.record(), Some(r#"{"n":1e400}"#));
    }

    /// Letters of version 1 may have both the original value and the record. Written as version 2, they keep both.
    #[test]
    fn a_letter_of_version_1_that_is_written_again_loses_nothing() {
        for more in [
            r#""bytes_hex":"7b7d0a","record":"s""#,
            r#""bytes_hex":"","record":{"n":1}"#,
            r#""bytes_hex":"00ff""#,
            r#""record":[1, 2]"#,
            r#""key_hex":"00ff","headers":[["h","0A"],["n",null]]"#,
        ] {
            let letter = Letter::parse(format!("{{{LEAST},{more}}}").as_bytes()).unwrap();
            let mut line = Vec::new();
            letter.write_line(&mut line).unwrap();
            assert_eq!(Letter::parse(&line), Ok(letter), "{more}");
        }
    }

    #[test]
    fn letters_of_a_later_version_are_refused_by_it() {
        let expected = "the dead letter has version 3, but this program reads versions up to 2: use a newer `weir`";
        for later in [format!("{{\"version\":3,{LEAST}}}"), "{\"version\":3,\"query\":{}}".to_owned()] {
            assert_eq!(Letter::parse(later.as_bytes()).unwrap_err(), expected);
        }
        assert!(Letter::parse(b"{\"version\":-1}").unwrap_err().contains("version -1"));
    }

    #[test]
    fn a_program_that_knows_version_1_alone_refuses_version_2() {
        #[derive(Debug, Deserialize)]
        struct First {
            #[serde(default, rename = "headers")]
            _headers: Vec<(String, Option<String>)>,
        }
        let mut line = Vec::new();
        of_second(r#""value":"omitted""#).unwrap().write_line(&mut line).unwrap();
        assert!(serde_json::from_slice::<First>(&line).is_err());
    }

    /// Reading a letter does not recurse into its record, however deeply nested; the record's decoder refuses it.
    #[test]
    fn a_record_may_be_nested_deep() {
        use weir_formats::{RecordDecoder, RecordFormat};
        let record = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let letter = Letter::parse(format!("{{{LEAST},\"record\":{record},\"later\":{record}}}").as_bytes()).unwrap();
        assert_eq!(letter.record(), Some(&*record));
        let schema =
            weir_batch::Schema::new(vec![weir_batch::Field::nullable("b", weir_batch::DataType::I64)]).unwrap();
        let decoder = RecordDecoder::new(RecordFormat::JsonLines, schema.into()).unwrap();
        let values = weir_batch::arrow::array::BinaryArray::from_vec(vec![record.as_bytes()]);
        let bad = decoder.decode(&values).unwrap().bad;
        assert!(matches!(&*bad, [(0, message)] if message.starts_with("nested deeper than 128")), "{bad:?}");
    }

    #[test]
    fn anything_else_is_refused() {
        let deep = format!("{{{LEAST},\"record\":{}", "[".repeat(100_000));
        let texts = [
            String::new(),
            "{".to_owned(),
            "[]".to_owned(),
            "null".to_owned(),
            format!("{{{LEAST}"),
            format!("{{{LEAST}}} {{}}"),
            format!("{{{LEAST},\"key_hex\":\"0\"}}"),
            format!("{{{LEAST},\"bytes_hex\":\"0g\"}}"),
            format!("{{{LEAST},\"bytes_hex\":\"é\"}}"),
            format!("{{{LEAST},\"headers\":[[\"h\"]]}}"),
            format!("{{{LEAST},\"offset\":9223372036854775808}}"),
            format!("{{{LEAST},\"code\":\"again\"}}"),
            deep,
        ];
        for text in texts {
            let shown: String = text.chars().take(200).collect();
            assert!(Letter::parse(text.as_bytes()).is_err(), "{shown}");
        }
        assert!(Letter::parse(b"{\"query\":\"\xff\"}").is_err());
        for more in [
            r#""value":"another""#,
            r#""value":"record""#,
            r#""value":"original","bytes":"A""#,
            r#""value":"original","bytes":"A===""#,
            r#""value":"original","key":"!""#,
            r#""value":"original","headers":[["h","0a"]]"#,
            r#""value":"original","headers":{"base64":[["h","?"]]}"#,
            r#""value":"original","record":{}"#,
        ] {
            assert!(of_second(more).is_err(), "{more}");
        }
    }
}
