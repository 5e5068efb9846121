//! Every sink against the contract, and sinks that break it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use expect_test::{Expect, expect};
use weir_batch::{Batch, Schema};
use weir_formats::{Format, open_decoder};
use weir_sinks::conformance::{ReadBack, SinkPlace, check};
use weir_sinks::{
    CountingSink, FileSink, FileSinkConfig, IfExists, MemoryHandle, MemorySink, Sink, SinkError, SinkStats,
    StdoutFormat, StdoutSink, StdoutSinkConfig, Written,
};

/// The records of whole files; an error where one is torn.
fn read(paths: &[PathBuf], format: Format, schema: &Arc<Schema>) -> ReadBack {
    let mut batches = Vec::new();
    for path in paths {
        let mut decoder = match open_decoder(format, File::open(path).unwrap(), Some(schema), 1000) {
            Ok(decoder) => decoder,
            Err(error) => return ReadBack::Torn(format!("{}: {error}", path.display())),
        };
        loop {
            match decoder.next() {
                Ok(None) => break,
                Ok(Some(decoded)) if decoded.bad.is_empty() => batches.push(Arc::new(decoded.batch)),
                other => return ReadBack::Torn(format!("{}: {other:?}", path.display())),
            }
        }
    }
    ReadBack::Batches(batches)
}

/// Files in a folder of their own.
struct Files {
    folder: tempfile::TempDir,
    config: FileSinkConfig,
}

impl Files {
    fn new(format: Format, change: impl FnOnce(&mut FileSinkConfig)) -> Files {
        let folder = tempfile::tempdir().unwrap();
        let mut config = FileSinkConfig::new(folder.path().join(format!("out.{}", format.suffix())), format);
        change(&mut config);
        Files { folder, config }
    }

    fn names(&self, hidden: bool) -> Vec<PathBuf> {
        let names = self.folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path());
        let is_hidden = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with('.');
        let mut names: Vec<_> = names.filter(|path| is_hidden(path) == hidden).collect();
        names.sort();
        names
    }
}

#[async_trait]
impl SinkPlace for Files {
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        for path in self.names(false) {
            std::fs::remove_file(path).unwrap();
        }
        Ok(Box::new(FileSink::open(&self.config, schema).await?))
    }

    async fn read_back(&mut self, schema: &Arc<Schema>) -> ReadBack {
        read(&self.names(false), self.config.format, schema)
    }

    fn goes_on_after_flush(&self) -> bool {
        self.config.is_numbered()
    }

    fn takes_records_without_fields(&self) -> bool {
        self.config.format != Format::Parquet
    }

    fn leftovers(&mut self) -> Vec<String> {
        self.names(true).iter().map(|path| path.display().to_string()).collect()
    }
}

#[tokio::test]
async fn files_of_every_format_conform() {
    for format in Format::ALL {
        check(&mut Files::new(format, |_| ())).await.unwrap();
        check(&mut Files::new(format, |config| config.if_exists = IfExists::Replace)).await.unwrap();
    }
}

#[tokio::test]
async fn numbered_files_of_every_format_conform() {
    for format in Format::ALL {
        check(&mut Files::new(format, |config| config.numbered = true)).await.unwrap();
        check(&mut Files::new(format, |config| config.rotate_bytes_max = Some(1000))).await.unwrap();
        // Every write publishes.
        check(&mut Files::new(format, |config| config.rotate_bytes_max = Some(1))).await.unwrap();
        check(&mut Files::new(format, |config| config.rotate_after = Some(Duration::from_nanos(1)))).await.unwrap();
    }
}

/// A writer that stands in for the standard output.
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

struct Stdout {
    config: StdoutSinkConfig,
    captured: Captured,
}

impl Stdout {
    fn new(format: StdoutFormat) -> Stdout {
        Stdout { config: StdoutSinkConfig::new(format), captured: Captured::default() }
    }
}

#[async_trait]
impl SinkPlace for Stdout {
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        self.captured = Captured::default();
        Ok(Box::new(StdoutSink::over(&self.config, schema, self.captured.clone()).await?))
    }

    async fn read_back(&mut self, schema: &Arc<Schema>) -> ReadBack {
        let bytes = self.captured.0.lock().unwrap().clone();
        let format = match self.config.format {
            StdoutFormat::Table => {
                // The header is a line too.
                let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
                return ReadBack::Count(lines.saturating_sub(1));
            }
            StdoutFormat::JsonLines => Format::JsonLines,
            StdoutFormat::Csv => Format::Csv,
        };
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, &bytes).unwrap();
        match bytes.is_empty() {
            true => ReadBack::Batches(vec![]),
            false => read(&[file.path().to_owned()], format, schema),
        }
    }
}

