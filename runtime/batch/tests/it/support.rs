//! Helpers of all tests here.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::format::{BadRecord, Decoder, Format, FormatError, open_decoder, open_encoder};
use weir_batch::{Batch, DataType, Field, Schema};

/// A schema as it is displayed: `delay i64, origin utf8?`.
pub(crate) fn schema(text: &str) -> Arc<Schema> {
    let fields = text.split(", ").filter(|field| !field.is_empty()).map(|field| {
        let (name, data_type) = field.split_once(' ').unwrap();
        Field {
            name: name.into(),
            data_type: data_type.trim_end_matches('?').parse().unwrap(),
            nullable: data_type.ends_with('?'),
        }
    });
    Arc::new(Schema::new(fields.collect()).unwrap())
}

/// A file of these bytes, to be read from its beginning.
pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// A writer whose bytes can be read while an encoder owns it.
#[derive(Clone, Default)]
pub(crate) struct Shared(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The batches as a file.
pub(crate) fn encode(format: Format, schema: &Arc<Schema>, batches: &[Arc<Batch>]) -> Result<Vec<u8>, FormatError> {
    let shared = Shared::default();
    let mut encoder = open_encoder(format, schema, shared.clone())?;
    for batch in batches {
        encoder.write(batch)?;
    }
    encoder.finish()?;
    let bytes = shared.0.lock().unwrap().clone();
    Ok(bytes)
}

/// What a whole file decodes to.
pub(crate) struct Read {
    pub(crate) schema: Arc<Schema>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) bad: Vec<BadRecord>,
    pub(crate) bytes_read: u64,
}

impl Read {
    /// Every row's text, and its `_offset`.
    pub(crate) fn rows(&self) -> Vec<(i64, String)> {
        let mut rows = Vec::new();
        for batch in &self.batches {
            let offsets = batch.system().offset.as_ref().unwrap();
            let texts = texts(batch);
            assert_eq!(offsets.len(), texts.len());
            rows.extend(offsets.values().iter().copied().zip(texts));
        }
        rows
    }
}

/// The rows that count, as text.
pub(crate) fn texts(batch: &Batch) -> Vec<String> {
    let columns = batch.to_arrow().unwrap();
    (0..columns.num_rows()).map(|row| format!("{:?}", columns.slice(row, 1).columns())).collect()
}

pub(crate) fn drain(mut decoder: Box<dyn Decoder>, records_max: usize) -> Result<Read, FormatError> {
    let mut read = Read { schema: Arc::clone(decoder.schema()), batches: vec![], bad: vec![], bytes_read: 0 };
    while let Some(decoded) = decoder.next()? {
        assert!(decoded.batch.rows() + decoded.bad.len() <= records_max);
        read.batches.push(decoded.batch);
        read.bad.extend(decoded.bad);
        read.bytes_read += decoded.bytes_read;
    }
    assert!(decoder.next()?.is_none(), "the end stays the end");
    Ok(read)
}

pub(crate) fn decode(
    format: Format,
    bytes: &[u8],
    schema: Option<&Arc<Schema>>,
    records_max: usize,
) -> Result<Read, FormatError> {
    drain(open_decoder(format, file(bytes), schema, records_max)?, records_max)
}

/// Any number, and the ones at whose edges mistakes are made.
fn any_i64() -> impl Strategy<Value = i64> {
    let edges = vec![i64::MIN, i64::MIN + 1, -1, 0, 1, (1 << 53) - 1, (1 << 53) + 1, i64::MAX - 1, i64::MAX];
    prop_oneof![any::<i64>(), prop::sample::select(edges)]
}

