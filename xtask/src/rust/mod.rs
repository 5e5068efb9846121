//! The modules of the repository's crates, as far as the checks of their shape need them. Test code is left out.

mod modules;
mod parse;
mod tokens;

pub(crate) use self::modules::{Crate, Found};
pub(crate) use self::parse::test_lines;
