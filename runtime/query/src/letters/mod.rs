//! Dead letters read back: to look at, and to run again.
//!
//! [`Letter`] is one, [`LetterLines`] reads a file of them, [`LetterFilter`] says which are meant. [`Replay`] takes
//! letters out of their file, and makes a query of the one that they are of, in which they come in where they died: a
//! source's as bytes for its format, a stage's as what the stage had received, with its system columns.

mod divide;
mod entrance;
mod error;
mod filter;
mod letter;
mod paths;
mod reader;
mod replay;
mod source;
mod system;
#[cfg(test)]
mod tests;
mod topic;

pub use error::ReplayError;
pub use filter::LetterFilter;
pub use letter::{Header, Letter};
pub use reader::{Entry, LetterLines};
pub use replay::{NotReplayed, OtherVersion, Replay, Replayed, Replaying};
pub use source::LettersPlan;
pub use topic::{TopicLetters, TopicLettersError};

use entrance::Entrance;
pub(crate) use paths::ReplayPaths;
pub(crate) use source::LettersSource;
