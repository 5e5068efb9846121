//! The standard output.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use expect_test::{Expect, expect};
use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray,
};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::{Batch, DataType, Field, Schema};
use weir_sinks::{Sink, SinkError, StdoutFormat, StdoutSink, StdoutSinkConfig};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn flights() -> Arc<Batch> {
    let schema = Schema::new(vec![
        Field::new("route", DataType::Utf8),
        Field::nullable("minutes", DataType::I64),
        Field::new("ratio", DataType::F64),
        Field::new("late", DataType::Bool),
        Field::new("raw", DataType::Binary),
        Field::new("at", DataType::Timestamp),
    ]);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec!["SEA-LAX", "\u{1b}[31mred\u{202e}\n", &"long ".repeat(30)])),
        Arc::new(Int64Array::from(vec![Some(61), None, Some(-12345)])),
        Arc::new(Float64Array::from(vec![0.5, 1e300, f64::NAN])),
        Arc::new(BooleanArray::from(vec![true, false, true])),
        Arc::new(BinaryArray::from(vec![&b"\x00\xff"[..], b"", b"a"])),
        Arc::new(TimestampMicrosecondArray::from(vec![0, 1_640_995_200_000_001, -1])),
    ];
    Arc::new(Batch::new(Arc::new(schema.unwrap()), columns).unwrap())
}

async fn check(format: StdoutFormat, rows_max: usize, batches: &[Arc<Batch>], expect: Expect) {
    let captured = Captured::default();
    let config = StdoutSinkConfig::new(format).with(|it| it.rows_max = rows_max);
    let mut sink = StdoutSink::over(&config, flights().schema(), captured.clone()).await.unwrap();
    for batch in batches {
        sink.write(Arc::clone(batch)).await.unwrap();
    }
    sink.close().await.unwrap();
    expect.assert_eq(std::str::from_utf8(&captured.0.lock().unwrap()).unwrap());
}

#[tokio::test]
async fn a_table_has_one_header() {
    let all = flights();
    let one = all.filter(&BooleanBuffer::from(vec![true, false, false])).unwrap();
    check(StdoutFormat::Table, 100, &[Arc::clone(&one), one, all], expect![[r#"
        route    minutes  ratio  late  raw   at
        SEA-LAX       61    0.5  true  00ff  1970-01-01T00:00:00Z
        SEA-LAX       61    0.5  true  00ff  1970-01-01T00:00:00Z
        SEA-LAX                                                             61    0.5   true  00ff  1970-01-01T00:00:00Z
        \u{1b}[31mred\u{202e}\n                                           null  1e300  false        2022-01-01T00:00:00.000001Z
        long long long long long long long long long long long long …   -12345    NaN   true  61    1969-12-31T23:59:59.999999Z
    "#]]).await;
}

#[tokio::test]
async fn a_table_ends_somewhere() {
    let all = flights();
    check(StdoutFormat::Table, 4, &[Arc::clone(&all), Arc::clone(&all), all], expect![[r#"
        route                                                          minutes  ratio   late  raw   at
        SEA-LAX                                                             61    0.5   true  00ff  1970-01-01T00:00:00Z
        \u{1b}[31mred\u{202e}\n                                           null  1e300  false        2022-01-01T00:00:00.000001Z
        long long long long long long long long long long long long …   -12345    NaN   true  61    1969-12-31T23:59:59.999999Z
        SEA-LAX                                                             61    0.5   true  00ff  1970-01-01T00:00:00Z
        … and 5 more rows
    "#]]).await;
    check(StdoutFormat::Table, 4, &[], expect![""]).await;
}

#[tokio::test]
async fn the_other_formats_write_all() {
    let one = flights().filter(&BooleanBuffer::from(vec![true, false, false])).unwrap();
    check(
        StdoutFormat::JsonLines,
        0,
        &[Arc::clone(&one), Arc::clone(&one)],
        expect![[r#"
        {"route":"SEA-LAX","minutes":61,"ratio":0.5,"late":true,"raw":"00ff","at":"1970-01-01T00:00:00Z"}
        {"route":"SEA-LAX","minutes":61,"ratio":0.5,"late":true,"raw":"00ff","at":"1970-01-01T00:00:00Z"}
    "#]],
    )
    .await;
    check(
        StdoutFormat::Csv,
        0,
        &[Arc::clone(&one), one],
        expect![[r#"
        route,minutes,ratio,late,raw,at
        SEA-LAX,61,0.5,true,00ff,1970-01-01T00:00:00Z
        SEA-LAX,61,0.5,true,00ff,1970-01-01T00:00:00Z
    "#]],
    )
    .await;
}

/// A real pipe whose reader goes away.
#[tokio::test]
async fn a_closed_pipe_is_told_from_a_failure() {
    for format in [StdoutFormat::Table, StdoutFormat::JsonLines, StdoutFormat::Csv] {
        let (reader, writer) = io::pipe().unwrap();
        let config = StdoutSinkConfig::new(format);
        let mut sink = StdoutSink::over(&config, flights().schema(), writer).await.unwrap();
        sink.write(flights()).await.unwrap();
        drop(reader);
        let error = sink.write(flights()).await.unwrap_err();
        assert!(error.is_reader_gone(), "{format:?}: {error}");
        let error = sink.close().await.unwrap_err();
        assert!(matches!(error, SinkError::AfterError), "{format:?}: {error}");
    }
}

/// A device that is always full.
#[tokio::test]
async fn a_full_device_is_a_failure() {
    for format in [StdoutFormat::Table, StdoutFormat::JsonLines, StdoutFormat::Csv] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let config = StdoutSinkConfig::new(format);
        let mut sink = StdoutSink::over(&config, flights().schema(), full).await.unwrap();
        let error = sink.write(flights()).await.unwrap_err();
        assert!(matches!(&error, SinkError::Stdout(source) if source.kind() == io::ErrorKind::StorageFull), "{error}");
        assert!(!error.is_reader_gone());
    }
}
