//! What a file says of one key.

use serde::{Deserialize, Serialize};

use crate::problem::KeyPlace;

/// What a file says of one key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Setting<T> {
    /// Where the key is; `None` where the file leaves it out.
    pub place: Option<KeyPlace>,
    /// The value, or the default of a key that is left out. `None` where there is no default, or where the value is
    /// wrong, which has been reported.
    pub value: Option<T>,
}

impl<T> Setting<T> {
    /// Whether the file has the key.
    pub fn is_given(&self) -> bool {
        self.place.is_some()
    }

    /// Whether the file has the key with a value that cannot be used.
    pub fn is_wrong(&self) -> bool {
        self.is_given() && self.value.is_none()
    }

    /// The key's place, or that of what it would be a part of.
    pub fn place_or<'a>(&'a self, other: &'a KeyPlace) -> &'a KeyPlace {
        self.place.as_ref().unwrap_or(other)
    }

    /// The place and value of a key that the file has.
    pub fn given(&self) -> Option<(&KeyPlace, &T)> {
        self.place.as_ref().zip(self.value.as_ref())
    }
}
