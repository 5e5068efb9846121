//! Set-up and development commands: `cargo xtask help`.
fn main() {}
