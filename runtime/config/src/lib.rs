//! Reads query files and limits files from text into a draft. Every setting is described once.
//!
//! ```
//! use weir_config::QueryReader;
//!
//! let text = r#"
//! name = "seed"
//! [sources.seed]
//! kind = "generator"
//! batchs = 10
//! [sinks.count]
//! kind = "count"
//! "#;
//! let (draft, problems) = QueryReader::begin(text).map_err(|problems| problems[0].to_string())?.finish();
//! assert_eq!(draft.name.value.as_deref(), Some("seed"));
//! let said: Vec<String> = problems.finish().unwrap_err().iter().map(|it| format!("line {}: {it}", it.line)).collect();
//! assert_eq!(said[1], "line 5: sources.seed.batchs: a generator source has no such key; did you mean `batches`?");
//! # Ok::<(), String>(())
//! ```
//!
//! # The nouns
//!
//! **[`Key`]**: the description of one key: name, type, range or words, default and doc. From one line of text, the macro `keys!`
//! generates the description, the field for the value in a file, and the code that reads it. The same descriptions generate
//! [`query_schema`] and [`limits_schema`], for editors, and the tables of QUERY.md ([`fill_key_tables`]).
//!
//! **[`Setting`]**: the value of a key in a file, with its [`KeyPlace`], or the default.
//!
//! **[`QueryDraft`], [`LimitsDraft`]**: the content of a file, as far as it could be read. Plain values that can be serialised and sent to
//! another process. A draft takes a few times the size of the text, which has at most 1 MiB. `weir-plan` checks whether the files,
//! functions, topics and fields that it names exist.
//!
//! **[`Problems`]**: all mistakes and warnings so far, each with key, line and remedy ([`Problem`]). Reading continues after a mistake, so
//! all mistakes of a file are reported together.
//!
//! **[`QueryReader`]**: a query file that is being read: first its tenant, then the environment variables that this tenant may read, then the rest.
//!
//! This crate does not open files or read variables; the caller supplies them. It does not know Arrow, wasmtime or librdkafka. Tests of
//! `weir-plan` compare their words and ranges with the ones here.

#[cfg(test)]
mod fault_tables;
#[macro_use]
mod key;

mod csv;
mod custom;
mod environment;
pub mod hints;
mod json_schema;
mod kafka;
mod key_tables;
mod kinds;
mod limits;
mod limits_file;
mod names;
mod options;
mod problem;
mod query;
mod retry;
mod setting;
mod settings;
mod sink;
mod source;
mod stage;
mod suffix;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod topics;
mod words;
mod workers;
mod written;

pub use csv::{CsvKeys, QuoteDraft, RecordCsvKeys};
pub use custom::CustomKeys;
pub use json_schema::{limits_schema, query_schema};
pub use kafka::{ConnectionKeys, HeadersDraft, KafkaLettersKeys, KafkaSinkKeys, KafkaSourceKeys, PartitionsDraft};
pub use key::Key;
pub use key_tables::fill_key_tables;
pub use kinds::{FieldDraft, ParamDraft, ParamText};
pub use limits::{LimitDraft, LimitKey, LimitValue, OF_MODULES, OF_STAGE, OF_TENANT};
pub use limits_file::{LimitsDraft, LimitsFileKeys, PlacementKeys, RightKeys, SizeKeys, TenantDraft};
pub use options::{OptionDraft, OptionText};
pub use problem::{KeyPlace, Problem, Problems, QueryFileError, Spot, clip, nearest, suggest};
pub use query::{HeadKeys, QueryDraft, QueryReader};
pub use retry::{OnErrorDraft, OnErrorKeys, RetryKeys};
pub use setting::Setting;
pub use settings::{BatchingKeys, DeliveryKeys, FileLettersKeys, LettersDraft, LettersKindDraft, LettersKindKeys};
pub use sink::{FileSinkKeys, SinkDraft, SinkKeys, SinkKindDraft, SinkMoreKeys, StdoutSinkKeys};
pub use source::{
    FileSourceKeys, GeneratorKeys, NexmarkKeys, SourceDraft, SourceErrorKeys, SourceKeys, SourceKindDraft,
};
pub use stage::{CarryDraft, Input, StageDraft, StageKeys, StageMoreKeys};
pub use suffix::SUFFIXES;
pub use topics::{Pattern, Topics};
pub use words::{
    CompressionWord, ErrorPolicy, Guarantee, IfExistsWord, IsolationWord, LettersWord, LossPolicy, NexmarkWord,
    OnChangeWord, OnErrorWord, OutOfRangeWord, PartitionerWord, ReadFormat, ReadIsolationWord, RecordWord, SinkWord,
    SourceWord, StdoutWord, TombstoneWord, UnknownTenants, UntilWord, WorkerTier, WriteFormat,
};
pub use workers::{ProcessKeys, UidRange, Uids, WorkersKeys};
pub use written::WrittenText;
