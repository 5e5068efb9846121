//! Messages as they gather to a batch.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Headers};
use weir_batch::SystemColumns;
use weir_batch::arrow::array::{
    Array, BinaryArray, BinaryBuilder, Int32Array, Int64Array, StringBuilder, TimestampMicrosecondArray,
};
use weir_formats::{BadRecord, DecodedRecords, Fill, FormatError, RecordDecoder};

use crate::SourceBatch;
use weir_kafka::legible;
use weir_state::{Partition, Positions};

/// What a batch takes, for the room of the next one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    records: usize,
    value_bytes: usize,
    key_bytes: usize,
}

/// The messages of one topic that are to be one batch. Bytes are copied once, from librdkafka's buffers.
pub(super) struct Gather {
    pub(super) since: Instant,
    values: BinaryBuilder,
    keys: BinaryBuilder,
    timestamps: Vec<Option<i64>>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    header_names: StringBuilder,
    header_values: BinaryBuilder,
    // How many headers each record has.
    header_counts: Vec<usize>,
    positions: Positions,
    bytes: usize,
    // Rows that are larger than a record may be, ascending, each with its error.
    overlong: Vec<(usize, String)>,
    topic: Arc<str>,
}

impl Gather {
    /// With room for a batch of this size.
    pub(super) fn new(topic: &Arc<str>, room: Size) -> Gather {
        let Size { records, value_bytes, key_bytes } = room;
        Gather {
            since: Instant::now(),
            values: BinaryBuilder::with_capacity(records, value_bytes),
            keys: BinaryBuilder::with_capacity(records, key_bytes),
            timestamps: Vec::with_capacity(records),
            partitions: Vec::with_capacity(records),
            offsets: Vec::with_capacity(records),
            header_names: StringBuilder::new(),
            header_values: BinaryBuilder::new(),
            header_counts: Vec::with_capacity(records),
            positions: Positions::default(),
            bytes: 0,
            overlong: Vec::new(),
            topic: Arc::clone(topic),
        }
    }

    /// Takes a message in, or only what it weighs. Its position is for [`Gather::pass`].
    pub(super) fn push(&mut self, partition: &Partition, message: &BorrowedMessage<'_>, skip: bool, fill: &Fill) {
        let before = self.bytes;
        let size = message.payload_len().saturating_add(message.key_len());
        self.bytes = self.bytes.saturating_add(size);
        if skip {
            return;
        }
        self.values.append_option(message.payload());
        self.keys.append_option(message.key());
        self.timestamps.push(message.timestamp().to_millis().map(|ms| ms.saturating_mul(1000)));
        self.partitions.push(partition.number);
        self.offsets.push(message.offset());
        // Asked for once: each time, the client reads them anew where there are none.
        let headers = message.headers();
        let count = headers.map_or(0, Headers::count);
        if let Some(headers) = headers {
            for index in 0..count {
                let (name, value) = legible(|| headers.try_get(index).map(|header| (header.key, header.value)));
                self.header_names.append_value(name);
                self.header_values.append_option(value);
                self.bytes = self.bytes.saturating_add(name.len() + value.map_or(0, <[u8]>::len));
            }
        }
        self.header_counts.push(count);
        let bytes = self.bytes.saturating_sub(before);
        if bytes > fill.record_bytes_max {
            self.overlong.push((self.offsets.len() - 1, fill.too_large(bytes as u64)));
        }
    }

    /// Takes in that a partition goes on there: behind what was pushed, or behind what is shown to nobody.
    pub(super) fn pass(&mut self, partition: &Partition, next: i64) {
        self.positions.set(partition.clone(), next);
    }

    pub(super) fn is_full(&self, fill: &Fill) -> bool {
        self.offsets.len() >= fill.records_max.max(1) || self.bytes >= fill.bytes_max
    }

    /// Whether a message goes into the next batch, since this one would be larger than a batch may be.
    pub(super) fn is_full_before(&self, message: &BorrowedMessage<'_>, fill: &Fill) -> bool {
        let size = message.payload_len().saturating_add(message.key_len());
        !self.offsets.is_empty() && self.bytes.saturating_add(size) > fill.bytes_max
    }

