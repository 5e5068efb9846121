//! Dead letters as files and as records again: what a run and a replay share.
//!
//! [`ReplayPaths`] names the files beside a file of letters, and [`lock`] lets one at a time have it. [`Entrance`] makes records of
//! letters, with their system columns: a source's as bytes for its format, a stage's or sink's as what it had received.
//! [`LettersSource`] reads them as a source.

mod entrance;
mod lock;
mod paths;
mod source;
mod system;

pub(crate) use entrance::{Entrance, Form, LOOKED_AT};
pub(crate) use lock::{Locked, lock};
pub(crate) use paths::{ReplayPaths, folder_of};
pub(crate) use source::LettersSource;
pub(crate) use system::headers_column;
#[cfg(test)]
pub(crate) use system::system_columns;
