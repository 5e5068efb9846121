//! Lengths that a file states, batches by bytes, and columns that nobody reads.

use std::sync::Arc;

use expect_test::{Expect, expect};
use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};
use weir_batch::arrow::array::{
    ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
};
use weir_batch::arrow::datatypes::{DataType as ArrowType, TimestampMicrosecondType};
use weir_batch::arrow::ipc::CompressionType;
use weir_batch::{Batch, Schema};
use weir_formats::{Decoded, Fill, Format, Inferred, infer, open_decoder, open_encoder};

use crate::seeds::{flat, int96, ipc, nested, of_nested, parquet};
use crate::support::{decode, encode, file, schema};

fn check_error(format: Format, bytes: &[u8], declared: Option<&Arc<Schema>>, expect: &Expect) {
    expect.assert_eq(&decode(format, bytes, declared, 100).map(|read| read.rows().len()).unwrap_err().to_string());
}

/// The places of this number, as eight bytes.
fn places_of(bytes: &[u8], number: i64) -> Vec<usize> {
    let number = number.to_le_bytes();
    (0..bytes.len() - 8).filter(|&place| bytes[place..place + 8] == number).collect()
}

#[test]
fn a_compressed_buffer_says_how_long_it_is() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["to and fro, ".repeat(300)]));
    let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
    let damaged = |compression, length: i64| {
        let mut bytes = ipc(std::slice::from_ref(&batch), Some(compression), false);
        let place = *places_of(&bytes, 3600).last().unwrap();
        bytes[place..place + 8].copy_from_slice(&length.to_le_bytes());
        bytes
    };
    check_error(
        Format::ArrowIpc,
        &damaged(CompressionType::LZ4_FRAME, 1 << 35),
        None,
        &expect!["invalid arrow_ipc file: 51 bytes of LZ4 are stated to expand to 34359738368"],
    );
    check_error(
        Format::ArrowIpc,
        &damaged(CompressionType::ZSTD, 400_000_000),
        None,
        &expect!["invalid arrow_ipc file: 29 bytes of zstd are stated to expand to 400000000"],
    );
    check_error(
        Format::ArrowIpc,
        &damaged(CompressionType::ZSTD, -2),
        None,
        &expect!["invalid arrow_ipc file: a compressed buffer of -2 bytes"],
    );
}

/// What could be true and is more than a reader may take. Compressed, the text is as long as it is.
#[test]
fn a_compressed_buffer_may_be_too_long() {
    let mut state = 1_u32;
    let noise = (0..50_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b' ' + (state >> 24) as u8 % 95)
    });
    let text: ArrayRef = Arc::new(StringArray::from(vec![noise.collect::<String>()]));
    let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
    let mut bytes = ipc(&[batch], Some(CompressionType::ZSTD), false);
    let place = *places_of(&bytes, 50_000).last().unwrap();
    bytes[place..place + 8].copy_from_slice(&600_000_000_i64.to_le_bytes());
    check_error(
        Format::ArrowIpc,
        &bytes,
        None,
        &expect![
            "a record batch, decompressed, takes 600000000 bytes: the maximum for arrow_ipc is 536870912; write it in smaller record batches, or read fewer columns"
        ],
    );
}

