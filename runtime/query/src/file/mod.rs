//! The query file: what a TOML file says of a query, checked as a whole.
//!
//! The text becomes a [`Plan`] in one go, or a [`QueryFileError`] that lists every mistake with key, line and mend:
//!
//! 1. `table` reads spanned TOML key by key; `source`, `stage`, `sink` and `settings` say which keys there are. What is
//!    wrong is recorded, and reading goes on.
//! 2. `chain` resolves names and compares schemas; `bind` checks each function against the schema that reaches it.
//! 3. Only where nothing was recorded is there a plan.
//! 4. `together` compares plans that are to run side by side.
//!
//! The limits file is read the same way by `limits_file`; `limits` keeps stages, `folders` paths, and `topics` topics,
//! within it.
//!
//! Modules are read and their manifests parsed; no code of theirs runs.

mod bind;
mod chain;
mod csv;
mod delivery;
mod describe;
mod environment;
mod hints;
mod kafka;
mod kafka_describe;
mod kafka_sink;
mod kafka_source;
mod kafka_uses;
mod limits;
mod limits_file;
mod load;
mod names;
mod origins;
mod paths;
mod plan;
mod problem;
mod retry;
mod schema;
mod settings;
mod sink;
mod sizes;
mod source;
mod stage;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod together;
mod topics;

pub use limits_file::{LimitsFile, TenantLimits};
pub(crate) use origins::Origins;
pub use plan::{
    Batching, DeadLettersPlan, Delivery, ErrorPolicy, Guarantee, LossPolicy, Node, Plan, Retry, SinkPlan, SourceKind,
    SourcePlan, StagePlan,
};
pub use problem::{Problem, QueryFileError};
pub(crate) use source::INFER_ROWS_MAX;
pub use topics::Topics;
