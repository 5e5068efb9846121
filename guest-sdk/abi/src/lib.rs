//! The constants that the Weir host and its guests share: names of imports and exports, codes of types and statuses.
//!
//! `guest-sdk/ABI.md` describes the ABI itself and each of its functions. This crate has no dependencies, and is the only code that
//! both sides link.
#![no_std]
#![forbid(unsafe_code)]

mod names;
mod status;

pub use names::{
    ABI_VERSION, CALL_PREFIX, COMMAND, IMPORT_MODULE, INIT_PREFIX, INITIALIZERS, MANIFEST_SECTION, MEMORY,
    NAME_LEN_MAX, WINDOW_ROWS,
};
pub use status::Status;
