//! Parquet files as other tools write them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use weir_batch::arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, LargeStringArray, RecordBatch, TimestampMillisecondArray,
};
use weir_batch::arrow::compute::kernels::cmp::eq;
use weir_batch::arrow::compute::sum;
use weir_batch::arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use weir_formats::{Format, open_decoder};

use crate::support::{decode, drain, schema};

/// Large text, dictionaries, milliseconds, several row groups: read as carried types, row by row the same.
#[test]
fn foreign_types_become_carried_ones() {
    let rows = 2500_i64;
    let text = |row: i64| format!("airport {}", row % 7);
    let batch = RecordBatch::try_from_iter([
        ("date", Arc::new(TimestampMillisecondArray::from_iter_values(0..rows)) as Arc<dyn Array>),
        ("delay", Arc::new(Int64Array::from_iter_values(0..rows))),
        ("origin", Arc::new(LargeStringArray::from_iter_values((0..rows).map(text)))),
        (
            "destination",
            Arc::new(
                (0..rows)
                    .map(text)
                    .map(Some)
                    .collect::<Vec<_>>()
                    .iter()
                    .map(|text| text.as_deref())
                    .collect::<DictionaryArray<Int32Type>>(),
            ),
        ),
    ])
    .unwrap();
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1000)).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();

    let read = decode(Format::Parquet, &bytes, None, 700).unwrap();
    assert_eq!(*read.schema, *schema("date timestamp, delay i64, origin utf8, destination utf8"));
    let mut row = 0;
    for batch in &read.batches {
        let dates = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        for index in 0..batch.rows() {
            assert_eq!(dates.value(index), row * 1000);
            assert_eq!(batch.column(2).as_string::<i32>().value(index), text(row));
            assert_eq!(batch.column(3).as_string::<i32>().value(index), text(row));
            row += 1;
        }
    }
    assert_eq!((row, read.bad.len()), (rows, 0));
    assert!(read.bytes_read > 0);
}

/// What a column sum, or a number of rows, comes to over a whole file.
#[derive(Debug, Default, PartialEq)]
struct Sums {
    rows: usize,
    delay: i64,
    distance: i64,
    date: i64,
    from_seattle: usize,
}

impl Sums {
    /// Of columns in the order date, delay, distance, origin.
    fn add(&mut self, columns: &[ArrayRef], seattle: &dyn weir_batch::arrow::array::Datum) {
        let date = columns[0].as_primitive::<TimestampMicrosecondType>();
        self.rows += date.len();
        self.date = self.date.wrapping_add(sum(date).unwrap_or(0));
        self.delay += sum(columns[1].as_primitive::<Int64Type>()).unwrap_or(0);
        self.distance += sum(columns[2].as_primitive::<Int64Type>()).unwrap_or(0);
        self.from_seattle += eq(&columns[3], seattle).unwrap().true_count();
    }
}

/// The three million real flights, where they are at hand, against the plain Parquet reader.
#[test]
fn real_flights() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/flights-3m.parquet");
    let Ok(file) = File::open(&path) else {
        println!("the real flights are not at hand: {}", path.display());
        return;
    };
    let mut expected = Sums::default();
    let seattle = LargeStringArray::new_scalar("SEA");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    for batch in reader.with_batch_size(8192).build().unwrap() {
        expected.add(batch.unwrap().columns(), &seattle);
    }

    let fields = "date timestamp, delay i64, distance i64, origin utf8, destination utf8";
    let decoder = open_decoder(Format::Parquet, file, Some(&schema(fields)), 8192).unwrap();
    let read = drain(decoder, 8192).unwrap();
    let mut found = Sums::default();
    let seattle = weir_batch::arrow::array::StringArray::new_scalar("SEA");
    let mut next_offset = 0;
    for batch in &read.batches {
        found.add(batch.columns(), &seattle);
        let offsets = batch.system().offset.as_ref().unwrap();
        assert_eq!(offsets.value(0), next_offset);
        next_offset += batch.rows() as i64;
    }
    assert_eq!(found, expected);
    assert_eq!((found.rows, read.bad.len()), (3_000_000, 0));
    assert!(read.bytes_read <= path.metadata().unwrap().len() * 2, "{} bytes were read", read.bytes_read);
}
