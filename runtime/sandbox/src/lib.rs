//! Runs tenants' WebAssembly functions over record batches, within limits. This crate does not know sinks or query files.
//!
//! All input from a tenant is considered hostile: the bytes of the module, its exports, the arguments of host calls, and all
//! output. A refusal is a typed error with a code and numbers. Nothing that a guest does can end the process. The contract for
//! guests is `guest-sdk/ABI.md`.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::Arc;
//! use weir_batch::arrow::array::{ArrayRef, Int64Array};
//! use weir_batch::{Batch, DataType, Field, Schema};
//! use weir_sandbox::{Carry, Engine, EngineConfig, Instance, Limits};
//!
//! // A filter that keeps every row: one byte of ones at address 0.
//! let wasm = wat::parse_str(r#"(module
//!     (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (data (i32.const 0) "\ff")
//!     (func (export "weir_call_all") (param $rows i32) (result i32)
//!         (call $emit_filter (i32.const 0) (local.get $rows)))
//!     (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22all\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}"))"#)?;
//!
//! let engine = Engine::new(&EngineConfig::default())?;
//! let limits = Limits::default();
//! let module = engine.admit(&"acme".parse()?, &wasm, &limits)?;
//!
//! let schema = Arc::new(Schema::new(vec![Field::new("delay", DataType::I64)])?);
//! let function = module.manifest().function("all").ok_or("declared above")?;
//! let bound = function.bind(&schema, &Carry::None, &BTreeMap::new()).map_err(|errors| errors[0].clone())?;
//! let mut instance = Instance::new(&module, &Arc::new(bound), &limits);
//!
//! let delays: ArrayRef = Arc::new(Int64Array::from(vec![61, 5, 90]));
//! let batch = Arc::new(Batch::new(schema, vec![delays])?);
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! let outcome = runtime.block_on(instance.call(&batch))?;
//! assert!(Arc::ptr_eq(&outcome.output, &batch));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The nouns
//!
//! **[`Engine`]**: the compiler, the pool of instances, and the ticker that interrupts guests. Create one per process; a clone
//! costs a reference count. The engine reserves address space for all instances, but no memory. It divides the cores between
//! tenants by their weights, and between the queries of a tenant ([`QueryShare`]): guests run in slices of a tick, and the tenant that
//! has used the least CPU time for its weight runs next. Nothing ticks while no guest runs.
//!
//! **[`Module`]**: a tenant's admitted and compiled code with its [`ModuleManifest`], shared by `Arc`. [`Engine::admit`] creates it. It
//! performs all checks before it compiles (tens of milliseconds). The checks, the compiler and the code cache are in
//! `weir-admission`; this crate re-exports their public names.
//!
//! **[`Compiler`]**: where modules are compiled. [`Compiler::Worker`] starts a process for each module, with limits of CPU time and
//! memory and without access to files and sockets. Its result is authenticated before it is loaded. The worker returns two results:
//! first code of [`Tier::Baseline`], whose cost depends only on the size of the module, then optimised code, which new instances use.
//! If the worker crashes, hangs or exceeds a limit, the module is refused, or keeps its baseline code.
//!
//! **[`CacheConfig`]**: where compiled code is stored, by module, tenant, processor and settings. Each file is authenticated.
//!
//! **[`ModuleManifest`]**: the functions of a module with their types, read from its bytes without compiling or running them.
//!
//! **[`Bound`]**: a [`Function`] bound to the schema of a stream: resolved columns, parameters and the output schema. Binding returns
//! a list of [`BindError`]s if it fails. Pure data; nothing runs.
//!
//! **[`Instance`]**: a bound function with its own memory, within one tenant's [`Limits`]. Owned by one stage and used by one call at a
//! time. It takes a slot of the pool with its first batch, keeps the slot from batch to batch, and gets another after a failed call. A
//! call costs less than a microsecond in addition to the function's own work.
//!
//! **[`Outcome`]**: the result of a function for one batch: output rows, failed rows, recorded metrics, log lines, and cost. Output
//! rows share their data with the input if they are unchanged.
//!
//! **[`Limits`]**: everything that a tenant may use, in one value. Some limits apply to a call, others to everything that the tenant has
//! in the process ([`Limits::OF_TENANT`]).

mod call_error;
mod clock;
mod code;
mod code_origin;
mod code_source;
mod columns;
mod cpu_pace;
mod engine;
#[cfg(test)]
mod fault_tables;
mod gate;
mod guest_memory;
mod host;
mod host_time;
mod instance;
mod metric_batch;
mod module;
mod outcome;
mod output;
mod placed_code;
mod presence;
mod pulse;
mod purse;
mod query_share;
mod relation;
mod series;
mod shown;
mod slices;
mod slots;
mod state;
mod ticker;
mod words;

pub use call_error::{CallContext, CallError, Malformed, Phase, TrapCause};
pub use code_origin::CodeOrigin;
pub use code_source::{Better, CodeSource, SharedCodeSource};
pub use cpu_pace::CpuPace;
pub use engine::{Engine, EngineConfig, EngineError};
pub use instance::Instance;
pub use metric_batch::{GuestSeries, MetricBatch, MetricDelta, SeriesDelta};
pub use module::Module;
pub use outcome::{LogLevel, LogLine, Outcome, RowCode, RowFailure, Usage};
pub use placed_code::PlacedCode;
pub use query_share::QueryShare;
pub use weir_admission::{
    BindError, Bound, CacheConfig, CacheError, CacheUse, CapExceeded, CapPlace, Carry, CodePlace, CompileCost,
    Compiler, Enforced, Fault, Function, FunctionKind, FunctionState, IMPORTS, Import, Isolation, LimitExceeded,
    Limits, LimitsError, Metric, MetricKind, ModuleCap, ModuleDigest, ModuleLimits, ModuleManifest, Names, OutputShape,
    Param, ParamType, ParamValue, Refusal, TenantId, TenantIdError, Tier, TrustedWindow, Unit, Walls, compile_worker,
    probe_confinement,
};
