//! Where code lies.

#[cfg(feature = "bincode")]
use bincode::{Decode, Encode};

/// Where code lies in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "bincode", derive(Encode, Decode))]
pub struct CodePlace {
    /// Bytes from the window's begin; a multiple of the page size.
    pub offset: u64,
    /// Length of the code in bytes.
    pub bytes: u64,
}
