//! The constants that a Weir host and a Weir guest share: import and export names, type and status codes.
//!
//! The contract itself, with what each function does, is `guest-sdk/ABI.md`. This crate depends on nothing,
//! knows nothing of either side, and is the only code that both sides link.
#![no_std]
#![forbid(unsafe_code)]

mod names;
mod status;

pub use names::{
    ABI_VERSION, CALL_PREFIX, COMMAND, IMPORT_MODULE, INIT_PREFIX, INITIALIZERS, MANIFEST_SECTION, MEMORY,
    NAME_LEN_MAX, WINDOW_ROWS,
};
pub use status::Status;
