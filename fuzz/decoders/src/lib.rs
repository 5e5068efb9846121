//! What the fuzz targets run: bytes as a file of some format, as the values of records, as what a query keeps, or as frames.
//!
//! A target fails on a panic, on an abort, and where the account of a decoder does not add up: every record is good or bad, numbers ascend
//! without gaps, no byte of a text file is left out, and the size of a batch changes nothing.

mod frames;
mod kept;

use std::fs::File;
use std::io::{Seek, Write};
use std::panic;
use std::sync::{Arc, Once};

use rustix::fs::{MemfdFlags, memfd_create};
use weir_batch::arrow::array::{Array, BinaryArray};
use weir_formats::{BadRecord, Format, RecordDecoder, RecordFormat, infer_schema, open_decoder};
use weir_batch::{Batch, DataType, Field, Schema};

pub use frames::frames;
pub use kept::{kept_state, letters};

/// Decodes the bytes as a whole file: under the schema that is inferred from it, and under one that is fixed.
pub fn file(format: Format, bytes: &[u8]) {
    let_readers_give_up();
    let is_text = matches!(format, Format::JsonLines | Format::Csv);
    let mut schemas = vec![fixed()];
    if is_text {
        schemas.push(every_type());
    }
    if let Ok(inferred) = infer_schema(format, memory(bytes), 10) {
        schemas.push(Arc::new(inferred));
    }
    for schema in &schemas {
        let whole = read(format, bytes, schema, 1000);
        if !is_text {
            continue;
        }
        // However it is cut into batches, the same comes of it.
        let single = read(format, bytes, schema, 1);
        match (whole, single) {
            (Some(whole), Some(single)) => {
                assert_eq!(whole.rows, single.rows);
                assert_eq!(whole.bad, single.bad);
                assert_eq!(whole.bytes_read, bytes.len() as u64);
                assert_eq!(single.bytes_read, bytes.len() as u64);
            }
            (None, None) => {}
            _ => panic!("the size of a batch decides whether the file can be read"),
        }
    }
}

/// Decodes the bytes as records in every format. A byte 0xff ends a record.
pub fn records(bytes: &[u8]) {
    let_readers_give_up();
    let values: Vec<&[u8]> = bytes.split(|&byte| byte == 0xff).collect();
    let values = BinaryArray::from_vec(values);
    let one = |data_type| Arc::new(schema([("value", data_type, true)]));
    for (format, schema) in [
        (RecordFormat::JsonLines, fixed()),
        (RecordFormat::JsonLines, every_type()),
        (RecordFormat::Csv, fixed()),
        (RecordFormat::Csv, every_type()),
        (RecordFormat::Bincode, fixed()),
        (RecordFormat::Bincode, every_type()),
        (RecordFormat::Raw, one(DataType::Utf8)),
        (RecordFormat::Raw, one(DataType::Binary)),
    ] {
        let decoder = RecordDecoder::new(format, schema).expect("the schema fits every format");
        let decoded = decoder.decode(&values).expect("what is wrong with a record is its own fault");
        assert_eq!(decoded.batch.rows() + decoded.bad.len(), values.len(), "{format}");
        assert!(decoded.bad.is_sorted_by(|(one, _), (two, _)| one < two), "{format}");
    }
}

/// The readers of Parquet and Arrow panic over some damaged files. Weir catches that, and reports a corrupt file. The fuzzer's hook aborts on
/// every panic, before it can be caught: here it does so only where the panic is in Weir's own code.
fn let_readers_give_up() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let abort = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_foreign = |place: &panic::Location<'_>| ["/registry/src/", "/rustc/"].iter().any(|part| place.file().contains(part));
            if !panic.location().is_some_and(is_foreign) {
                abort(panic);
            }
        }));
    });
}

/// What became of a file.
#[derive(Default)]
struct Read {
    /// Number and text of each good record.
    rows: Vec<(i64, String)>,
    bad: Vec<BadRecord>,
    bytes_read: u64,
}

/// Reads a file to its end. `None` where it cannot be read on.
fn read(format: Format, bytes: &[u8], schema: &Arc<Schema>, records_max: usize) -> Option<Read> {
    let mut decoder = open_decoder(format, memory(bytes), Some(schema), records_max).ok()?;
    let mut read = Read::default();
    loop {
        let Some(decoded) = decoder.next().ok()? else { break };
        assert!(decoded.batch.rows() + decoded.bad.len() <= records_max, "a batch is too large");
        let offsets = decoded.batch.system().offset.as_ref().expect("a decoder numbers its records");
        let texts = rows_of(&decoded.batch);
        assert_eq!(offsets.len(), texts.len());
        read.rows.extend(offsets.values().iter().copied().zip(texts));
        read.bad.extend(decoded.bad);
        read.bytes_read += decoded.bytes_read;
    }
    let mut numbers: Vec<i64> = read.rows.iter().map(|(number, _)| *number).collect();
    numbers.extend(read.bad.iter().map(|bad| bad.offset));
    numbers.sort_unstable();
    let expected: Vec<i64> = (0_i64..).take(numbers.len()).collect();
    assert_eq!(numbers, expected, "a record is missing, or is there twice");
    Some(read)
}

/// Each row of a batch as text.
fn rows_of(batch: &Batch) -> Vec<String> {
    let row = |row: usize| {
        let slice = |column: &Arc<dyn Array>| format!("{:?}", column.slice(row, 1));
        batch.columns().iter().map(slice).collect::<Vec<_>>().join("|")
    };
    (0..batch.physical_rows()).map(row).collect()
}

/// Two fields, by names of one letter that a fuzzer soon finds.
fn fixed() -> Arc<Schema> {
    Arc::new(schema([("a", DataType::I64, true), ("b", DataType::Utf8, true)]))
}

/// A field of each type that text is converted into.
fn every_type() -> Arc<Schema> {
    let fields = [
        ("a", DataType::I64, true),
        ("b", DataType::Utf8, true),
        ("c", DataType::F64, true),
        ("d", DataType::Bool, true),
        ("e", DataType::Timestamp, true),
        ("f", DataType::Binary, true),
        ("g", DataType::I8, true),
        ("h", DataType::I16, true),
        ("i", DataType::I32, true),
    ];
    Arc::new(schema(fields))
}

fn schema<const N: usize>(fields: [(&str, DataType, bool); N]) -> Schema {
    let fields = fields.map(|(name, data_type, nullable)| Field::with_nulls(name, data_type, nullable));
    Schema::new(fields.to_vec()).expect("the names are good")
}

/// A file in memory.
fn memory(bytes: &[u8]) -> File {
    let mut file = File::from(memfd_create("fuzz", MemfdFlags::CLOEXEC).expect("memory for a file"));
    file.write_all(bytes).and_then(|()| file.rewind()).expect("memory for a file");
    file
}