    /// How large it has become.
    pub(super) fn size(&self) -> Size {
        Size {
            records: self.offsets.len(),
            value_bytes: self.values.values_slice().len(),
            key_bytes: self.keys.values_slice().len(),
        }
    }

    /// The batch that they are.
    pub(super) fn finish(mut self, decoder: &RecordDecoder, keep_raw: bool) -> Result<SourceBatch, FormatError> {
        let values = self.values.finish();
        let headers = match self.header_counts.iter().any(|&count| count > 0) {
            true => {
                let (names, values) = (self.header_names.finish(), self.header_values.finish());
                Some(SystemColumns::headers_of(names, values, self.header_counts)?)
            }
            false => None,
        };
        let mut all = SystemColumns::default();
        all.key = Some(self.keys.finish());
        all.timestamp = Some(TimestampMicrosecondArray::from(self.timestamps));
        all.partition = Some(Int32Array::from(self.partitions));
        all.offset = Some(Int64Array::from(self.offsets));
        all.headers = headers;
        all.origin = Some(Arc::clone(&self.topic));
        all.raw = keep_raw.then(|| values.clone());
        let decoded = match self.overlong.is_empty() {
            true => decoder.decode(&values)?,
            false => decode_others(decoder, &values, self.overlong)?,
        };
        let bad_rows = || decoded.bad.iter().map(|(row, _)| *row);
        let of_bad = match decoded.bad.is_empty() {
            true => None,
            false => {
                let mut of_bad = all.rows(bad_rows())?;
                // That a value was null, and not empty, is all that a bad record's bytes do not say.
                if of_bad.raw.is_none() && bad_rows().any(|row| values.is_null(row)) {
                    of_bad.raw =
                        SystemColumns::default().with(|it| it.raw = Some(values.clone())).rows(bad_rows())?.raw;
                }
                Some(Box::new(of_bad))
            }
        };
        let of_good = match decoded.bad.is_empty() {
            true => all,
            false => {
                let mut bad = bad_rows().peekable();
                all.rows((0..values.len()).filter(|row| bad.next_if_eq(row).is_none()))?
            }
        };
        let offsets =
            of_bad.as_ref().and_then(|system| system.offset.as_ref()).map_or(&[][..], |offsets| offsets.values());
        let bad = decoded
            .bad
            .iter()
            .zip(offsets)
            .map(|((row, message), &offset)| BadRecord::new(offset, of_row(&values, *row), message.as_str()));
        Ok(SourceBatch {
            bad: bad.collect(),
            bad_system: of_bad,
            batch: decoded.batch.with_system(of_good)?,
            bytes: self.bytes as u64,
            origin: None,
            positions: self.positions,
        })
    }
}

/// Decodes the rows that are not too large. The others are bad records, whatever they hold.
fn decode_others(
    decoder: &RecordDecoder,
    values: &BinaryArray,
    overlong: Vec<(usize, String)>,
) -> Result<DecodedRecords, FormatError> {
    let is_overlong = |row: usize| overlong.binary_search_by_key(&row, |(row, _)| *row).is_ok();
    let others: Vec<usize> = (0..values.len()).filter(|&row| !is_overlong(row)).collect();
    let mut decoded =
        decoder.decode(&others.iter().map(|&row| values.is_valid(row).then(|| values.value(row))).collect())?;
    let place = |(row, message): (usize, String)| Some((*others.get(row)?, message));
    let mut bad: Vec<(usize, String)> = decoded.bad.drain(..).filter_map(place).collect();
    bad.extend(overlong);
    bad.sort_unstable_by_key(|(row, _)| *row);
    decoded.bad = bad;
    Ok(decoded)
}

fn of_row(values: &BinaryArray, row: usize) -> Vec<u8> {
    if values.is_valid(row) { values.value(row).to_vec() } else { Vec::new() }
}
