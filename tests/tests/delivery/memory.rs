//! Small files that are large tables: a dictionary's value that every row has.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;
use weir_tests::Weir;

use crate::support::{PATIENCE, summary};

/// What each row has three times over.
const TEXT_BYTES: usize = 200_000;

/// Rows that hold the same three texts, with their number.
fn rows(count: usize) -> RecordBatch {
    let text = |letter: &str| -> ArrayRef {
        let values = Arc::new(StringArray::from(vec![letter.repeat(TEXT_BYTES)]));
        Arc::new(DictionaryArray::new(Int32Array::from(vec![0; count]), values))
    };
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..count as i64));
    RecordBatch::try_from_iter([("id", ids), ("a", text("a")), ("b", text("b")), ("c", text("c"))]).expect("columns")
}

fn write(path: &Path, rows: &RecordBatch) {
    let file = File::create(path).expect("a file");
    match path.extension().is_some_and(|suffix| suffix == "parquet") {
        true => {
            // Compressed, so that the file is a few kilobytes: a reader must not go by its size.
            let properties = WriterProperties::builder()
                .set_compression(Compression::ZSTD(ZstdLevel::default()))
                .set_column_dictionary_enabled("id".into(), false)
                .set_column_encoding("id".into(), Encoding::DELTA_BINARY_PACKED)
                .build();
            let mut writer = ArrowWriter::try_new(file, rows.schema(), Some(properties)).expect("a writer");
            writer.write(rows).expect("rows");
            writer.close().expect("a file");
        }
        false => {
            let options = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD));
            let options = options.expect("the reader knows this compression");
            let mut writer = FileWriter::try_new_with_options(file, &rows.schema(), options).expect("a writer");
            writer.write(rows).expect("rows");
            writer.finish().expect("a file");
        }
    }
}

/// Runs a query from this file, and gives the most memory that it had resident, in KiB.
fn peak_kib(folder: &Path, input: &str, sink: &str, records: u64) -> u64 {
    let text = format!("name = \"large\"\n[sources.large]\nkind = \"file\"\npath = {input:?}\n[sinks.out]\n{sink}\n");
    fs::write(folder.join("large.toml"), text).expect("the query");
    let mut weir = Weir::in_folder(folder).run(&["--json", "run", "large.toml"]);
    let (started, mut peak) = (Instant::now(), 0);
    while weir.is_running() {
        let status = fs::read_to_string(format!("/proc/{}/status", weir.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0));
        assert!(started.elapsed() < PATIENCE, "the query did not end");
        std::thread::sleep(Duration::from_millis(2));
    }
    let status = weir.wait(PATIENCE);
    assert!(status.success(), "{status}\n{}", weir.stderr());
    let summary = summary(&weir);
    assert_eq!((&summary["committed_records"], &summary["sources"][0]["records"]), (&records.into(), &records.into()));
    peak
}

#[test]
fn a_dictionary_s_value_in_every_row_takes_no_memory_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["in.parquet", "in.arrow"] {
        write(&folder.path().join(name), &rows(8192));
        let bytes = fs::metadata(folder.path().join(name)).expect("the file").len();
        assert!(bytes < 40_000, "{name} has {bytes} bytes");
        // 4.9 GB as a table.
        let started = Instant::now();
        let peak = peak_kib(folder.path(), name, "kind = \"count\"", 8192);
        println!("{name}: {bytes} bytes, {} MiB, {:.1} s", peak >> 10, started.elapsed().as_secs_f64());
        assert!(peak < 300 << 10, "{name}: {} MiB resident", peak >> 10);
    }
}

#[test]
fn what_comes_out_is_what_each_row_has() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["in.parquet", "in.arrow"] {
        write(&folder.path().join(name), &rows(1024));
        let started = Instant::now();
        let sink = "kind = \"file\"\npath = \"out.parquet\"";
        let peak = peak_kib(folder.path(), name, sink, 1024);
        println!("{name}: {} MiB, {:.1} s", peak >> 10, started.elapsed().as_secs_f64());
        assert!(peak < 300 << 10, "{name}: {} MiB resident", peak >> 10);
        // Read as views, which share the values.
        let field = |name: &str| Field::new(name, DataType::Utf8View, false);
        let schema = Schema::new(vec![Field::new("id", DataType::Int64, false), field("a"), field("b"), field("c")]);
        let options = ArrowReaderOptions::new().with_schema(Arc::new(schema));
        let file = File::open(folder.path().join("out.parquet")).expect("the output");
        let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).expect("a reader");
        let mut next = 0;
        for batch in reader.build().expect("a reader") {
            let batch = batch.expect("rows");
            let ids = batch.column(0).as_primitive::<Int64Type>();
            for row in 0..batch.num_rows() {
                assert_eq!(ids.value(row), next);
                next += 1;
                for (column, letter) in [(1, b'a'), (2, b'b'), (3, b'c')] {
                    let text = batch.column(column).as_string_view().value(row).as_bytes();
                    assert!(text.len() == TEXT_BYTES && text[0] == letter && text[TEXT_BYTES - 1] == letter, "{next}");
                }
            }
        }
        assert_eq!(next, 1024);
        fs::remove_file(folder.path().join("out.parquet")).expect("the output");
    }
}
