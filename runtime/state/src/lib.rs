//! What a query keeps: positions, manifests and dead letters, as values and as the bytes that are written to disk and to topics.
//!
//! No broker is asked here. What is read may come from anywhere, and was perhaps written by an earlier or a later
//! version.
//!
//! ```
//! use weir_state::{StateManifest, Partition, Positions, SourcePositions};
//!
//! let positions = Positions::from_iter([(Partition { origin: "flights".into(), number: 3 }, 17)]);
//! let manifest = StateManifest { query: "late".into(), sources: vec![SourcePositions::new("in", &positions)], ..StateManifest::default() };
//! let read = StateManifest::from_bytes(&manifest.to_bytes()?)?;
//! assert_eq!(read.positions("in"), positions);
//! # Ok::<(), weir_state::ManifestError>(())
//! ```
//!
//! # The nouns
//!
//! **[`Positions`]**: for each [`Partition`] of a source the offset of the next record, for a file with a [`FileMark`]: where decoding
//! goes on, and what the file looked like; for a topic with its [`TopicId`]. An entry a partition.
//!
//! **[`StateManifest`]**: the state of a query at its last commit. One file, with its version and checksum; earlier versions are read.
//!
//! **[`Letter`]**: a dead letter: a record, and why it is dead. A line of JSON in a file, or a [`LetterMessage`] in a topic.

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