#[tokio::test]
async fn stdout_conforms() {
    for format in [StdoutFormat::Table, StdoutFormat::JsonLines, StdoutFormat::Csv] {
        check(&mut Stdout::new(format)).await.unwrap();
    }
}

#[derive(Default)]
struct Memory(MemoryHandle);

#[async_trait]
impl SinkPlace for Memory {
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        self.0 = MemoryHandle::new();
        Ok(Box::new(MemorySink::new(schema, self.0.clone())))
    }

    async fn read_back(&mut self, _: &Arc<Schema>) -> ReadBack {
        ReadBack::Batches(self.0.batches())
    }

    fn keeps_batches(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn memory_conforms() {
    check(&mut Memory::default()).await.unwrap();
}

/// A memory sink that keeps positions together with its batches.
struct Keeping(MemoryHandle);

#[async_trait]
impl SinkPlace for Keeping {
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        self.0 = MemoryHandle::new().keeping_positions();
        self.reopen(schema).await
    }

    async fn reopen(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        Ok(Box::new(MemorySink::new(schema, self.0.clone())))
    }

    async fn read_back(&mut self, _: &Arc<Schema>) -> ReadBack {
        ReadBack::Batches(self.0.batches())
    }

    fn keeps_batches(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn memory_that_keeps_positions_conforms() {
    check(&mut Keeping(MemoryHandle::new())).await.unwrap();
}

#[tokio::test]
async fn memory_that_refuses_long_texts_conforms() {
    check(&mut Refusing(MemoryHandle::new())).await.unwrap();
}

const TEXT_BYTES_MAX: usize = 5000;

/// A memory sink that refuses rows with long texts.
struct Refusing(MemoryHandle);

#[async_trait]
impl SinkPlace for Refusing {
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        self.0 = MemoryHandle::new().refusing_above(TEXT_BYTES_MAX);
        Ok(Box::new(MemorySink::new(schema, self.0.clone())))
    }

    async fn read_back(&mut self, _: &Arc<Schema>) -> ReadBack {
        ReadBack::Batches(self.0.batches())
    }

    fn keeps_batches(&self) -> bool {
        true
    }

    fn refuses_text_above(&self) -> Option<usize> {
        Some(TEXT_BYTES_MAX)
    }
}

struct Nowhere;

#[async_trait]
impl SinkPlace for Nowhere {
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        Ok(Box::new(CountingSink::new(schema)))
    }

    async fn read_back(&mut self, _: &Arc<Schema>) -> ReadBack {
        ReadBack::Unreadable
    }
}

#[tokio::test]
async fn counting_conforms() {
    check(&mut Nowhere).await.unwrap();
}

/// What a broken sink does wrong.
#[derive(Clone, Copy)]
enum Fault {
    LosesTheLastBatch,
    WritesTwice,
    ForgetsSelections,
    FlushesNothing,
    RecoversFromErrors,
    ReopensAfterClose,
    KeepsBatches,
    Miscounts,
    ForgetsRefusedRows,
    FailsOverRefusedRows,
}

/// A memory sink with a fault.
struct Broken {
    fault: Fault,
    inner: MemorySink,
    schema: Arc<Schema>,
    handle: MemoryHandle,
    held: Vec<Arc<Batch>>,
}

