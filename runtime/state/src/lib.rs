//! The durable state of a query: positions, manifests and dead letters, as values, and as bytes for disk and topics.
//!
//! This crate does not connect to brokers. Its input may come from anywhere, and from earlier or later versions of Weir.
//!
//! ```
//! use weir_state::{StateManifest, Partition, Positions, SourcePositions};
//!
//! let positions = Positions::from_iter([(Partition::new("flights", 3), 17)]);
//! let manifest = StateManifest { query: "late".into(), sources: vec![SourcePositions::new("in", &positions)], ..StateManifest::default() };
//! let read = StateManifest::from_bytes(&manifest.to_bytes()?)?;
//! assert_eq!(read.positions("in"), positions);
//! # Ok::<(), weir_state::ManifestError>(())
//! ```
//!
//! # The nouns
//!
//! **[`Positions`]**: for each [`Partition`] of a source, the offset of the next record. For a file also a [`FileMark`], which says
//! where decoding continues and how the file looked; for a topic its [`TopicId`]. One entry per partition.
//!
//! **[`StateManifest`]**: the state of a query at its last commit. One file, with version and checksum; earlier versions can be
//! read.
//!
//! **[`Letter`]**: a dead letter: a failed record and its error. A line of JSON in a file, or a [`LetterMessage`] in a topic.

mod encoded_headers;
#[cfg(test)]
mod fault_tables;
mod letter;
mod letter_json;
mod letter_lines;
mod letter_message;
mod manifest;
mod mark;
mod position;
mod topic_id;

pub use letter::{Header, Letter, LetterValue};
pub use letter_json::{LINE_BYTES_MAX, damaged_line};
pub use letter_lines::{Entry, LetterLines};
pub use letter_message::LetterMessage;
pub use manifest::{
    LETTERS_OF, ManifestError, NextNumber, PartitionPosition, PreparedFile, SourcePositions, StateManifest,
    StoredSeries, StoredValue, WRITER,
};
pub use mark::{FileMark, Seen};
pub use position::{Partition, Positions};
pub use topic_id::{NoTopicId, TopicId};
