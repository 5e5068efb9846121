//! Whole files of the binary formats, of every kind that their readers tell apart: what the tests of damage begin with.

use std::sync::Arc;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::{Int96, Int96Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use weir_batch::Schema;
use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, DictionaryArray, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int32Array, Int64Array, Int64Builder, LargeStringArray, ListBuilder, RecordBatch,
    StringArray, StringViewArray, StructArray, TimestampNanosecondArray, UInt32Array,
};
use weir_batch::arrow::datatypes::{DataType, Field, Int32Type, Schema as ArrowSchema};
use weir_batch::arrow::ipc::CompressionType;
use weir_batch::arrow::ipc::writer::{DictionaryHandling, FileWriter, IpcWriteOptions, StreamWriter};
use weir_formats::Format;

use crate::support::{encode, schema};

/// A whole file, and what of it is read; all without a schema.
pub(crate) struct Seed {
    pub(crate) name: String,
    pub(crate) format: Format,
    pub(crate) bytes: Vec<u8>,
    pub(crate) declared: Option<Arc<Schema>>,
}

const ROWS: usize = 300;

/// Columns of most types, a third of their values null.
pub(crate) fn flat(rows: usize, seed: usize) -> RecordBatch {
    let some = |row: usize| !(row + seed).is_multiple_of(3);
    let text = move |row: usize| some(row).then(|| format!("{}-{}", "text".repeat(row % 7), (row + seed) % 11));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("flag", Arc::new(BooleanArray::from_iter((0..rows).map(|row| some(row).then_some(row % 2 == 0))))),
        ("small", Arc::new(Int32Array::from_iter((0..rows).map(|row| some(row).then_some(row as i32))))),
        ("large", Arc::new(Int64Array::from_iter((0..rows).map(|row| some(row).then_some((row * row) as i64))))),
        ("whole", Arc::new(UInt32Array::from_iter_values((0..rows).map(|row| row as u32)))),
        ("half", Arc::new(Float32Array::from_iter((0..rows).map(|row| some(row).then_some(row as f32))))),
        ("real", Arc::new(Float64Array::from_iter_values((0..rows).map(|row| row as f64 / 7.0)))),
        ("text", Arc::new(StringArray::from_iter((0..rows).map(text)))),
        ("long", Arc::new(LargeStringArray::from_iter((0..rows).map(text)))),
        ("view", Arc::new(StringViewArray::from_iter((0..rows).map(text)))),
        ("raw", Arc::new(BinaryArray::from_iter((0..rows).map(|row| text(row).map(String::into_bytes))))),
        ("rawview", Arc::new(BinaryViewArray::from_iter((0..rows).map(|row| text(row).map(String::into_bytes))))),
        ("fixed", {
            let values = (0..rows).map(|row| some(row).then_some([row as u8; 5]));
            Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(values, 5).unwrap())
        }),
        (
            "word",
            Arc::new(
                (0..rows)
                    .map(|row| text(row % 5))
                    .collect::<Vec<_>>()
                    .iter()
                    .map(Option::as_deref)
                    .collect::<DictionaryArray<Int32Type>>(),
            ),
        ),
        ("at", Arc::new(TimestampNanosecondArray::from_iter((0..rows).map(|row| some(row).then_some(row as i64 - 7))))),
        ("day", Arc::new(Date32Array::from_iter_values((0..rows).map(|row| row as i32 - 100)))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).unwrap()
}

/// The same with columns that no query reads: nested, and with odd names.
pub(crate) fn nested(rows: usize, seed: usize) -> RecordBatch {
    let flat = flat(rows, seed);
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in 0..rows {
        lists.values().append_slice(&vec![row as i64; row % 4]);
        lists.append(!row.is_multiple_of(3));
    }
    let pair = StructArray::from(vec![
        (Arc::new(Field::new("a", DataType::Int64, true)), Arc::clone(flat.column(2))),
        (Arc::new(Field::new("b", DataType::Utf8, true)), Arc::clone(flat.column(6))),
    ]);
    let lists: ArrayRef = Arc::new(lists.finish());
    let pair: ArrayRef = Arc::new(pair);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("lists", lists),
        ("text", Arc::clone(flat.column(6))),
        ("_odd\u{7}", Arc::clone(flat.column(2))),
        ("pair", pair),
        ("twice", Arc::clone(flat.column(2))),
        ("large", Arc::clone(flat.column(2))),
        ("twice", Arc::clone(flat.column(6))),
        ("word", Arc::clone(flat.column(12))),
    ];
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.into_iter().map(|(_, column)| column).collect()).unwrap()
}

