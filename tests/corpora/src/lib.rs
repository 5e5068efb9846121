//! Tests the sandbox with modules from other sources: the official test suite, modules from wasm-smith, mutations of the example
//! guests by wasm-mutate, and damaged modules.
//!
//! Each module passes through `ModuleManifest::read`, `ModuleManifest::check` and `Engine::admit`, and admitted modules are called.
//! A *defect* is what must not happen with any module: a panic, an error that is the host's fault, inconsistent accounting, or a
//! result that differs from that of an equivalent guest.
//!
//! ```
//! use weir_corpora::{Corpus, Plan, Run};
//!
//! let plan = Plan {
//!     seed: 1,
//!     corpora: vec![Corpus::HostCalls],
//!     modules: Some(3),
//!     time: None,
//!     spec_stride: 1,
//!     failures: std::env::temp_dir(),
//! };
//! let report = Run::new(plan)?.all(&mut std::io::sink())?;
//! assert_eq!((report.modules(), report.failures()), (3, 0), "{}", report.table());
//! # Ok::<(), weir_corpora::RunError>(())
//! ```
//!
//! # The nouns
//!
//! **[`Corpus`]**: a kind of module. An item is determined by a seed and an index.
//!
//! **[`Sandbox`]**: an engine for trying modules. One per process, because it reserves address space for its pool.
//!
//! **[`Trial`]**: the result of one module, including the results of its functions.
//!
//! **[`Report`]**: the number of modules and their results, by corpus.
//!
//! **[`HostProgram`]**: a guest that makes host calls according to arbitrary bytes: the fuzz target `host_functions` and the
//! corresponding test run it.

mod batches;
mod corpus;
mod dress;
mod host_calls;
mod host_module;
#[path = "../../../fuzz/decoders/src/kept.rs"]
mod kept;
mod manifest_text;
mod mutants;
mod rng;
mod run;
mod sections;
mod smith;
mod spec;
mod tally;
mod targets;
mod trial;

pub use batches::{ROWS, batch_for, batch_of};
pub use corpus::{Corpus, Item, Sources};
pub use dress::dress;
pub use host_calls::{Argument, HostProgram, Step};
pub use host_module::{host_batch, host_module};
pub use kept::{kept_state as fuzz_kept_state, letters as fuzz_letters};
pub use manifest_text::{KINDS, manifest_line, with_manifest};
pub use mutants::{Guests, Mutant, ample_limits};
pub use rng::Rng;
pub use run::{Plan, Run, RunError};
pub use sections::{append_custom, sections, split_manifest};
pub use smith::{smith_fitted, smith_plain};
pub use spec::{SpecKind, SpecModule, spec_modules};
pub use tally::{Counts, Report, Tally};
pub use targets::{fuzz_host_functions, fuzz_manifest, fuzz_prescan, fuzz_query_file};
pub use trial::{Sandbox, SetupError, Trial, tight_limits, wrong_account};
