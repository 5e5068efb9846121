//! Runs tenants' WebAssembly functions over record batches, within limits. Knows no sinks and no query files.
//!
//! Everything that a tenant hands in is taken for hostile: the module's bytes, what it exports, every number it passes
//! to a host function and every byte it answers with. What it is refused comes back as a typed error with a code and
//! its numbers; nothing that it does ends the process. The contract that guests are written against is
//! `guest-sdk/ABI.md`.
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
//! **[`Engine`]**: compiler, pool of instances, and the ticker that keeps guests from holding a thread. One a process;
//! a clone is a reference count. Reserves address space for every instance that may live, and memory for none. Shares
//! the cores between tenants: a guest runs in slices of a tick, and who has had least is next.
//!
//! **[`Module`]**: a tenant's admitted, compiled code with its [`Manifest`]. Made by [`Engine::admit`], which checks
//! everything that can be checked before it compiles (tens of milliseconds), and shared by `Arc`. The checks, the compiler
//! and the code cache are `weir-admission`, whose public names are offered here as well.
//!
//! **[`Compiler`]**: where that happens. [`Compiler::Worker`] is a process for each module, which has limits of CPU time
//! and memory and neither files nor sockets; its answer is authenticated before it is loaded. It answers twice: first with
//! code of [`Tier::Baseline`], whose cost follows the module's size whatever its shape, then with optimised code, which
//! takes its place for instances to come. A worker that crashes, hangs or runs out is a refused module, or one that
//! stays as it is.
//!
//! **[`CacheConfig`]**: where compiled code is kept, by module, tenant, processor and settings, each file authenticated.
//!
//! **[`Manifest`]**: the functions of a module with their types, read from its bytes without compiling or running them.
//!
//! **[`Bound`]**: a [`Function`] set against a stream's schema: columns resolved, parameters settled, output schema
//! known, or a list of [`BindError`]s. Pure data; nothing runs.
//!
//! **[`Instance`]**: a bound function with a memory of its own, under one tenant's [`Limits`]. Owned by one stage and
//! used by one call at a time. Takes a slot of the pool with its first batch, keeps it from batch to batch, and gets
//! another after a call that ended badly. A call costs under a microsecond beside what the function does.
//!
//! **[`Outcome`]**: what a function made of one batch: the rows that go on, those that failed, what was recorded, what
//! was logged, what it cost. Rows that go on are shared with the input wherever they are the same.
//!
//! **[`Limits`]**: all that a tenant may use, in one value. Some hold for a call, some for all that the tenant has in the
//! process ([`Limits::OF_TENANT`]).

mod call_error;
mod clock;
mod code;
mod columns;
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
mod presence;
mod pulse;
mod purse;
mod relation;
mod series;
mod slices;
mod slots;
mod state;
mod ticker;
mod words;

pub use call_error::{CallContext, CallError, Malformed, Phase, TrapCause};
pub use engine::{Engine, EngineConfig, EngineError};
pub use instance::{Instance, Isolation};
pub use metric_batch::{MetricBatch, MetricDelta, Series, SeriesDelta};
pub use module::{Module, Origin};
pub use outcome::{LogLevel, LogLine, Outcome, RowCode, RowFailure, Usage};
pub use weir_admission::{
    BindError, Bound, CacheConfig, CacheError, CacheUse, CapExceeded, CapPlace, Carry, CompileCost, Compiler,
    Confinement, Enforced, Fault, Function, FunctionState, IMPORTS, Import, Kind, LimitExceeded, Limits, LimitsError,
    Manifest, Metric, MetricKind, ModuleCap, ModuleDigest, ModuleLimits, Names, OutputShape, Param, ParamType,
    ParamValue, Refusal, TenantId, TenantIdError, Tier, Unit, compile_worker, probe_confinement,
};
