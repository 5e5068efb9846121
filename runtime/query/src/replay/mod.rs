//! Dead letters read back: to look at, and to run again.
//!
//! [`LetterFilter`] says which are meant, [`TopicLetters`] brings those of a topic into a file. [`Replay`] takes letters out of
//! their file, and makes a query of the one that they died in, in which they come in where they died.

mod divide;
mod error;
mod filter;
mod replaying;
mod topic;

pub use error::ReplayError;
pub use filter::LetterFilter;
pub use replaying::{NotReplayed, OtherVersion, Replay, Replayed, Replaying};
pub use topic::{TopicLetters, TopicLettersError};
