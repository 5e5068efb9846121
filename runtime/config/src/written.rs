//! A text with its place.

use serde::{Deserialize, Serialize};

use crate::problem::Place;

/// A text of the file and its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Where it is.
    pub place: Place,
    /// The text.
    pub text: String,
}
