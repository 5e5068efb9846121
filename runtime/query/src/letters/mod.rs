//! Dead letters read back: to look at, and to run again.
//!
//! [`Letter`] is one, [`LetterLines`] reads a file of them, [`LetterFilter`] says which are meant. [`Replay`] takes
//! letters out of their file, and makes a query of the one that they are of, in which they come in where they died, with
//! their system columns: a source's as bytes for its format, a stage's or sink's as what it had received.

mod divide;
mod entrance;
mod error;
mod filter;
mod paths;
mod replay;
mod source;
mod system;
#[cfg(test)]
mod tests;
mod topic;

pub use error::ReplayError;
pub use filter::LetterFilter;
pub use replay::{NotReplayed, OtherVersion, Replay, Replayed, Replaying};
pub use source::LettersPlan;
pub use topic::{TopicLetters, TopicLettersError};

use entrance::Entrance;
pub(crate) use paths::{ReplayPaths, folder_of};
pub(crate) use source::LettersSource;
pub(crate) use system::headers_column;
