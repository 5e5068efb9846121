//! The example guests, as `cargo xtask guests` builds them.

use std::path::{Path, PathBuf};

/// What the functions of the `echo` guest take, one field of each type, as a query file has it.
pub const ECHO_SCHEMA: &str = r#"{ b = "bool?", i8 = "i8?", i16 = "i16?", i32 = "i32?", i64 = "i64?", f = "f64?", s = "utf8?", y = "binary?", t = "timestamp?" }"#;

/// A query file that counts the texts of JSON lines at `path`: through these stages, with these further keys of `[delivery]`.
pub fn query_of_texts(name: &str, tenant: &str, path: &str, stages: &str, delivery: &str) -> String {
    format!(
        r#"name = "{name}"
tenant = "{tenant}"
[sources.in]
kind = "file"
path = "{path}"
format = "json_lines"
schema = {ECHO_SCHEMA}
{stages}
[sinks.out]
kind = "count"
[delivery]
commit_ms = 20
{delivery}
[batching]
delay_ms_max = 10
"#
    )
}

/// A stage of this name, with a function of the `echo` guest.
///
/// # Panics
///
/// If the guest is not built.
pub fn echo_stage(name: &str, function: &str) -> String {
    let module = guest_path("echo").expect("the echo guest");
    format!("[[stages]]\nname = \"{name}\"\nmodule = {module:?}\nfunction = \"{function}\"\n")
}

/// A guest that is not built, or cannot be read.
#[derive(Debug)]
pub struct GuestMissing {
    path: PathBuf,
    source: std::io::Error,
}

impl std::fmt::Display for GuestMissing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, source) = (self.path.display(), &self.source);
        write!(
            f,
            "cannot find {path}: {source}; `cargo xtask guests` builds guests, `cargo xtask test` sets up everything"
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

/// The compiler of guests: `WEIR_GUEST_RUSTC`, which `cargo xtask test` sets, else `rustc` where it has the target. A test
/// sets up none.
///
/// # Errors
///
/// If there is none.
pub fn guest_rustc() -> Result<PathBuf, GuestMissing> {
    if let Some(path) = std::env::var_os("WEIR_GUEST_RUSTC") {
        return Ok(path.into());
    }
    let missing = |source| GuestMissing { path: "rustc for wasm32-unknown-unknown".into(), source };
    let mut command = std::process::Command::new("rustc");
    let output = command.args(["--print", "target-libdir", "--target", "wasm32-unknown-unknown"]).output();
    let folder = String::from_utf8_lossy(&output.map_err(missing)?.stdout).trim().to_owned();
    // The folder's path prints even when it is missing, so its contents decide.
    let mut entries = std::fs::read_dir(folder).map_err(missing)?.flatten();
    let core = entries.any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"));
    if core { Ok("rustc".into()) } else { Err(missing(std::io::ErrorKind::NotFound.into())) }
}
