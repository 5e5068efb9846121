//! From the draft of a query file to a plan.
//!
//! `weir_config` has read the text. The draft becomes a [`Plan`] in one go, or a [`QueryFileError`] that lists every mistake with
//! key, line and mend:
//!
//! 1. `source`, `stage`, `sink` and `settings` look at what the draft names: files, topics, modules. What is wrong is recorded,
//!    and resolving goes on. One `context` holds what they need and what they use.
//! 2. `chain` resolves names and compares schemas; `bind` checks each function against the schema that reaches it.
//! 3. Only where nothing was recorded is there a plan.
//! 4. `together` compares plans that are to run side by side.
//!
//! The limits file comes the same way by `limits_file`; `limits` keeps stages, `folders` paths, and `topics` topics,
//! within it.
//!
//! Modules are read and their manifests parsed; no code of theirs runs.

mod bind;
mod chain;
mod connectors;
mod context;
mod csv;
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
mod origins;
mod paths;
mod plan;
mod reach;
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

pub use connectors::Loader;
pub use limits_file::{LimitsFile, TenantLimits};
pub use origins::Origins;
pub use plan::{Batching, DeadLettersPlan, Delivery, Node, Plan, Retry, SinkPlan, StagePlan};
pub use source::INFER_ROWS_MAX;
pub use source_plan::{LettersEntrance, LettersPlan, SourceKind, SourcePlan};
pub use weir_config::{ErrorPolicy, Guarantee, LossPolicy, Problem, QueryFileError, Topics};
