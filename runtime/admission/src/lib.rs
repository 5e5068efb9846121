//! Decides what a tenant's module may be before any of it runs: checks, caps, compiling in a confined process, compiled
//! code on disk. Knows batches' types and no batch, and nothing of instances: `weir-sandbox` runs what is admitted here.
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
//! **[`Limits`]**: all that a tenant may use, in one value, those of a module's shape ([`ModuleLimits`]) among them.
//!
//! **[`check`]** reads a module's bytes once, and answers with what is known of it ([`Admitted`]) or with the first rule
//! that it breaks ([`Refusal`]). It takes milliseconds for a megabyte, and compiles nothing.
//!
//! **[`ModuleManifest`]**: the functions of a module with their types. **[`Bound`]**: a [`Function`] set against a stream's
//! schema, or a list of [`BindError`]s. Pure data.
//!
//! **[`Compiler`]**: where code is made. [`compile_here`] makes it in this process; [`Apart`] in a worker with limits of CPU
//! time and memory and neither files nor sockets, whose program calls [`compile_worker`]. The [`Turnstile`] says whose
//! module is compiled next.
//!
//! **[`Cache`]**: where code is kept, by module, tenant, processor and settings, each file authenticated.
//!
//! **[`Trusted`]**: code that came out of a compiler of this process, or was authenticated. [`load`] takes nothing else, and
//! nothing outside this crate can make one.

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
    Apart, Artefact, Cache, CacheConfig, CacheError, CacheKey, CacheUse, Cached, CodeSettings, CompileCost, Compiler,
    Pass, Tier, Trusted, Turnstile, compile_here, compile_worker, load, probe_confinement,
};
pub use digest::ModuleDigest;
pub use function::{
    Function, FunctionKind, FunctionState, Metric, MetricKind, OutputShape, Param, ParamType, ParamValue,
};
pub use import::{IMPORTS, Import};
pub use limits::{HARDENED_MEMORY_BYTES, LimitExceeded, Limits, LimitsError, Unit};
pub use manifest::ModuleManifest;
pub use module_limits::{ModuleCap, ModuleLimits, TABLES_MOST};
pub use refusal::Refusal;
pub use tenant::{TenantId, TenantIdError};
pub use weir_batch::Fault;
pub use weir_confine::{Enforced, Walls};
