//! One dead letter, read back.

use serde::Deserialize;
use serde_json::value::RawValue;

/// A dead letter as its file or topic holds it: why a record is dead, where it came from, and the record itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The query that it is of.
    pub query: String,
    /// Its tenant.
    pub tenant: String,
    /// The source or stage at which the record died.
    pub place: String,
    /// Digest of the module that was at work, in hexadecimal digits.
    pub module: Option<String>,
    /// Its function.
    pub function: Option<String>,
    /// Why, for machines.
    pub code: String,
    /// Why, for people.
    pub message: String,
    /// The file or topic that the record came from.
    pub origin: Option<String>,
    /// Its partition.
    pub partition: Option<i32>,
    /// Its place in there.
    pub offset: Option<i64>,
    /// Its event time, in microseconds since the Unix epoch.
    pub timestamp_us: Option<i64>,
    /// The line that it began on.
    pub line: Option<u64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers: names and values.
    pub headers: Vec<Header>,
    /// Its bytes as they came.
    pub bytes: Option<Vec<u8>>,
    /// The fields that the stage received, as a JSON object.
    pub record: Option<String>,
}

/// A header's name, and its value where it has one.
pub type Header = (String, Option<Vec<u8>>);

/// The JSON of a letter. Keys that are not known are of a later version, and passed over.
#[derive(Deserialize)]
struct Written {
    query: String,
    tenant: String,
    place: String,
    module: Option<String>,
    function: Option<String>,
    code: String,
    message: String,
    origin: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    timestamp_us: Option<i64>,
    line: Option<u64>,
    key_hex: Option<String>,
    #[serde(default)]
    headers: Vec<(String, Option<String>)>,
    bytes_hex: Option<String>,
    // As it stands: reading it into numbers of this program's would change some.
    record: Option<Box<RawValue>>,
}

impl Letter {
    /// Reads one letter, a JSON object.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub fn parse(text: &[u8]) -> Result<Letter, String> {
        let written: Written = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let bytes_of = |key: &str, hex: String| unhex(&hex).ok_or_else(|| format!("`{key}` is not hexadecimal"));
        let headers = written.headers.into_iter().map(|(name, value)| {
            let value = value.map(|value| bytes_of("headers", value)).transpose()?;
            Ok((name, value))
        });
        Ok(Letter {
            headers: headers.collect::<Result<_, String>>()?,
            key: written.key_hex.map(|hex| bytes_of("key_hex", hex)).transpose()?,
            bytes: written.bytes_hex.map(|hex| bytes_of("bytes_hex", hex)).transpose()?,
            record: written.record.map(|record| record.get().to_owned()),
            query: written.query,
            tenant: written.tenant,
            place: written.place,
            module: written.module,
            function: written.function,
            code: written.code,
            message: written.message,
            origin: written.origin,
            partition: written.partition,
            offset: written.offset,
            timestamp_us: written.timestamp_us,
            line: written.line,
        })
    }
}

fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| if let [high, low] = *pair { Some(digit(high)? << 4 | digit(low)?) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#""query":"q","tenant":"t","place":"p","code":"c","message":"m""#;

    #[test]
    fn what_is_missing_is_none_and_what_is_unknown_is_passed_over() {
        let letter = Letter::parse(format!("{{{LEAST},\"partition\":null,\"later\":[1]}}").as_bytes()).unwrap();
        assert_eq!((letter.place.as_str(), letter.partition, letter.record), ("p", None, None));
    }

    #[test]
    fn bytes_and_records_come_back_as_they_were() {
        let more = r#""key_hex":"00ff","headers":[["h","0A"],["n",null]],"bytes_hex":"","record":{"n":1e400, "m":9223372036854775807}"#;
        let letter = Letter::parse(format!("{{{LEAST},{more}}}").as_bytes()).unwrap();
        assert_eq!(letter.key.as_deref(), Some(&[0, 255][..]));
        assert_eq!(letter.headers, [("h".to_owned(), Some(vec![10])), ("n".to_owned(), None)]);
        assert_eq!(letter.bytes.as_deref(), Some(&[][..]));
        assert_eq!(letter.record.as_deref(), Some(r#"{"n":1e400, "m":9223372036854775807}"#));
    }

    /// However deep a record is nested, reading its letter does not recurse, and it is for its decoder to refuse.
    #[test]
    fn a_record_may_be_nested_deep() {
        use weir_batch::format::{RecordDecoder, RecordFormat};
        let record = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        let letter = Letter::parse(format!("{{{LEAST},\"record\":{record},\"later\":{record}}}").as_bytes()).unwrap();
        assert_eq!(letter.record.as_deref(), Some(&*record));
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
    }
}
