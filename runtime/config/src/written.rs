//! A text with its place.

use serde::{Deserialize, Serialize};

use crate::problem::KeyPlace;

/// A text of the file and its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrittenText {
    /// Where it is.
    pub place: KeyPlace,
    /// The text.
    pub text: String,
}
