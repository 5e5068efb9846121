//! JSON lines: one object a line, UTF-8.
//!
//! Timestamps are RFC 3339 text (a number of microseconds where the year has not four digits), bytes are hex text,
//! and numbers that JSON has not are the texts `NaN`, `Infinity` and `-Infinity`. Nulls are written, not left out.
//! Reading takes the same, numbers in quotes, and whole numbers written as `61.0`. Keys that are not declared are
//! passed over, and a missing key is a null.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::ReaderBuilder;
use arrow::json::reader::Decoder as ArrowDecoder;
use arrow::json::writer::{LineDelimited, Writer, WriterBuilder};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

use super::encoder::{ByteCounter, CountingWriter};
use super::error::brief;
use super::input::Input;
use super::json_values::{StrictValues, WrittenValues};
use super::narrow::{Narrowed, narrow, null_message, with_offsets};
use super::records::{Chunk, Records, Span};
use super::{BadRecord, Decoded, Decoder, Encoder, Format, FormatError};
use crate::{Batch, Schema};

/// Records that Arrow's decoder makes room for at once; more a chunk are cut to this.
const RECORDS_MAX: usize = 64 * 1024;

pub(super) struct JsonLinesDecoder {
    records: Records<Input>,
    schema: Arc<Schema>,
    arrow_schema: SchemaRef,
    decoder: ArrowDecoder,
    records_max: usize,
    next_offset: i64,
}

impl JsonLinesDecoder {
    pub(super) fn new(file: Input, schema: Arc<Schema>, records_max: usize) -> Result<Self, FormatError> {
        let records_max = records_max.min(RECORDS_MAX);
        let arrow_schema = schema.to_arrow();
        let decoder = arrow_decoder(&arrow_schema, records_max)?;
        let records = Records::new(file, false);
        Ok(JsonLinesDecoder { records, schema, arrow_schema, decoder, records_max, next_offset: 0 })
    }
}

impl Decoder for JsonLinesDecoder {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        let Some(chunk) = self.records.next(self.records_max)? else { return Ok(None) };
        let Chunk { bytes, spans, bytes_read } = chunk;
        let first = self.next_offset;
        self.next_offset = first.saturating_add(spans.len() as i64);
        let narrowed = match decode(&mut self.decoder, bytes, spans) {
            Ok(batch) => Narrowed {
                batch: batch.unwrap_or_else(|| RecordBatch::new_empty(Arc::clone(&self.arrow_schema))),
                good: (0..spans.len()).collect(),
                bad: Vec::new(),
            },
            Err(_) => {
                // A decoder that failed is in no defined state.
                self.decoder = arrow_decoder(&self.arrow_schema, self.records_max)?;
                narrow(&self.arrow_schema, spans.len(), |range: Range<usize>| {
                    let empty = || RecordBatch::new_empty(Arc::clone(&self.arrow_schema));
                    arrow_decoder(&self.arrow_schema, range.len())
                        .map_err(|error| error.to_string())
                        .and_then(|mut decoder| decode(&mut decoder, bytes, &spans[range]))
                        .map(|batch| batch.unwrap_or_else(empty))
                })?
            }
        };
        let batch = Batch::from_arrow(&self.schema, &narrowed.batch)?;
        let batch = with_offsets(batch, first, &narrowed.good)?;
        let bad = narrowed.bad.into_iter().map(|(row, message)| {
            let span = &spans[row];
            let record = &bytes[span.range.clone()];
            BadRecord {
                offset: first.saturating_add(row as i64),
                line: Some(span.line),
                bytes: record.to_vec(),
                message: span.fault.map_or_else(|| explain(record, &self.schema, message), |fault| fault.message()),
            }
        });
        Ok(Some(Decoded { bad: bad.collect(), batch, bytes_read }))
    }
}

pub(super) fn arrow_decoder(schema: &SchemaRef, rows: usize) -> Result<ArrowDecoder, FormatError> {
    // One row of room more than is asked for: the decoder stops taking bytes when it is full.
    ReaderBuilder::new(Arc::clone(schema))
        .with_batch_size(rows + 1)
        .with_decoder_factory(Arc::new(StrictValues))
        .build_decoder()
        .map_err(|error| FormatError::read(Format::JsonLines, error))
}

/// Decodes lines, each of which must be exactly one record.
pub(super) fn decode(decoder: &mut ArrowDecoder, bytes: &[u8], spans: &[Span]) -> Result<Option<RecordBatch>, String> {
    for (index, span) in spans.iter().enumerate() {
        if let Some(fault) = span.fault {
            return Err(fault.message());
        }
        let line = &bytes[span.range.clone()];
        let taken = decoder.decode(line).map_err(|error| brief(&error))?;
        if taken != line.len() || decoder.has_partial_record() || decoder.len() != index + 1 {
            return Err("a line must hold exactly one JSON object".to_owned());
        }
    }
    decoder.flush().map_err(|error| brief(&error))
}

