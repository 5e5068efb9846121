//! Which letters are meant.

use std::collections::BTreeSet;

use super::Letter;

/// Which letters are meant; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LetterFilter {
    /// Of this source or stage.
    pub place: Option<String>,
    /// With this code.
    pub code: Option<String>,
    /// With one of these numbers.
    pub only: Option<BTreeSet<u64>>,
}

impl LetterFilter {
    /// Whether a letter is meant.
    pub fn admits(&self, number: u64, letter: &Letter) -> bool {
        self.place.as_ref().is_none_or(|place| *place == letter.place)
            && self.code.as_ref().is_none_or(|code| *code == letter.code)
            && self.only.as_ref().is_none_or(|only| only.contains(&number))
    }
}