/// Columns of any values with any nulls, a field of every type with and without nulls.
pub(crate) fn any_batch() -> impl Strategy<Value = Arc<Batch>> {
    let row = (
        (any::<bool>(), any::<i8>(), any::<i16>(), any::<i32>(), any_i64()),
        prop_oneof![
            any::<f64>(),
            any::<u64>().prop_map(f64::from_bits).prop_filter("one NaN is like another", |value| !value.is_nan()),
            prop::sample::select(vec![
                f64::NAN,
                f64::INFINITY,
                f64::NEG_INFINITY,
                -0.0,
                f64::MAX,
                f64::MIN,
                f64::MIN_POSITIVE,
                5e-324,
                9_007_199_254_740_993.0,
                0.1 + 0.2,
            ]),
        ],
        prop_oneof![
            any::<String>(),
            "[\u{0}-\u{20}\"\\\\/,\u{7f}-\u{a0}\u{2028}\u{d7ff}\u{e000}\u{ffff}\u{1f600}\u{10ffff}]{0,9}"
        ],
        vec(any::<u8>(), 0..9),
        any_i64(),
        vec(option::weighted(0.8, Just(())), 9),
    );
    (vec(row, 0..40), any::<u64>(), any::<bool>()).prop_map(|(rows, selection, select)| {
        let fields = DataType::ALL.into_iter().flat_map(|data_type| {
            [Field::new(format!("n_{data_type}"), data_type), Field::nullable(format!("o_{data_type}"), data_type)]
        });
        let schema = Arc::new(Schema::new(fields.collect()).unwrap());
        let valid = |column: usize| rows.iter().map(move |row| row.5[column].is_some());
        macro_rules! columns {
            ($array:ty, $index:expr, $value:expr) => {{
                let values: Vec<_> = rows.iter().map($value).collect();
                let full: $array = values.iter().cloned().map(Some).collect();
                let holes: $array =
                    values.into_iter().zip(valid($index)).map(|(value, valid)| valid.then_some(value)).collect();
                [Arc::new(full) as ArrayRef, Arc::new(holes) as ArrayRef]
            }};
        }
        let columns = [
            columns!(BooleanArray, 0, |row| row.0.0),
            columns!(Int8Array, 1, |row| row.0.1),
            columns!(Int16Array, 2, |row| row.0.2),
            columns!(Int32Array, 3, |row| row.0.3),
            columns!(Int64Array, 4, |row| row.0.4),
            columns!(Float64Array, 5, |row| row.1),
            columns!(StringArray, 6, |row| row.2.clone()),
            columns!(BinaryArray, 7, |row| row.3.clone()),
            columns!(TimestampMicrosecondArray, 8, |row| row.4),
        ];
        let batch = Arc::new(Batch::new(schema, columns.into_iter().flatten().collect()).unwrap());
        match select {
            false => batch,
            true => batch
                .filter(&BooleanBuffer::collect_bool(batch.rows(), |row| selection >> (row % 64) & 1 == 1))
                .unwrap(),
        }
    })
}

/// A few records with every type.
pub(crate) fn some_records() -> Arc<Batch> {
    let schema = schema("id i64, flag bool?, text utf8?, raw binary?, at timestamp?, real f64?, small i8, half i16?");
    let rows = 40;
    let some = |row: usize| !row.is_multiple_of(3);
    let text = |row: usize| some(row).then(|| "text".repeat(row % 5));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..rows as i64)),
        Arc::new((0..rows).map(|row| some(row).then_some(row % 2 == 0)).collect::<BooleanArray>()),
        Arc::new((0..rows).map(text).collect::<StringArray>()),
        Arc::new((0..rows).map(|row| text(row).map(String::into_bytes)).collect::<BinaryArray>()),
        Arc::new((0..rows).map(|row| some(row).then_some(row as i64)).collect::<TimestampMicrosecondArray>()),
        Arc::new((0..rows).map(|row| some(row).then_some(row as f64)).collect::<Float64Array>()),
        Arc::new(Int8Array::from_iter_values(0..rows as i8)),
        Arc::new((0..rows).map(|row| some(row).then_some(row as i16)).collect::<Int16Array>()),
    ];
    Arc::new(Batch::new(schema, columns).unwrap())
}
