//! One file a command.

mod again;
pub(crate) mod check;
pub(crate) mod dead_letters;
mod files;
pub(crate) mod generate;
pub(crate) mod inspect;
mod named;
pub(crate) mod new;
#[cfg(feature = "redteam")]
pub(crate) mod redteam;
#[cfg(not(feature = "redteam"))]
#[path = "redteam_absent.rs"]
pub(crate) mod redteam;
pub(crate) mod run;
mod running;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod steer;
mod summary;
pub(crate) mod top;
pub(crate) mod try_out;
pub(crate) mod workers;