/// What of [`nested`] is read.
pub(crate) fn of_nested() -> Arc<Schema> {
    schema("word utf8?, large i64?, text utf8?")
}

pub(crate) fn ipc(batches: &[RecordBatch], compression: Option<CompressionType>, stream: bool) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut bytes = Vec::new();
    if stream {
        let options = options.with_dictionary_handling(DictionaryHandling::Delta);
        let mut writer = StreamWriter::try_new_with_options(&mut bytes, &batches[0].schema(), options).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    } else {
        let mut writer = FileWriter::try_new_with_options(&mut bytes, &batches[0].schema(), options).unwrap();
        batches.iter().for_each(|batch| writer.write(batch).unwrap());
        writer.finish().unwrap();
    }
    bytes
}

pub(crate) fn parquet(batches: &[RecordBatch], properties: WriterProperties) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batches[0].schema(), Some(properties)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.close().unwrap();
    bytes
}

/// Timestamps as Spark and Hive wrote them: nanoseconds of a day, and the Julian day.
pub(crate) fn int96(values: &[(u64, i32)]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type("message m { REQUIRED INT96 at; }").unwrap());
    let properties = Arc::new(WriterProperties::builder().set_dictionary_enabled(false).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let values = values.iter().map(|(nanos, day)| Int96::from(vec![*nanos as u32, (*nanos >> 32) as u32, *day as u32]));
    column.typed::<Int96Type>().write_batch(&values.collect::<Vec<_>>(), None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

/// One file of each kind.
pub(crate) fn all() -> Vec<Seed> {
    let mut seeds = Vec::new();
    let mut add = |format: Format, name: &str, bytes: Vec<u8>, declared: Option<Arc<Schema>>| {
        seeds.push(Seed { name: format!("{format} {name}"), format, bytes, declared });
    };
    let flats: Vec<RecordBatch> = (0..3).map(|seed| flat(ROWS / 3, seed)).collect();
    // A file has one dictionary a column.
    let same = [flat(ROWS / 3, 1), flat(ROWS / 3, 1)];
    for stream in [false, true] {
        let (form, batches) = if stream { ("stream", &flats[..]) } else { ("file", &same[..]) };
        for (name, compression) in
            [("plain", None), ("lz4", Some(CompressionType::LZ4_FRAME)), ("zstd", Some(CompressionType::ZSTD))]
        {
            add(Format::ArrowIpc, &format!("{form} {name}"), ipc(batches, compression, stream), None);
        }
        let nested = ipc(&[nested(ROWS, 1)], Some(CompressionType::LZ4_FRAME), stream);
        add(Format::ArrowIpc, &format!("{form} nested"), nested, Some(of_nested()));
    }
    let properties = WriterProperties::builder;
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let kinds = [
        ("snappy", properties().set_compression(Compression::SNAPPY)),
        ("plain", properties().set_dictionary_enabled(false)),
        ("many groups", properties().set_max_row_group_row_count(Some(7)).set_compression(zstd)),
        ("many pages", properties().set_data_page_row_count_limit(20).set_write_batch_size(10)),
        ("lz4", properties().set_compression(Compression::LZ4_RAW).set_writer_version(WriterVersion::PARQUET_2_0)),
        ("gzip", properties().set_compression(Compression::GZIP(Default::default()))),
        (
            "delta",
            properties()
                .set_writer_version(WriterVersion::PARQUET_2_0)
                .set_dictionary_enabled(false)
                .set_compression(zstd),
        ),
        (
            "delta length",
            properties()
                .set_dictionary_enabled(false)
                .set_column_encoding("text".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .set_column_encoding("raw".into(), Encoding::DELTA_BYTE_ARRAY)
                .set_column_encoding("real".into(), Encoding::BYTE_STREAM_SPLIT),
        ),
    ];
    for (name, builder) in kinds {
        add(Format::Parquet, name, parquet(&flats, builder.build()), None);
    }
    add(Format::Parquet, "nested", parquet(&[nested(ROWS, 1)], properties().build()), Some(of_nested()));
    add(Format::Parquet, "int96", int96(&[(0, 2_440_588), (1_500, 2_440_589), (7, 5_373_484)]), None);
    let records = crate::support::some_records();
    let of_records = Arc::clone(records.schema());
    add(Format::Bincode, "records", encode(Format::Bincode, &of_records, &[records]).unwrap(), None);
    seeds
}
