//! Encodes single records, for sinks whose records are messages.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{CsvOptions, Encoder, Format, FormatError, open_csv_encoder, open_encoder};
use weir_batch::{Batch, Schema};

/// Encodes records so that each is complete by itself: a JSON object without a line end, a line of CSV without header and line end,
/// or one [`super::bincode::Frame::Record`] without its length. Owned by one sink. The values are the same as those of
/// [`open_encoder`], which it uses.
pub struct RecordEncoder {
    format: Format,
    // For CSV: the quote around fields with line ends.
    quote: Option<u8>,
    encoder: Box<dyn Encoder>,
    written: Shared,
}

/// Bytes from the encoder that were not yet cut into records. The encoder owns one handle and the cutter the other; they never use
/// it at the same time.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RecordEncoder {
    /// An encoder for records of this schema.
    ///
    /// # Errors
    ///
    /// A format whose records are not complete by themselves: Parquet and Arrow IPC.
    pub fn new(format: Format, schema: &Arc<Schema>) -> Result<RecordEncoder, FormatError> {
        if matches!(format, Format::Parquet | Format::ArrowIpc) {
            let reason = "it cannot encode single records, only files".to_owned();
            return Err(FormatError::Encode { format, reason });
        }
        if format == Format::Csv {
            return RecordEncoder::csv(schema, &CsvOptions::default());
        }
        let written = Shared::default();
        let mut encoder = open_encoder(format, schema, written.clone())?;
        // The header, if the format has one.
        encoder.flush()?;
        written.lock().clear();
        Ok(RecordEncoder { format, quote: None, encoder, written })
    }

    /// An encoder for CSV records. Never writes a header, whatever the options say.
    ///
    /// # Errors
    ///
    /// Options that [`CsvOptions::validate`] refuses.
    pub fn csv(schema: &Arc<Schema>, options: &CsvOptions) -> Result<RecordEncoder, FormatError> {
        let options = CsvOptions { header: false, ..options.clone() };
        let written = Shared::default();
        let encoder = open_csv_encoder(schema, written.clone(), &options)?;
        Ok(RecordEncoder { format: Format::Csv, quote: options.quote, encoder, written })
    }

    /// Appends the rows that count to `bytes`, and the end of each row in `bytes` to `ends`. Rows are consecutive; the first begins
    /// at the previous end of `bytes`. After an error, nothing is appended.
    ///
    /// # Errors
    ///
    /// The errors of [`Encoder::write`]; after an error every call fails.
    pub fn encode(&mut self, batch: &Batch, bytes: &mut Vec<u8>, ends: &mut Vec<usize>) -> Result<(), FormatError> {
        self.encoder.write(batch)?;
        self.encoder.flush()?;
        let mut written = self.written.lock();
        let (bytes_before, ends_before) = (bytes.len(), ends.len());
        let mut rest = written.as_slice();
        while let Some((record, after)) = cut(self.format, self.quote, rest) {
            bytes.extend_from_slice(record);
            ends.push(bytes.len());
            rest = after;
        }
        let whole = rest.is_empty() && ends.len() - ends_before == batch.rows();
        written.clear();
        if !whole {
            let found = ends.len() - ends_before;
            bytes.truncate(bytes_before);
            ends.truncate(ends_before);
            let reason = format!("found {found} records, but {} were written", batch.rows());
            return Err(FormatError::Encode { format: self.format, reason });
        }
        Ok(())
    }
}

