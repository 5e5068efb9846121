//! Sinks: destinations of record batches.
//!
//! ```
//! use std::sync::Arc;
//! use weir_batch::arrow::array::{ArrayRef, Int64Array};
//! use weir_formats::Format;
//! use weir_batch::{Batch, DataType, Field, Schema};
//! use weir_sinks::{FileSinkConfig, MemoryHandle, Sink, SinkConfig, SinkError};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let schema = Arc::new(Schema::new(vec![Field::new("delay", DataType::I64)])?);
//! let delays: ArrayRef = Arc::new(Int64Array::from(vec![61, 5, 90]));
//! let batch = Arc::new(Batch::new(Arc::clone(&schema), vec![delays])?);
//!
//! let path = folder.path().join("late.csv");
//! let memory = MemoryHandle::new();
//! for config in [
//!     SinkConfig::File(FileSinkConfig::new(&path, Format::Csv)),
//!     SinkConfig::Memory(memory.clone()),
//! ] {
//!     let mut sink: Box<dyn Sink> = config.build(&schema).await?;
//!     // Every sink takes the same batch: sharing it is one reference count.
//!     let written = sink.write(Arc::clone(&batch)).await?;
//!     assert_eq!(written.refused, [], "every row was taken");
//!     assert!(!path.exists() || std::fs::read(&path)? == b"delay\n61\n5\n90\n", "whole or not at all");
//!     sink.close().await?;
//! }
//! assert!(path.exists());
//! assert!(Arc::ptr_eq(&memory.batches()[0], &batch));
//! # Ok(())
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`Sink`]**: takes `Arc<Batch>`, names the rows that it cannot take, and says when the rest is durable. Owned by one task of a
//! query, and lives as long as the query. The trait's documentation has the contract, and [`conformance::check`] checks it.
//!
//! **[`SinkConfig`]**: the settings of any sink. `validate` does no I/O; `build` opens the sink.
//!
//! **[`FileSink`]**: one file, or numbered files, which become visible only when they are complete. Holds one open file and the
//! buffers of its encoder (for Parquet about 16 MiB). A flush costs two syncs.
//!
//! **[`KafkaSink`]**: writes messages to a topic and waits for acknowledgements by all in-sync replicas. Holds a producer with its
//! threads, and up to 64 MiB of unacknowledged records. A flush waits for the last acknowledgement.
//!
//! **[`KafkaTransactions`]**: a transactional producer that all sinks of a query use, so that their records and the positions of
//! the sources become visible together. Lives until its first error; then a new one is opened.
//!
//! **[`Table`]**: formats rows as aligned, escaped text for people.
//!
//! **[`StdoutSink`]**: writes a table, JSON lines or CSV to standard output, or hands the rows to the process that owns it
//! ([`HandedOutput`], [`serve_output`]).
//!
//! **[`MemorySink`]** keeps batches for tests, **[`CountingSink`]** counts and drops them.
//!
//! **[`SinkConnector`]**: opens custom sinks of the embedding program.
//!
//! **[`SinkError`]**: an error with its fault, and whether a new sink may succeed. Errors are permanent.

mod blocking;
mod config;
pub mod conformance;
mod connector;
mod counting;
mod error;
#[cfg(test)]
mod fault_tables;
mod file;
mod handed_output;
mod kafka;
mod memory;
mod phase;
mod row_refusal;
mod sink;
mod standard_output;
mod stdout;
mod table;

pub use config::SinkConfig;
pub use connector::{CustomSink, SinkConnector};
pub use counting::CountingSink;
pub use error::SinkError;
pub use file::{FileSink, FileSinkConfig, IfExists, publish_prepared};
pub use handed_output::{HandedOutput, serve_output};
pub use kafka::{
    BrokerRefusals, KafkaCompression, KafkaKey, KafkaPartitioner, KafkaSink, KafkaSinkConfig, KafkaTimestamp,
    KafkaTransactions, KafkaValue, SlotError, TransactionError, TransactionSettings, TransactionSlot,
};
pub use memory::{MemoryHandle, MemorySink};
pub use row_refusal::RowRefusal;
pub use sink::{Prepared, RefusedRow, Sink, SinkStats, Written};
pub use stdout::{StdoutFormat, StdoutSink, StdoutSinkConfig};
pub use table::Table;
