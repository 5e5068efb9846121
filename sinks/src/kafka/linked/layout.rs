//! From rows to Kafka's records.

use std::sync::Arc;

use rdkafka::message::{Header, OwnedHeaders};
use weir_batch::arrow::array::cast::AsArray;
use weir_batch::arrow::array::types::TimestampMicrosecondType;
use weir_batch::arrow::array::{Array, BinaryArray, PrimitiveArray};
use weir_batch::{Batch, Schema};
use weir_formats::{Format, FormatError, RecordEncoder};

use super::bytes::Bytes;
use super::headers::PassedHeaders;
use super::record::Record;
use super::{KafkaKey, KafkaPartitioner, KafkaSinkConfig, KafkaTimestamp, KafkaValue};
use crate::{RefusedRow, RowRefusal, SinkError};

/// The name of the header that carries a W3C trace context.
const TRACEPARENT: &str = "traceparent";

/// The name of the header that goes with it, and means nothing beside another trace context.
const TRACESTATE: &str = "tracestate";

/// Where the parts of a record come from, with columns by position. Made once by a sink.
pub(super) struct Layout {
    topic: Arc<str>,
    value: ValueSource,
    key: KeySource,
    keep_partition: bool,
    pass_headers: bool,
    headers: Vec<(String, usize)>,
    timestamp: TimestampSource,
    // Values of one batch, one after another, and where each ends. Kept for the next batch.
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

enum ValueSource {
    Encoded(RecordEncoder),
    Column(usize),
}

enum KeySource {
    System,
    Column(usize),
    None,
}

enum TimestampSource {
    System,
    Column(usize),
    Now,
}

impl KafkaValue {
    /// The format of the fields; none where a column's bytes are the value.
    fn format(&self) -> Option<Format> {
        match self {
            KafkaValue::JsonLines => Some(Format::JsonLines),
            KafkaValue::Csv => Some(Format::Csv),
            KafkaValue::Bincode => Some(Format::Bincode),
            KafkaValue::Raw { .. } => None,
        }
    }
}

impl Layout {
    /// The settings were validated against the schema.
    pub(super) fn new(config: &KafkaSinkConfig, schema: &Arc<Schema>) -> Result<Layout, SinkError> {
        let index = |key: &'static str, column: &str| {
            let reason = || format!("column `{column}` does not exist");
            schema.index_of(column).ok_or_else(|| SinkError::Config { key, reason: reason() })
        };
        let value = match &config.value {
            KafkaValue::Raw { column } => ValueSource::Column(index("value", column)?),
            KafkaValue::Csv => {
                ValueSource::Encoded(RecordEncoder::csv(schema, &config.csv).map_err(SinkError::Encode)?)
            }
            encoded => {
                let format = encoded.format().unwrap_or(Format::JsonLines);
                ValueSource::Encoded(RecordEncoder::new(format, schema).map_err(SinkError::Encode)?)
            }
        };
        let key = match &config.key {
            KafkaKey::System => KeySource::System,
            KafkaKey::Column(column) => KeySource::Column(index("key", column)?),
            KafkaKey::None => KeySource::None,
        };
        let timestamp = match &config.timestamp {
            KafkaTimestamp::System => TimestampSource::System,
            KafkaTimestamp::Column(column) => TimestampSource::Column(index("timestamp", column)?),
            KafkaTimestamp::Now => TimestampSource::Now,
        };
        let headers = config.headers.iter().map(|(name, column)| Ok((name.clone(), index("headers", column)?)));
        Ok(Layout {
            topic: Arc::from(config.topic.as_str()),
            value,
            key,
            keep_partition: config.partitioner == KafkaPartitioner::Keep,
            pass_headers: config.pass_headers,
            headers: headers.collect::<Result<_, SinkError>>()?,
            timestamp,
            bytes: Vec::new(),
            ends: Vec::new(),
        })
    }

    pub(super) fn topic(&self) -> &Arc<str> {
        &self.topic
    }

