//! Plans: one TOML file says sources, stages and sinks; it is checked as a whole, with everything that it names.
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
//! **[`Plan`]**: a query file that was found right: names resolved, modules read, every function bound to the schema that reaches it.
//! Made once by [`Plan::load`]; `weir_query` runs it. It is data, and costs the bytes of its modules.
//!
//! **[`QueryFileError`]**: everything that is wrong with a query file, each [`Problem`] with its key, line and remedy.
//!
//! **[`LimitsFile`]**: what each tenant of a process may use, and the folders that its queries keep to. A plan made by
//! [`Plan::load_with`] lies within it. [`Plan::load_all`] checks several that are to run side by side against each other.
//!
//! **[`Loader`]**: how a program reads query files, with sources and sinks of its own.
//!
//! # From draft to plan
//!
//! `weir_config` has read the text. The draft becomes a [`Plan`] in one go, or a [`QueryFileError`] that lists every mistake:
//!
//! 1. `source`, `stage`, `sink` and `settings` look at what the draft names: files, topics, modules. What is wrong is recorded,
//!    and resolving goes on. One `context` holds what they need and what they use.
//! 2. `chain` resolves names and compares schemas; `bind` checks each function against the schema that reaches it.
//! 3. Only where nothing was recorded is there a plan.
//! 4. `together` compares the files, topics and groups of plans that are to run side by side.
//!
//! The limits file comes the same way by `limits_file`; `limits` keeps stages, `paths` files, and `kafka_uses` topics, within it.
//!
//! Modules are read and their manifests parsed. None of their code runs, and nothing is compiled.

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
mod plan;
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
pub use plan::{Batching, DeadLettersPlan, Delivery, Node, Plan, Retry, SinkPlan, StagePlan};
pub use reading::{QueryNeeds, QueryReading};
pub use source::INFER_ROWS_MAX;
pub use source_plan::{LettersEntrance, LettersPlan, SourceKind, SourcePlan};
pub use together::clashes;
pub use weir_config::{ErrorPolicy, Guarantee, LossPolicy, Problem, QueryFileError, Topics};
pub use weir_files::{Denied, Folders};
