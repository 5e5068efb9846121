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
//! # The main types
//!
//! **[`Loader`]** reads query files. It applies a limits file ([`LimitsFile`]) and registers your program's own sources and sinks by
//! name ([`SourceConnector`], [`SinkConnector`]). For a wrong file it returns every mistake with its line ([`QueryFileError`],
//! [`Problem`]).
//!
//! **[`Engine`]** compiles functions in a confined process, caches the code, and shares CPU time fairly among tenants. Create one for
//! each process.
//!
//! **[`Query`]** runs a plan. [`Query::run`] returns a [`Summary`] whose counts add up. A [`QueryHandle`] observes, pauses and stops the
//! query while it runs. One tokio runtime with several threads can run any number of queries side by side.
//!
//! **[`MemoryBatches`]** is a source of batches that you hold in memory. **[`MemoryHandle`]** is a sink that returns written batches to
//! you. A **[`Batch`]** is shared by `Arc`, and its columns are Arrow arrays ([`arrow`]).
//!
//! Settings have public fields: make them with `new` or `Default`, then assign, or chain `with`:
//! `EngineConfig::default().with(|it| it.instances_max = 100)`. Later versions may add fields.
//!
//! Every error says whose fault it is (`fault()`) and whether a retry may help (`retryable()`).
//!
//! Without default features the crate contains no Kafka client and needs no C++ compiler. The feature `nexmark` adds the streams of
//! that benchmark.
//!
//! The programs in `examples/` embed a query, pass batches in and out of memory, register a source and a sink, and run two tenants with
//! different limits. The crates behind this one offer more, but only the items of this crate are stable across versions.

pub use weir_batch::{Batch, BatchError, DataType, Fault, Field, Schema, SystemColumns, arrow};
pub use weir_formats::{BadRecord, Format};
pub use weir_plan::{LimitsFile, Loader, Plan, Problem, QueryFileError};
pub use weir_query::{BuildError, Ending, Progress, Query, QueryHandle, QueryState, RunError, Summary};
pub use weir_sandbox::{CacheConfig, Compiler, Engine, EngineConfig, EngineError, Limits, TenantId, compile_worker};
pub use weir_sinks::{MemoryHandle, RefusedRow, RowRefusal, Sink, SinkConnector, SinkError, SinkStats, Written};
pub use weir_sources::{MemoryBatches, Source, SourceBatch, SourceConnector, SourceError, SourceEvent};
pub use weir_state::{Partition, Positions};