/// 20,004 in a page's header becomes 1,048,575, which as many bytes cannot unfold to. The library would allocate that much.
#[test]
fn a_compressed_page_says_how_long_it_is() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(20_000)]));
    let batch = RecordBatch::try_from_iter([("text", text)]).unwrap();
    let mut all = String::new();
    for codec in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let properties = WriterProperties::builder().set_compression(codec).set_writer_version(version);
            let properties = properties.set_dictionary_enabled(false).set_encoding(Encoding::PLAIN);
            let whole = parquet(std::slice::from_ref(&batch), properties.build());
            assert_eq!(decode(Format::Parquet, &whole, None, 100).unwrap().rows().len(), 1);
            // A thrift field of an integer, and the integer.
            let stated: [u8; 4] = [0x15, 0xc8, 0xb8, 0x02];
            let place = whole.windows(4).position(|bytes| bytes == stated).unwrap();
            let mut damaged = whole;
            damaged[place..place + 4].copy_from_slice(&[0x15, 0xfe, 0xff, 0x7f]);
            let error = decode(Format::Parquet, &damaged, None, 100).map(|read| read.rows().len()).unwrap_err();
            all.push_str(&format!("{codec}, {version:?}: {error}\n"));
        }
    }
    expect![[r#"
        UNCOMPRESSED, PARQUET_1_0: invalid parquet file: a page of 20004 bytes is stated to expand to 1048575
        UNCOMPRESSED, PARQUET_2_0: invalid parquet file: a page of 20004 bytes is stated to expand to 1048575
        SNAPPY, PARQUET_1_0: invalid parquet file: a page of 948 bytes is stated to expand to 1048575
        SNAPPY, PARQUET_2_0: invalid parquet file: a page of 948 bytes is stated to expand to 1048575
        GZIP(GzipLevel(6)), PARQUET_1_0: invalid parquet file: a page of 60 bytes is stated to expand to 1048575
        GZIP(GzipLevel(6)), PARQUET_2_0: invalid parquet file: a page of 60 bytes is stated to expand to 1048575
        LZ4_RAW, PARQUET_1_0: invalid parquet file: a page of 94 bytes is stated to expand to 1048575
        LZ4_RAW, PARQUET_2_0: invalid parquet file: a page of 94 bytes is stated to expand to 1048575
        ZSTD(ZstdLevel(1)), PARQUET_1_0: invalid parquet file: a page of 22 bytes is stated to expand to 1048575
        ZSTD(ZstdLevel(1)), PARQUET_2_0: invalid parquet file: a page of 22 bytes is stated to expand to 1048575
    "#]]
    .assert_eq(&all);
}

/// Nothing compresses better than zeros, and they are read.
#[test]
fn what_compresses_best_is_read() {
    let zeros: ArrayRef = Arc::new(Int64Array::from_value(0, 200_000));
    let batch = RecordBatch::try_from_iter([("n", zeros)]).unwrap();
    let parquet_codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::try_new(9).unwrap()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::try_new(19).unwrap()),
    ];
    let mut files = Vec::new();
    for codec in parquet_codecs {
        let properties = WriterProperties::builder().set_compression(codec).set_dictionary_enabled(false);
        files.push((
            Format::Parquet,
            parquet(std::slice::from_ref(&batch), properties.set_encoding(Encoding::PLAIN).build()),
        ));
    }
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        files.push((Format::ArrowIpc, ipc(std::slice::from_ref(&batch), Some(codec), false)));
    }
    for (format, bytes) in files {
        let read = drain(format, &bytes, None, Fill::from(100_000));
        assert_eq!(read.iter().map(|read| read.batch.rows()).sum::<usize>(), 200_000, "{format}");
    }
}

/// Rows of one long text, which a file of a few kilobytes holds once.
fn repeated(rows: usize, columns: usize, bytes: usize) -> RecordBatch {
    let values: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(bytes)]));
    let column: ArrayRef = Arc::new(DictionaryArray::new(Int32Array::from_value(0, rows), values));
    let names = ["a", "b", "c"].into_iter().take(columns);
    RecordBatch::try_from_iter(names.map(|name| (name, Arc::clone(&column)))).unwrap()
}

fn drain(format: Format, bytes: &[u8], declared: Option<&Arc<Schema>>, fill: Fill) -> Vec<Decoded> {
    let mut decoder = open_decoder(format, file(bytes), declared, fill).unwrap();
    let mut all = Vec::new();
    while let Some(decoded) = decoder.next().unwrap() {
        all.push(decoded);
    }
    all
}

fn text_bytes(batch: &Batch) -> usize {
    let column = |column: &ArrayRef| {
        let offsets = column.as_string::<i32>().value_offsets();
        (offsets.last().unwrap() - offsets.first().unwrap()) as usize
    };
    batch.columns().iter().map(column).sum()
}

#[test]
fn a_dictionary_is_written_out_a_batch_at_a_time() {
    let table = repeated(512, 3, 200_000);
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY);
    let files = [
        (Format::Parquet, parquet(std::slice::from_ref(&table), properties.build())),
        (Format::ArrowIpc, ipc(&[table], Some(CompressionType::ZSTD), true)),
    ];
    for (format, bytes) in files {
        assert!(bytes.len() < 100_000, "{format}: {}", bytes.len());
        let read = drain(format, &bytes, None, Fill::from(8192));
        assert_eq!(read.iter().map(|read| read.batch.rows()).sum::<usize>(), 512, "{format}");
        for read in &read {
            assert!(text_bytes(&read.batch) <= Fill::BYTES_MAX, "{format}");
        }
        // 27 records of 600 kB fit into 16 MiB.
        assert_eq!(read[0].batch.rows(), 27, "{format}");
        let offsets: Vec<i64> =
            read.iter().flat_map(|read| read.batch.system().offset.as_ref().unwrap().values().to_vec()).collect();
        assert_eq!(offsets, (0..512).collect::<Vec<_>>(), "{format}");
        // Only what is declared is made.
        let one = drain(format, &bytes, Some(&schema("b utf8")), Fill::from(8192));
        assert_eq!((one[0].batch.columns().len(), one[0].batch.rows()), (1, 83), "{format}");
    }
}

