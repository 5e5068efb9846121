//! Modules that others made, for the sandbox to withstand: the official test suite, what wasm-smith generates, what
//! wasm-mutate makes of the example guests, and plain damage.
//!
//! Each module goes through `ModuleManifest::read`, `ModuleManifest::check` and `Engine::admit`, and what is admitted is called.
//! What must not happen, whatever the module, is a *defect*: a panic, a fault of the host's own, an account that does
//! not add up, or an answer that differs from that of a guest which should do the same.
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
//! **[`Corpus`]**: a kind of module. An item of it is made from a seed and an index, always the same.
//!
//! **[`Sandbox`]**: an engine to try modules on. One a process: it reserves address space for its pool.
//!
//! **[`Trial`]**: what became of one module. Holds what its functions answered.
//!
//! **[`Report`]**: how many modules there were, and what became of them, by corpus.
//!
//! **[`HostProgram`]**: a guest that calls the host as it likes, out of any bytes: what the fuzz target
//! `host_functions` and its twin among the tests run.

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
