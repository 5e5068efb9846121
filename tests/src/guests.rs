//! The example guests, as `cargo xtask guests` builds them.

use std::path::{Path, PathBuf};

/// A guest that is not built, or cannot be read.
#[derive(Debug)]
pub struct GuestMissing {
    path: PathBuf,
    source: std::io::Error,
}

impl std::fmt::Display for GuestMissing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot read the guest {}: {}; run `cargo xtask guests` to build it", self.path.display(), self.source)
    }
}

impl std::error::Error for GuestMissing {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// The bytes of the example guest `name`, such as `flights`.
///
/// # Errors
///
/// If it is not built.
pub fn guest_module(name: &str) -> Result<Vec<u8>, GuestMissing> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/guests/wasm32-unknown-unknown/release")
        .join(format!("{name}.wasm"));
    std::fs::read(&path).map_err(|source| GuestMissing { path, source })
}
