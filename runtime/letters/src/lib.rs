//! Dead letters: records that failed, kept with what is needed to find out why and to run them again.
//!
//! **[`DeadLetters`]** writes them: to a file as lines of JSON, or to a topic as messages with the error in their headers. A
//! [`Sender`] says what all letters of one source, stage or sink say alike, and [`Why`] what was wrong with a record.
//!
//! **[`ReplayPaths`]** names the files beside a file of letters while they are replayed, and [`lock`] lets one at a time have a file.
//!
//! **[`Entrance`]** makes records of letters, with their system columns: a source's as bytes for its format, a stage's or sink's as what
//! it had received. [`LettersSource`] reads the letters of a [`weir_plan::LettersPlan`] as a source.
//!
//! The letter itself, its two forms and their readers are in `weir_state`: [`weir_state::Letter`].

mod dead_letters;
mod entrance;
mod error;
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
