//! Dead letters: records that failed, stored with their error so that they can be examined and replayed.
//!
//! **[`DeadLetters`]** writes them: to a file as lines of JSON, or to a topic as messages with the error in their headers. A
//! [`Sender`] has the common facts of all letters of one source, stage or sink, and [`Why`] the error of a record.
//!
//! **[`ReplayPaths`]**: the files next to a letter file during a replay. [`lock`] lets one process at a time use a letter file.
//!
//! **[`Entrance`]** converts letters back to records with their system columns: letters of a source by decoding their bytes,
//! letters of a stage or sink to the record that it had received. [`LettersSource`] reads the letters of a
//! [`weir_plan::LettersPlan`] as a source.
//!
//! The letter itself, its two forms and their readers are in `weir_state`: [`weir_state::Letter`].

mod dead_letters;
mod entrance;
mod error;
#[cfg(test)]
mod fault_tables;
mod file;
mod letter;
mod lock;
mod paths;
mod source;
mod system;
#[cfg(test)]
mod tests;
mod topic;

pub use dead_letters::DeadLetters;
pub use entrance::{Entrance, Form, LOOKED_AT, Restored};
pub use error::DeadLetterError;
pub use letter::{Sender, Why, position};
pub use lock::{Locked, lock};
pub use paths::{ReplayPaths, folder_of};
pub use source::LettersSource;
pub use topic::LETTER_COLUMN;