/// Splits off the first record.
fn cut(format: Format, quote: Option<u8>, written: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Format::Bincode = format {
        let (length, rest) = written.split_first_chunk::<4>()?;
        return rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?);
    }
    // JSON escapes line ends. CSV quotes them. The encoder writes quotes only for quoting, and doubles them within, so a line end
    // after an odd number of quotes is inside of a field.
    let mut quoted = false;
    let end = written.iter().position(|&byte| {
        quoted ^= Some(byte) == quote;
        byte == b'\n' && !quoted
    })?;
    Some((&written[..end], &written[end + 1..]))
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::buffer::BooleanBuffer;
    use expect_test::{Expect, expect};

    use super::super::bincode::Frame;
    use super::*;
    use weir_batch::{DataType, Field};

    fn batch() -> Arc<Batch> {
        let schema = Schema::new(vec![Field::nullable("name", DataType::Utf8), Field::new("delay", DataType::I64)]);
        let texts = vec![Some("SEA"), Some("a \"b\", c\nd"), None, Some("left out"), Some("")];
        let columns: Vec<ArrayRef> =
            vec![Arc::new(StringArray::from(texts)), Arc::new(Int64Array::from(vec![61, 5, -1, 0, 7]))];
        let all = Arc::new(Batch::new(Arc::new(schema.unwrap()), columns).unwrap());
        all.filter(&BooleanBuffer::from(vec![true, true, true, false, true])).unwrap()
    }

    fn records(format: Format, batch: &Batch, times: usize) -> Vec<Vec<u8>> {
        let mut encoder = RecordEncoder::new(format, batch.schema()).unwrap();
        let (mut bytes, mut ends) = (b"before".to_vec(), Vec::new());
        for _ in 0..times {
            encoder.encode(batch, &mut bytes, &mut ends).unwrap();
        }
        let begins = std::iter::once(6).chain(ends.iter().copied());
        begins.zip(&ends).map(|(begin, &end)| bytes[begin..end].to_vec()).collect()
    }

    fn check(format: Format, expect: Expect) {
        let once = records(format, &batch(), 1);
        assert_eq!(records(format, &batch(), 2), [once.clone(), once.clone()].concat());
        let shown: Vec<String> = once.iter().map(|record| record.escape_ascii().to_string()).collect();
        expect.assert_eq(&shown.join("\n"));
    }

    #[test]
    fn records_stand_alone() {
        check(
            Format::JsonLines,
            expect![[r#"
                {\"name\":\"SEA\",\"delay\":61}
                {\"name\":\"a \\\"b\\\", c\\nd\",\"delay\":5}
                {\"name\":null,\"delay\":-1}
                {\"name\":\"\",\"delay\":7}"#]],
        );
        check(
            Format::Csv,
            expect![[r#"
                SEA,61
                \"a \"\"b\"\", c\nd\",5
                ,-1
                \"\",7"#]],
        );
    }

    #[test]
    fn a_frame_is_one_record() {
        let records = records(Format::Bincode, &batch(), 1);
        assert_eq!(records.len(), 4);
        let config = ::bincode::config::standard();
        let (frame, used): (Frame<'_>, usize) = ::bincode::borrow_decode_from_slice(&records[1], config).unwrap();
        assert_eq!(used, records[1].len());
        use super::super::bincode::Value;
        assert_eq!(frame, Frame::Record(vec![Value::Utf8("a \"b\", c\nd"), Value::I64(5)]));
    }

    #[test]
    fn records_without_fields_are_counted() {
        let batch = Batch::with_rows(Arc::new(Schema::new(vec![]).unwrap()), vec![], 3).unwrap();
        for format in [Format::JsonLines, Format::Csv, Format::Bincode] {
            assert_eq!(records(format, &batch, 1).len(), 3, "{format}");
        }
    }

    #[test]
    fn formats_of_files_are_refused() {
        for format in [Format::Parquet, Format::ArrowIpc] {
            let error = RecordEncoder::new(format, batch().schema()).err().unwrap();
            let text = format!("cannot write {format}: it cannot encode single records, only files");
            assert_eq!(error.to_string(), text);
        }
    }

    #[test]
    fn a_batch_of_another_schema_is_refused_for_good() {
        let other = Arc::new(Schema::new(vec![Field::new("delay", DataType::I64)]).unwrap());
        let mut encoder = RecordEncoder::new(Format::JsonLines, &other).unwrap();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        assert!(matches!(encoder.encode(&batch(), &mut bytes, &mut ends), Err(FormatError::SchemaMismatch { .. })));
        let one = Batch::new(other, vec![Arc::new(Int64Array::from(vec![1]))]).unwrap();
        assert!(matches!(encoder.encode(&one, &mut bytes, &mut ends), Err(FormatError::Failed)));
        assert!(bytes.is_empty() && ends.is_empty());
    }
}