    /// Hands every row that counts to `send`, which may refuse it. Says how many bytes of keys and values were sent, and
    /// which rows were refused.
    pub(super) fn send(
        &mut self,
        batch: &Batch,
        mut send: impl FnMut(Record<'_>) -> Result<Option<RowRefusal>, SinkError>,
    ) -> Result<(u64, Vec<RefusedRow>), SinkError> {
        let topic = Arc::clone(&self.topic);
        let system = batch.system();
        let column = |index: usize| Bytes::of(batch.column(index)).map_err(SinkError::Encode);
        let raw = match &mut self.value {
            ValueSource::Encoded(encoder) => {
                self.bytes.clear();
                self.ends.clear();
                encoder.encode(batch, &mut self.bytes, &mut self.ends).map_err(SinkError::Encode)?;
                None
            }
            ValueSource::Column(index) => Some(column(*index)?),
        };
        let keys = match self.key {
            KeySource::System => system.key.as_ref().map(|keys: &BinaryArray| Bytes::Binary(keys)),
            KeySource::Column(index) => Some(column(index)?),
            KeySource::None => None,
        };
        let times: Option<&PrimitiveArray<TimestampMicrosecondType>> = match self.timestamp {
            TimestampSource::System => system.timestamp.as_ref(),
            TimestampSource::Column(index) => batch.column(index).as_primitive_opt(),
            TimestampSource::Now => None,
        };
        let partitions = system.partition.as_ref().filter(|_| self.keep_partition);
        let passed = match system.headers.as_ref().filter(|_| self.pass_headers) {
            Some(headers) => Some(PassedHeaders::of(headers).map_err(SinkError::Encode)?),
            None => None,
        };
        let columns = self.headers.iter().map(|(name, index)| Ok((name.as_str(), column(*index)?)));
        let columns: Vec<(&str, Bytes<'_>)> = columns.collect::<Result<_, SinkError>>()?;
        let trace = batch.trace().map(|trace| trace.to_string());

        let (mut value_digits, mut key_digits, mut header_digits) = (Vec::new(), Vec::new(), Vec::new());
        let (mut begin, mut sent) = (0, 0_u64);
        let mut refused = Vec::new();
        for row in 0..batch.rows() {
            let Some(physical) = batch.physical_row(row) else { return Err(miscounted(row)) };
            let mut record = Record::to(&topic);
            match &raw {
                Some(raw) => record.payload = raw.get(physical, &mut value_digits),
                None => {
                    let end = *self.ends.get(row).ok_or_else(|| miscounted(row))?;
                    record.payload = Some(self.bytes.get(begin..end).ok_or_else(|| miscounted(row))?);
                    begin = end;
                }
            }
            record.key = keys.as_ref().and_then(|keys| keys.get(physical, &mut key_digits));
            let bytes = record.payload.map_or(0, <[u8]>::len) + record.key.map_or(0, <[u8]>::len);
            record.timestamp =
                times.filter(|times| times.is_valid(physical)).map(|times| millis(times.value(physical)));
            record.partition =
                partitions.filter(|column| column.is_valid(physical)).map(|column| column.value(physical));
            record.headers = headers(passed.as_ref(), &columns, trace.as_deref(), physical, &mut header_digits);
            match send(record)? {
                None => sent = sent.saturating_add(bytes as u64),
                Some(why) => refused.push(RefusedRow { row, why }),
            }
        }
        Ok((sent, refused))
    }
}

/// librdkafka takes 0 for the time of writing: the first millisecond of 1970 is written as the second.
fn millis(micros: i64) -> i64 {
    match micros.div_euclid(1000) {
        0 => 1,
        millis => millis,
    }
}

/// The headers of a row: those it came with, those of columns, the trace. Each kind replaces headers of the same name
/// of the kinds before; without a trace of the batch, the row keeps its own.
fn headers(
    passed: Option<&PassedHeaders<'_>>,
    columns: &[(&str, Bytes<'_>)],
    trace: Option<&str>,
    row: usize,
    digits: &mut Vec<u8>,
) -> Option<OwnedHeaders> {
    let passed_range = passed.map_or(0..0, |passed| passed.of_row(row));
    let capacity = passed_range.len() + columns.len() + usize::from(trace.is_some());
    if capacity == 0 {
        return None;
    }
    let is_trace =
        |name: &str| trace.is_some() && [TRACEPARENT, TRACESTATE].iter().any(|known| name.eq_ignore_ascii_case(known));
    let mut headers = OwnedHeaders::new_with_capacity(capacity);
    for (name, value) in passed_range.filter_map(|index| passed.and_then(|passed| passed.get(index))) {
        if !is_trace(name) && !columns.iter().any(|(column, _)| *column == name) {
            headers = headers.insert(Header { key: name, value });
        }
    }
    for (name, column) in columns.iter().filter(|(name, _)| !is_trace(name)) {
        if let Some(value) = column.get(row, digits) {
            headers = headers.insert(Header { key: name, value: Some(value) });
        }
    }
    if let Some(trace) = trace {
        headers = headers.insert(Header { key: TRACEPARENT, value: Some(trace.as_bytes()) });
    }
    Some(headers)
}

/// A row without its value cannot be: the encoder counts.
fn miscounted(row: usize) -> SinkError {
    let reason = format!("row {row} has no value");
    SinkError::Encode(FormatError::Encode { format: Format::JsonLines, reason })
}
