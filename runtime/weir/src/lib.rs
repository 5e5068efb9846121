//! Runs other people's WebAssembly functions over streams of records, inside your program.
//!
//! A query file names sources, functions and sinks. This query keeps flights that arrived over an hour late, and the program reads the
//! result from memory:
//!
//! ```
//! use std::path::Path;
//! use weir::{Engine, EngineConfig, Loader, MemoryHandle, Query};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = r#"
//! name = "late-flights"
//!
//! [sources.flights]
//! kind = "file"
//! path = "data/flights-sample.parquet"
//!
//! [[stages]]
//! name = "late"
//! module = "target/guests/wasm32-unknown-unknown/release/flights.wasm"
//! function = "late"
//! params = { min_delay = 60 }
//!
//! [sinks.kept]
//! kind = "custom"
//! connector = "kept"
//! "#;
//! let kept = MemoryHandle::new();
//! let plan = Loader::new().sink("kept", kept.clone()).parse(file, Path::new("../..")).map_err(|all| all[0].to_string())?;
//! let engine = Engine::new(&EngineConfig::default())?;
//! let summary = Query::build(plan, &engine).await?.run().await?;
//!
//! assert_eq!(summary.progress.stages[0].records_out, kept.rows() as u64);
//! assert_eq!(kept.batches()[0].schema().to_string(), "route utf8, minutes i64");
//! # Ok(())
//! # }
//! ```
//!
//! # What an embedder uses
//!
//! **[`Loader`]** reads query files: within a limits file ([`LimitsFile`]), and with sources and sinks of your program under names
//! ([`SourceConnector`], [`SinkConnector`]). A wrong file gives every mistake with its line ([`QueryFileError`], [`Problem`]).
//!
//! **[`Engine`]**: one for each process. It compiles functions in a confined process, caches the code, and shares the processor among tenants.
//!
//! **[`Query`]**: a plan at work. [`Query::run`] ends with a [`Summary`] whose counts add up; a [`QueryHandle`] watches, pauses and
//! stops it meanwhile. Any number run side by side in one tokio runtime with several threads.
//!
//! **[`MemoryBatches`]** feeds batches that you hold, **[`MemoryHandle`]** gives back those that were written. **[`Batch`]** is shared by
//! `Arc`, and its columns are Arrow's ([`arrow`]).
//!
//! Errors say whose fault they are (`fault()`) and whether trying again may help (`retryable()`).
//!
//! Without default features the crate has no Kafka, and is built without a C++ compiler; `nexmark` adds that benchmark's streams.
//!
//! The programs in `examples/` embed a query, feed batches from memory, bring a source and a sink of their own, and run two tenants
//! with different limits. The crates behind this one have more; what is not named here may change with any version.

pub use weir_batch::{Batch, BatchError, DataType, Fault, Field, Schema, SystemColumns, arrow};
pub use weir_formats::Format;
pub use weir_plan::{LimitsFile, Loader, Plan, Problem, QueryFileError};
pub use weir_query::{BuildError, Progress, Query, QueryHandle, QueryState, RunError, Summary};
pub use weir_sandbox::{Engine, EngineConfig, EngineError, Limits, TenantId};
pub use weir_sinks::{MemoryHandle, Sink, SinkConnector, SinkError, SinkStats, Written};
pub use weir_sources::{MemoryBatches, Source, SourceBatch, SourceConnector, SourceError, SourceEvent};
pub use weir_state::{Partition, Positions};