#[test]
fn a_record_larger_than_a_batch_is_alone_and_one_beyond_all_is_bad() {
    let fill = Fill::from(100).with(|it| {
        it.bytes_max = 100_000;
        it.record_bytes_max = 300_000;
    });
    let schema = schema("text utf8");
    let sizes = [40_000, 40_000, 40_000, 200_000, 40_000, 400_000, 1];
    let texts = StringArray::from_iter_values(sizes.iter().map(|&size| "y".repeat(size)));
    let batch = Arc::new(Batch::new(Arc::clone(&schema), vec![Arc::new(texts)]).unwrap());
    for format in Format::ALL {
        let bytes = encode(format, &schema, &[Arc::clone(&batch)]).unwrap();
        let read = drain(format, &bytes, Some(&schema), fill);
        let mut found = Vec::new();
        for read in &read {
            let lengths = read.batch.column(0).as_string::<i32>().iter().map(|text| text.unwrap().len());
            found.push((lengths.collect::<Vec<_>>(), read.bad.iter().map(|bad| bad.offset).collect::<Vec<_>>()));
        }
        let rows: Vec<usize> = found.iter().flat_map(|(lengths, _)| lengths.clone()).collect();
        assert_eq!(rows, [40_000, 40_000, 40_000, 200_000, 40_000, 1], "{format}");
        let bad: Vec<i64> = found.iter().flat_map(|(_, bad)| bad.clone()).collect();
        assert_eq!(bad, [5], "{format}");
        for (lengths, _) in &found {
            assert!(lengths.len() == 1 || lengths.iter().sum::<usize>() <= 100_000, "{format}: {found:?}");
        }
        let message = read.iter().flat_map(|read| &read.bad).map(|bad| bad.message.clone()).next().unwrap();
        assert!(message.contains("batching.record_bytes_max"), "{format}: {message}");
    }
}

#[test]
fn many_fields_make_fewer_records() {
    let fields = (0..1000).map(|field| format!("f{field} i64?")).collect::<Vec<_>>().join(", ");
    let bytes = "{}\n".repeat(20_000);
    let read = drain(Format::JsonLines, bytes.as_bytes(), Some(&schema(&fields)), Fill::from(100_000));
    assert!(read.iter().all(|read| read.batch.rows() * 8000 <= Fill::BYTES_MAX));
    assert_eq!(read.iter().map(|read| read.batch.rows()).sum::<usize>(), 20_000);
}

