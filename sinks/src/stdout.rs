//! A sink for standard output.

use std::io::{BufWriter, Write};
use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::{Batch, Schema};
use weir_formats::{CsvOptions, Encoder, Format, FormatError, open_csv_encoder, open_encoder};

use crate::blocking::off_thread;
use crate::handed_output::HandedOutput;
use crate::phase::Phase;
use crate::standard_output::{Cancel, StandardOutput};
use crate::table::Table;
use crate::{Sink, SinkError, SinkStats, Written};

/// Settings of a [`StdoutSink`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StdoutSinkConfig {
    /// The format.
    pub format: StdoutFormat,
    /// The maximum number of rows in a table; its last line has the number of further rows. Other formats write all rows.
    pub rows_max: usize,
    /// The options for CSV.
    pub csv: CsvOptions,
    /// Where another process writes to its standard output for this one. `None`: the standard output of this process.
    pub output: Option<HandedOutput>,
}

impl StdoutSinkConfig {
    /// All rows, in this format.
    pub fn new(format: StdoutFormat) -> StdoutSinkConfig {
        StdoutSinkConfig { format, rows_max: usize::MAX, csv: CsvOptions::default(), output: None }
    }

    /// Changes fields: `StdoutSinkConfig::new(StdoutFormat::Csv).with(|it| it.rows_max = 10)`.
    pub fn with(mut self, change: impl FnOnce(&mut StdoutSinkConfig)) -> StdoutSinkConfig {
        change(&mut self);
        self
    }
}

/// The format of rows on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutFormat {
    /// Aligned columns under one header, for people.
    Table,
    /// One JSON object per row.
    JsonLines,
    /// RFC 4180 with a header.
    Csv,
}

/// Writes rows to standard output, or to another writer. Every batch is written at once. If the reader closes its end, writes fail
/// with [`SinkError::ReaderGone`]. If the reader does not read, a write waits until the sink is dropped, and then ends quickly.
pub struct StdoutSink {
    // `None` during a write, and after the first error.
    output: Option<Output>,
    phase: Phase,
    stats: SinkStats,
    // Dropped with the sink: ends a write that waits for the reader.
    _cancel: Option<Cancel>,
}

/// The capacity of a pipe.
const BUFFER_BYTES: usize = 64 * 1024;

enum Output {
    Table(Table, Box<dyn Write + Send>),
    Encoded(Box<dyn Encoder>),
}

impl StdoutSink {
    /// A sink for the process's standard output.
    ///
    /// # Errors
    ///
    /// An error of the output when the header is written.
    pub async fn open(config: &StdoutSinkConfig, schema: &Arc<Schema>) -> Result<StdoutSink, SinkError> {
        // Collects the small writes of an encoder. Every batch ends with a flush.
        fn buffered<W: Write>(output: W) -> BufWriter<W> {
            BufWriter::with_capacity(BUFFER_BYTES, output)
        }
        let (sink, cancel) = match &config.output {
            None => {
                let (output, cancel) = StandardOutput::open().map_err(SinkError::stdout)?;
                (StdoutSink::over(config, schema, buffered(output)).await?, cancel)
            }
            Some(handed) => {
                let (output, cancel) = handed.open().map_err(SinkError::stdout)?;
                (StdoutSink::over(config, schema, buffered(output)).await?, cancel)
            }
        };
        Ok(StdoutSink { _cancel: Some(cancel), ..sink })
    }

    /// A sink for any writer.
    ///
    /// # Errors
    ///
    /// As [`StdoutSink::open`].
    pub async fn over<W: Write + Send + 'static>(
        config: &StdoutSinkConfig,
        schema: &Arc<Schema>,
        writer: W,
    ) -> Result<StdoutSink, SinkError> {
        let (config, schema) = (config.clone(), Arc::clone(schema));
        let output = off_thread(move || {
            let format = match config.format {
                StdoutFormat::JsonLines => Format::JsonLines,
                StdoutFormat::Csv => {
                    let encoder = open_csv_encoder(&schema, writer, &config.csv);
                    return encoder.map(Output::Encoded).map_err(stdout_error);
                }
                StdoutFormat::Table => {
                    return Ok(Output::Table(Table::new(&schema, config.rows_max), Box::new(writer)));
                }
            };
            open_encoder(format, &schema, writer).map(Output::Encoded).map_err(stdout_error)
        });
        Ok(StdoutSink { output: Some(output.await?), phase: Phase::Open, stats: SinkStats::default(), _cancel: None })
    }

    /// Runs a step with the output on a blocking thread. After an error the output is dropped there too, because dropping an
    /// encoder may write its buffers.
    async fn step(
        &mut self,
        step: impl FnOnce(&mut Output) -> Result<(), SinkError> + Send + 'static,
    ) -> Result<(), SinkError> {
        self.phase.check()?;
        let Some(mut output) = self.output.take() else { return Err(SinkError::AfterError) };
        let done = off_thread(move || step(&mut output).map(|()| output)).await;
        self.output = Some(self.phase.keep(done)?);
        Ok(())
    }
}

impl Output {
    fn write(&mut self, batch: &Arc<Batch>) -> Result<(), SinkError> {
        match self {
            Output::Table(table, writer) => {
                let text = table.render(batch)?;
                writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).map_err(SinkError::stdout)
            }
            Output::Encoded(encoder) => encoder.write(batch).and_then(|()| encoder.flush()).map_err(stdout_error),
        }
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        match self {
            Output::Table(_, writer) => writer.flush().map_err(SinkError::stdout),
            Output::Encoded(encoder) => encoder.flush().map_err(stdout_error),
        }
    }

    fn finish(self) -> Result<(), SinkError> {
        match self {
            Output::Table(table, mut writer) => {
                let text = table.footer();
                writer.write_all(text.as_bytes()).and_then(|()| writer.flush()).map_err(SinkError::stdout)
            }
            Output::Encoded(encoder) => encoder.finish().map_err(stdout_error),
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Output::Table(table, _) => table.bytes(),
            Output::Encoded(encoder) => encoder.bytes_written(),
        }
    }
}

fn stdout_error(error: FormatError) -> SinkError {
    match error {
        FormatError::Io(source) => SinkError::stdout(source),
        error => SinkError::Encode(error),
    }
}

#[async_trait]
impl Sink for StdoutSink {
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError> {
        let mut stats = self.stats;
        stats.count(&batch, 0);
        self.step(move |output| output.write(&batch)).await?;
        stats.bytes = self.output.as_ref().map_or(stats.bytes, Output::bytes);
        self.stats = stats;
        Ok(Written::ALL)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.step(Output::flush).await
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        if self.phase == Phase::Closed {
            return Ok(());
        }
        self.phase.check()?;
        let Some(output) = self.output.take() else { return Err(SinkError::AfterError) };
        let finished = off_thread(move || output.finish()).await;
        self.phase.keep(finished)?;
        self.phase = Phase::Closed;
        Ok(())
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }
}
