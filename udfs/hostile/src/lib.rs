//! Guests that attack their host, one attack a file. Knows nothing of the host: what it must withstand is stated from
//! the contract (`guest-sdk/ABI.md`) alone.

mod attack;
mod target;

pub use attack::{Attack, Class, Expect};
pub use target::Target;