/// Says what is wrong with a line that did not decode, plainer than Arrow does where that is possible.
pub(super) fn explain(line: &[u8], schema: &Schema, otherwise: String) -> String {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text,
        Err(error) => return format!("not UTF-8 from byte {} of the line on", error.valid_up_to()),
    };
    let value: serde_json::Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => return format!("not JSON: {}", brief(&error).replace(" at line 1 column ", " at column ")),
    };
    let serde_json::Value::Object(object) = value else {
        return "a line must hold a JSON object".to_owned();
    };
    let missing = |field: &&crate::Field| !field.nullable && object.get(&*field.name).is_none_or(|v| v.is_null());
    match schema.fields().iter().find(missing) {
        Some(field) if object.contains_key(&*field.name) => null_message(&field.name),
        Some(field) => format!("field `{}` is missing, and declared without nulls", field.name),
        None => {
            let text = otherwise.strip_prefix("Json error: ").unwrap_or(&otherwise);
            // Arrow names the field in words of its own.
            let named = text.strip_prefix("whilst decoding field '").and_then(|text| text.split_once("': "));
            named.map_or_else(|| text.to_owned(), |(field, reason)| format!("field `{field}`: {reason}"))
        }
    }
}

pub(super) struct JsonLinesEncoder<W: Write> {
    writer: Writer<CountingWriter<W>, LineDelimited>,
    written: ByteCounter,
}

impl<W: Write + Send> JsonLinesEncoder<W> {
    pub(super) fn new(writer: CountingWriter<W>) -> Self {
        let written = writer.counter();
        JsonLinesEncoder { writer: arrow_writer(writer), written }
    }
}

impl<W: Write + Send> Encoder for JsonLinesEncoder<W> {
    fn write(&mut self, batch: &Batch) -> Result<(), FormatError> {
        let batch = batch.to_arrow()?;
        self.writer.write(&batch).map_err(|error| FormatError::write(Format::JsonLines, error))
    }

    fn flush(&mut self) -> Result<(), FormatError> {
        Ok(self.writer.get_mut().flush()?)
    }

    fn bytes_written(&self) -> u64 {
        self.written.get()
    }

    fn finish(mut self: Box<Self>) -> Result<(), FormatError> {
        self.writer.finish().map_err(|error| FormatError::write(Format::JsonLines, error))?;
        self.flush()
    }
}

fn arrow_writer<W: Write>(writer: W) -> Writer<W, LineDelimited> {
    WriterBuilder::new().with_explicit_nulls(true).with_encoder_factory(Arc::new(WrittenValues)).build(writer)
}

/// One row as a line of JSON without its line end: how records of binary formats are shown and kept.
pub(super) fn row_as_json(batch: &RecordBatch, row: usize) -> Vec<u8> {
    let mut line = Vec::new();
    let written = arrow_writer(&mut line).write(&batch.slice(row, 1));
    if let Err(error) = written {
        // Types that JSON cannot hold do not get here: they are not carried.
        line = brief(&error).into_bytes();
    }
    line.truncate(line.trim_ascii_end().len());
    line
}

/// The first records of a file.
#[derive(Default)]
pub(super) struct Sample {
    /// The records, one a line. Lines that hold no JSON object are passed over.
    pub(super) lines: Vec<u8>,
    /// Their keys in the order of their first appearance.
    pub(super) keys: Vec<String>,
}

pub(super) fn sample(file: File, records_max: usize) -> io::Result<Sample> {
    let mut records = Records::new(Input::new(file, None), false);
    let mut sample = Sample::default();
    let mut sampled = 0;
    while sampled < records_max {
        let Some(chunk) = records.next(records_max - sampled)? else { break };
        for span in chunk.spans.iter().filter(|span| span.fault.is_none()) {
            let line = &chunk.bytes[span.range.clone()];
            let Ok(Keys(keys)) = serde_json::from_slice(line) else { continue };
            sample.lines.extend_from_slice(line);
            sample.lines.push(b'\n');
            sampled += 1;
            for key in keys {
                if !sample.keys.contains(&key) {
                    sample.keys.push(key);
                }
            }
        }
    }
    Ok(sample)
}

/// The keys of an object in their order.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        struct KeysVisitor;
        impl<'de> Visitor<'de> for KeysVisitor {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = map.next_entry()? {
                    keys.push(key);
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(KeysVisitor)
    }
}
