//! Plans: query files that were checked as a whole, including everything that they name.
//!
//! ```
//! use weir_plan::Plan;
//!
//! let file = r#"
//! name = "seed"
//!
//! [sources.seed]
//! kind = "generator"
//! batches = 10
//!
//! [sinks.count]
//! kind = "count"
//! input = "sed"
//! "#;
//! let problems = Plan::parse(file, std::path::Path::new(".")).unwrap_err();
//! assert_eq!(
//!     format!("line {}: {}", problems[0].line, problems[0]),
//!     "line 10: sinks.count.input: source or stage `sed` does not exist; did you mean `seed`?"
//! );
//! ```
//!
//! # The nouns
//!
//! **[`Plan`]**: a valid query file: names are resolved, modules are read, and every function is bound to the schema of its input.
//! Created by [`Plan::load`]; `weir_query` runs it. A plan is data. Its size is mainly that of its modules.
//!
//! **[`QueryFileError`]**: all mistakes in a query file, each a [`Problem`] with key, line and remedy.
//!
//! **[`LimitsFile`]**: the limits of each tenant of a process, and the folders of its queries. [`Plan::load_with`] creates a plan
//! within a limits file. [`Plan::load_all`] checks several plans that will run in one process against each other.
//!
//! **[`Loader`]**: reads query files for a program with its own sources and sinks.
//!
//! # From draft to plan
//!
//! `weir_config` has parsed the text. Resolving converts the draft to a [`Plan`], or to a [`QueryFileError`] that lists every
//! mistake:
//!
//! 1. `source`, `stage`, `sink` and `settings` check what the draft names: files, topics, modules. After a mistake, resolving
//!    continues. One `context` holds what they check against, and what the query uses.
//! 2. `chain` resolves names and compares schemas; `bind` checks each function against the schema of its input.
//! 3. There is a plan only if no mistake was reported.
//! 4. `together` compares the files, topics and groups of plans that will run in one process.
//!
//! Limits files are resolved in the same way by `limits_file`. `limits` enforces them for stages, `paths` for files, and
//! `kafka_uses` for topics.
//!
//! Modules are read and their manifests parsed. Their code is neither compiled nor run.

mod absent;
mod bind;
mod chain;
mod claims;
mod connectors;
mod context;
mod csv;
mod custom;
mod delivery;
mod describe;
mod kafka;
mod kafka_describe;
mod kafka_sink;
mod kafka_source;
mod kafka_uses;
mod limits;
mod limits_file;
mod load;
mod loader;
mod origins;
mod paths;
mod placement;
mod plan;
mod processes;
mod reach;
mod reading;
mod retry;
mod schema;
mod settings;
mod sink;
mod sizes;
mod source;
mod source_plan;
mod stage;
#[cfg(test)]
mod tests;
mod text;
mod together;
mod words;

pub use claims::Claims;
pub use limits_file::{LimitsFile, TenantLimits};
pub use loader::Loader;
pub use origins::Origins;
pub use placement::Placement;
pub use plan::{Batching, DeadLettersPlan, Delivery, Node, Plan, Retry, SinkPlan, StagePlan};
pub use processes::{ProcessLimits, Workers};
pub use reading::{QueryNeeds, QueryReading};
pub use source::INFER_ROWS_MAX;
pub use source_plan::{LettersEntrance, LettersPlan, SourceKind, SourcePlan};
pub use text::read_query_file;
pub use together::clashes;
pub use weir_config::{ErrorPolicy, Guarantee, LossPolicy, Problem, QueryFileError, Topics};
pub use weir_files::{Denied, Folders};