#[async_trait]
impl Sink for Broken {
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError> {
        let copy = |batch: &Batch| Arc::new(batch.clone());
        match self.fault {
            Fault::LosesTheLastBatch => {
                let last = std::mem::replace(&mut self.held, vec![Arc::clone(&batch)]).pop();
                if batch.schema() != &self.schema {
                    return self.inner.write(batch).await;
                }
                if let Some(last) = last {
                    return self.inner.write(copy(&last)).await;
                }
                return Ok(Written::ALL);
            }
            Fault::WritesTwice => drop(self.inner.write(copy(&batch)).await?),
            Fault::ForgetsRefusedRows => {
                return self.inner.write(copy(&batch)).await.map(|_| Written::ALL);
            }
            Fault::FailsOverRefusedRows => {
                let written = self.inner.write(copy(&batch)).await?;
                return if written.refused.is_empty() { Ok(written) } else { Err(SinkError::AfterError) };
            }
            Fault::ForgetsSelections if batch.selection().is_some() => {
                let all = Batch::with_rows(Arc::clone(batch.schema()), batch.columns().to_vec(), batch.physical_rows());
                return self.inner.write(Arc::new(all.unwrap())).await;
            }
            Fault::RecoversFromErrors => {
                let written = self.inner.write(copy(&batch)).await;
                if written.is_err() {
                    self.inner = MemorySink::new(&self.schema, self.handle.clone());
                }
                return written;
            }
            Fault::KeepsBatches => self.held.push(Arc::clone(&batch)),
            _ => {}
        }
        self.inner.write(copy(&batch)).await
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        match self.fault {
            Fault::FlushesNothing => Ok(()),
            _ => self.inner.flush().await,
        }
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        self.inner.close().await?;
        if matches!(self.fault, Fault::ReopensAfterClose) {
            self.inner = MemorySink::new(&self.schema, self.handle.clone());
        }
        Ok(())
    }

    fn stats(&self) -> SinkStats {
        let mut stats = self.inner.stats();
        if matches!(self.fault, Fault::WritesTwice) {
            // So that the rows are what gives it away.
            stats.records /= 2;
            stats.batches /= 2;
        }
        if matches!(self.fault, Fault::LosesTheLastBatch) {
            stats.records += self.held.iter().map(|batch| batch.rows() as u64).sum::<u64>();
            stats.batches += self.held.len() as u64;
        }
        if matches!(self.fault, Fault::Miscounts) {
            stats.records = 0;
        }
        stats
    }
}

struct BrokenPlace(Fault, MemoryHandle);

#[async_trait]
impl SinkPlace for BrokenPlace {
    async fn open(&mut self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        self.1 = MemoryHandle::new();
        if matches!(self.0, Fault::ForgetsRefusedRows | Fault::FailsOverRefusedRows) {
            self.1 = self.1.clone().refusing_above(TEXT_BYTES_MAX);
        }
        let inner = MemorySink::new(schema, self.1.clone());
        let (schema, handle) = (Arc::clone(schema), self.1.clone());
        Ok(Box::new(Broken { fault: self.0, inner, schema, handle, held: vec![] }))
    }

    async fn read_back(&mut self, _: &Arc<Schema>) -> ReadBack {
        ReadBack::Batches(self.1.batches())
    }

    fn refuses_text_above(&self) -> Option<usize> {
        matches!(self.0, Fault::ForgetsRefusedRows | Fault::FailsOverRefusedRows).then_some(TEXT_BYTES_MAX)
    }
}

async fn broken(fault: Fault, expect: Expect) {
    let violation = check(&mut BrokenPlace(fault, MemoryHandle::new())).await.unwrap_err();
    let text = violation.to_string();
    expect.assert_eq(text.split(';').next().unwrap_or_default());
}

/// The check finds what it is there to find.
#[tokio::test]
async fn broken_sinks_are_found() {
    broken(Fault::LosesTheLastBatch, expect!["all, once, in order: after close the reader finds 0 records of 1"]).await;
    broken(Fault::WritesTwice, expect!["all, once, in order: after close the reader finds 2 records of 1"]).await;
    broken(
        Fault::ForgetsSelections,
        expect!["count: SinkStats { records: 5021, bytes: 0, batches: 7, files: 0 } after 5012 records in 7 batches"],
    )
    .await;
    broken(Fault::FlushesNothing, expect!["flush is durable: after flush the reader finds 0 records of 10"]).await;
    broken(Fault::RecoversFromErrors, expect!["errors last: a write after an error was accepted"]).await;
    broken(Fault::ReopensAfterClose, expect!["close is the end: a write after close was accepted"]).await;
    broken(Fault::KeepsBatches, expect!["batches are shared: after flush 1 references to the batch are held"]).await;
    broken(Fault::ForgetsRefusedRows, expect!["refused rows are named: it names rows [] of [1, 4] that are too long"])
        .await;
    broken(
        Fault::FailsOverRefusedRows,
        expect!["refused rows are named: write failed: the sink has failed before and accepts nothing more"],
    )
    .await;
    broken(
        Fault::Miscounts,
        expect!["count: SinkStats { records: 0, bytes: 0, batches: 1, files: 0 } after 1 records in 1 batches"],
    )
    .await;
}
