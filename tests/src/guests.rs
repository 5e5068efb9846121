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
        write!(
            f,
            "cannot read the guest {}: {}; run `cargo xtask guests` to build it",
            self.path.display(),
            self.source
        )
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
    let path = guest_path(name)?;
    std::fs::read(&path).map_err(|source| GuestMissing { path, source })
}

/// The file of the example guest `name`.
///
/// # Errors
///
/// If it is not built.
pub fn guest_path(name: &str) -> Result<PathBuf, GuestMissing> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/guests/wasm32-unknown-unknown/release")
        .join(format!("{name}.wasm"));
    path.canonicalize().map_err(|source| GuestMissing { path, source })
}

/// The compiler of guests: `WEIR_GUEST_RUSTC`, or what `cargo xtask toolchain` finds.
///
/// # Errors
///
/// If there is none.
pub fn guest_rustc() -> Result<PathBuf, GuestMissing> {
    if let Some(path) = std::env::var_os("WEIR_GUEST_RUSTC") {
        return Ok(path.into());
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = std::process::Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let output = command.args(["xtask", "toolchain"]).current_dir(root).output();
    let missing = |source| GuestMissing { path: "cargo xtask toolchain".into(), source };
    let output = output.map_err(missing)?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || path.is_empty() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(missing(std::io::Error::other(said)));
    }
    Ok(path.into())
}