#[test]
fn columns_that_are_not_declared_are_not_looked_at() {
    let table = nested(50, 1);
    for (format, bytes) in [
        (Format::Parquet, parquet(std::slice::from_ref(&table), WriterProperties::default())),
        (Format::ArrowIpc, ipc(std::slice::from_ref(&table), None, false)),
        (Format::ArrowIpc, ipc(std::slice::from_ref(&table), Some(CompressionType::LZ4_FRAME), true)),
    ] {
        let read = decode(format, &bytes, Some(&of_nested()), 20).unwrap();
        let texts = read.batches.iter().flat_map(|batch| {
            batch.column(2).as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
        });
        let expected = flat(50, 1);
        let expected = expected.column(6).as_string::<i32>().iter().map(|text| text.map(str::to_owned));
        assert_eq!(texts.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{format}");
        let Inferred { schema: readable, left_out, .. } = infer(format, file(&bytes), 10).unwrap();
        expect!["text utf8?, large i64?, word utf8?"].assert_eq(&readable.to_string());
        let left_out: Vec<String> = left_out.iter().map(|it| format!("{}: {}", it.name, it.reason)).collect();
        assert_eq!(left_out, LEFT_OUT, "{format}");
        let refused = |fields| decode(format, &bytes, Some(&schema(fields)), 100).map(|_| ()).unwrap_err().to_string();
        assert_eq!(refused("lists i64?"), "field `lists` is declared as i64, but is List(Int64) in the file");
        let twice = "the file has more than one field `twice`, so it cannot be read: remove it from `schema`";
        assert_eq!(refused("twice i64?"), twice);
    }
}

const LEFT_OUT: [&str; 5] = [
    "lists: type List(Int64) is not supported",
    "_odd\u{7}: names that begin with `_` are reserved",
    "pair: type Struct(\"a\": Int64, \"b\": Utf8) is not supported",
    "twice: more than one column has this name",
    "twice: more than one column has this name",
];

fn micros(read: &crate::support::Read) -> Vec<Option<i64>> {
    let columns = read.batches.iter().map(|batch| batch.column(0).as_primitive::<TimestampMicrosecondType>());
    columns.flat_map(|column| column.iter().collect::<Vec<_>>()).collect()
}

#[test]
fn int96_holds_the_year_9999() {
    // 1970-01-01, 2 µs later with 999 ns dropped, 9999-12-31, and 0001-01-01.
    let bytes = int96(&[(0, 2_440_588), (2_999, 2_440_588), (0, 5_373_484), (0, 1_721_426)]);
    let read = decode(Format::Parquet, &bytes, None, 10).unwrap();
    assert_eq!(micros(&read), [0, 2, 253_402_214_400_000_000, -62_135_596_800_000_000].map(Some));
    let beyond = int96(&[(0, 2_440_588), (0, i32::MAX)]);
    check_error(
        Format::Parquet,
        &beyond,
        None,
        &expect![
            "invalid parquet file: Parquet error: an INT96 timestamp on Julian day 2147483647 does not fit into microseconds"
        ],
    );
}

#[test]
fn instants_are_rounded_down_and_never_wrap() {
    let check = |column: ArrayRef, expected: &[i64], bad: &[i64]| {
        let table = RecordBatch::try_from_iter([("at", column)]).unwrap();
        for (format, bytes) in [
            (Format::Parquet, parquet(std::slice::from_ref(&table), WriterProperties::default())),
            (Format::ArrowIpc, ipc(std::slice::from_ref(&table), None, false)),
        ] {
            let read = decode(format, &bytes, None, 10).unwrap();
            assert_eq!(micros(&read), expected.iter().copied().map(Some).collect::<Vec<_>>(), "{format}");
            assert_eq!(read.bad.iter().map(|bad| bad.offset).collect::<Vec<_>>(), bad, "{format}");
        }
    };
    check(Arc::new(TimestampNanosecondArray::from(vec![1999, -1, -1000, -1001])), &[1, -1, -1, -2], &[]);
    check(Arc::new(TimestampMillisecondArray::from(vec![i64::MAX, -1])), &[-1000], &[0]);
    check(Arc::new(TimestampSecondArray::from(vec![7, i64::MIN, 9])), &[7_000_000, 9_000_000], &[1]);
    let days = weir_batch::arrow::array::Date32Array::from(vec![1, i32::MAX, -1]);
    check(Arc::new(days), &[86_400_000_000, -86_400_000_000], &[1]);
}

#[test]
fn timestamps_are_written_in_utc() {
    let schema = schema("at timestamp");
    let at = weir_batch::arrow::array::TimestampMicrosecondArray::from(vec![7, -7]);
    let batch = Arc::new(Batch::new(Arc::clone(&schema), vec![Arc::new(at)]).unwrap());
    let utc = ArrowType::Timestamp(weir_batch::arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into()));
    let bytes = encode(Format::Parquet, &schema, &[Arc::clone(&batch)]).unwrap();
    let reader =
        parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes.clone()));
    let reader = reader.unwrap();
    assert_eq!(reader.schema().field(0).data_type(), &utc);
    let stored = reader.parquet_schema().column(0).logical_type_ref().cloned();
    expect!["Some(Timestamp(TimestampType { is_adjusted_to_u_t_c: true, unit: MICROS }))"]
        .assert_eq(&format!("{stored:?}"));
    assert_eq!(micros(&decode(Format::Parquet, &bytes, None, 10).unwrap()), [Some(7), Some(-7)]);
    let bytes = encode(Format::ArrowIpc, &schema, &[batch]).unwrap();
    let reader = weir_batch::arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(&bytes), None).unwrap();
    assert_eq!(reader.schema().field(0).data_type(), &utc);
    assert_eq!(micros(&decode(Format::ArrowIpc, &bytes, None, 10).unwrap()), [Some(7), Some(-7)]);
    drop(open_encoder(Format::Parquet, &schema, Vec::new()).unwrap());
}
