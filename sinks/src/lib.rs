//! Where record batches go.
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
//! **[`Sink`]**: takes `Arc<Batch>`, names the rows that it cannot take, and says when the rest is durable. Owned by one task of a query, lives as long as it. What
//! an implementation owes stands beside the trait, and [`conformance::check`] executes it.
//!
//! **[`SinkConfig`]**: the settings of any sink. `validate` touches nothing; `build` opens the sink.
//!
//! **[`FileSink`]**: a file, or a row of numbered ones, each of which appears whole or not at all. Holds one open file
//! and what its encoder buffers (for Parquet about 16 MiB). A flush costs two syncs.
//!
//! **[`KafkaSink`]**: messages of a topic, acknowledged by all in-sync replicas. Holds a producer with its threads, and
//! up to 64 MiB of records that are on their way. A flush waits for the last acknowledgement.
//!
//! **[`KafkaTransactions`]**: one transactional producer that the sinks of a query write through, so that their records
//! and the positions of the sources become visible in one step. Lives until its first error, then is opened again.
//!
//! **[`Table`]**: rows as aligned text, escaped, for people to read.
//!
//! **[`StdoutSink`]**: a table, JSON lines or CSV for the standard output.
//!
//! **[`MemorySink`]** keeps batches for tests, **[`CountingSink`]** counts and drops them.
//!
//! **[`SinkConnector`]**: opens sinks of a kind that the embedding program brings.
//!
//! **[`SinkError`]**: says whose fault it is and whether a new sink may succeed. An error lasts.

mod blocking;
mod config;
pub mod conformance;
mod connector;
mod counting;
mod error;
#[cfg(test)]
mod fault_tables;
mod file;
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
pub use kafka::{
    BrokerRefusals, KafkaCompression, KafkaKey, KafkaPartitioner, KafkaSink, KafkaSinkConfig, KafkaTimestamp,
    KafkaTransactions, KafkaValue, SlotError, TransactionError, TransactionSettings, TransactionSlot,
};
pub use memory::{MemoryHandle, MemorySink};
pub use row_refusal::RowRefusal;
pub use sink::{Prepared, RefusedRow, Sink, SinkStats, Written};
pub use stdout::{StdoutFormat, StdoutSink, StdoutSinkConfig};
pub use table::Table;
