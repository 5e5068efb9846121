//! End to end tests of Weir, and what they share.

mod guests;

pub use guests::{GuestMissing, guest_module, guest_path, guest_rustc};
