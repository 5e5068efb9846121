//! Admission of tenants' modules, before any of their code runs: checks, caps, compiling in a confined process, and a cache of
//! compiled code. This crate knows the types of batches but no batches, and no instances: `weir-sandbox` runs admitted modules.
//!
//! ```
//! use weir_admission::{Limits, check};
//!
//! let wasm = wat::parse_str(r#"(module
//!     (memory (export "memory") 1)
//!     (func (export "weir_call_all") (param $rows i32) (result i32) (i32.const 0))
//!     (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22all\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}"))"#)?;
//! let admitted = check(&wasm, &Limits::default())?;
//! assert_eq!(admitted.manifest.functions[0].name, "all");
//!
//! let refused = check(b"(module)", &Limits::default()).unwrap_err();
//! assert_eq!(refused.code(), "wasm_text");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The nouns
//!
//! **[`Limits`]**: all limits of a tenant, including caps on the shape of modules ([`ModuleLimits`]).
//!
//! **[`check`]** reads a module's bytes once. It returns facts about the module ([`Admitted`]), or the first rule that it violates
//! ([`Refusal`]). It takes milliseconds per megabyte, and compiles nothing.
//!
//! **[`ModuleManifest`]**: the functions of a module with their types. **[`Bound`]**: a [`Function`] that fits a stream's schema;
//! otherwise there is a list of [`BindError`]s. Plain data.
//!
//! **[`Compiler`]**: where code is compiled. [`compile_here`] compiles in this process. [`Apart`] compiles in a worker process with
//! limits for CPU time and memory, and without access to files and sockets; the worker's program calls [`compile_worker`]. The
//! [`Turnstile`] decides whose module is compiled next.
//!
//! **[`Cache`]**: stores compiled code by module, tenant, processor and settings. Each file is authenticated.
//!
//! **[`Trusted`]**: code that a compiler of this process created, or that was authenticated. [`load`] accepts only this type, and
//! code outside of this crate cannot create it.

mod bind;
mod cap_exceeded;
mod check;
mod compile;
mod digest;
#[cfg(test)]
mod fault_tables;
mod function;
mod header;
mod import;
mod isolation;
mod joins;
mod limits;
mod manifest;
mod module_limits;
mod refusal;
mod tenant;
mod text;
mod toolchain;

pub use bind::{BindError, Bound, Carry, ColumnSource, Names};
pub use cap_exceeded::{CapExceeded, CapPlace};
pub use check::{Admitted, check};
pub use compile::{
    Apart, Artefact, Cache, CacheConfig, CacheError, CacheKey, CacheUse, Cached, CodeSettings, CompileCost,
    CompileService, Compiler, Pass, ServedCode, Tier, Trusted, TrustedWindow, Turnstile, compile_here, compile_worker,
    load, probe_confinement,
};
pub use digest::ModuleDigest;
pub use function::{
    Function, FunctionKind, FunctionState, Metric, MetricKind, OutputShape, Param, ParamType, ParamValue,
};
pub use import::{IMPORTS, Import};
pub use isolation::Isolation;
pub use limits::{HARDENED_MEMORY_BYTES, LimitExceeded, Limits, LimitsError, Unit};
pub use manifest::ModuleManifest;
pub use module_limits::{ModuleCap, ModuleLimits, TABLES_MOST};
pub use refusal::Refusal;
pub use tenant::{TenantId, TenantIdError};
pub use weir_batch::Fault;
pub use weir_confine::{CodePlace, Enforced, Walls};
