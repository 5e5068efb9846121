//! Helpers of all tests here.

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::{Arc, Mutex};

use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use weir_batch::{Batch, Schema};
use weir_formats::{BadRecord, Decoder, Format, FormatError, open_decoder, open_encoder};

#[path = "../../../batch/tests/it/generate.rs"]
mod generate;
pub(crate) use generate::{any_batch, schema, texts};

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
