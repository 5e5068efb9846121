//! The compiler of guests: a rustc whose standard library for `wasm32-unknown-unknown` is there.
//!
//! It is searched in this order, without downloading anything: `$WEIR_GUEST_RUSTC`, `rustc`, the cache's rustc, `/usr/bin/rustc`.
//! If none has the target, rustup is asked to add it; if that fails too, Debian's packages are used ([`crate::provision`]).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::shell::{self, Workspace};

/// The target of guests.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// The oldest compiler that builds the guests: `rust-version` of the workspace.
pub(crate) const OLDEST: Version = Version { major: 1, minor: 95 };

/// The version of a compiler.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    major: u32,
    minor: u32,
}

impl Version {
    /// Reads the beginning of `1.96.0 (…)` or `1.96.0+dfsg1-1~deb12u2`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        Some(Self { major: parts.next()?.parse().ok()?, minor: parts.next()?.parse().ok()? })
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

/// The allowed ways of getting a missing compiler: `$WEIR_WASM_TOOLCHAIN`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Any,
    Rustup,
    Debian,
}

impl Way {
    fn parse(value: Option<&str>) -> Result<Self> {
        match value {
            None | Some("") => Ok(Self::Any),
            Some("rustup") => Ok(Self::Rustup),
            Some("debian") => Ok(Self::Debian),
            Some(other) => bail!(
                "unsupported value `{other}` for WEIR_WASM_TOOLCHAIN (expected `debian` or `rustup`, or unset it)"
            ),
        }
    }

    fn from_environment() -> Result<Self> {
        Self::parse(std::env::var("WEIR_WASM_TOOLCHAIN").ok().as_deref())
    }
}

/// `cargo xtask toolchain`: prints the path of the guests' compiler.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("{}", rustc(workspace)?.display());
    Ok(())
}

/// The compiler for guests; provisions it if it is missing.
pub(crate) fn rustc(workspace: &Workspace) -> Result<PathBuf> {
    // A compiler that the user names is used or refused: using another one would hide a mistake.
    if let Some(named) = std::env::var_os("WEIR_GUEST_RUSTC").filter(|value| !value.is_empty()) {
        let named = PathBuf::from(named);
        probe(workspace, &named)
            .with_context(|| format!("WEIR_GUEST_RUSTC={} cannot build guests", named.display()))?;
        return Ok(named);
    }
    let way = Way::from_environment()?;
    let cache = Cache::from_environment()?;
    if way == Way::Debian {
        return cache.find_or_provision(workspace);
    }

    let mut refusals = Vec::new();
    let cached = if way == Way::Any { cache.newest(workspace) } else { None };
    for candidate in [Some(PathBuf::from("rustc")), cached, Some(PathBuf::from("/usr/bin/rustc"))].into_iter().flatten()
    {
        match probe(workspace, &candidate) {
            Ok(()) => return Ok(candidate),
            Err(refusal) => refusals.push(format!("{}: {refusal:#}", candidate.display())),
        }
    }
    match ask_rustup(workspace) {
        Ok(()) => return Ok(PathBuf::from("rustc")),
        Err(refusal) => refusals.push(format!("rustup: {refusal:#}")),
    }
    if way == Way::Any {
        match cache.find_or_provision(workspace) {
            Ok(rustc) => return Ok(rustc),
            Err(refusal) => refusals.push(format!("Debian's packages: {refusal:#}")),
        }
    }
    bail!(
        "no compiler for {TARGET} was found or could be provisioned; run `rustup target add {TARGET}`\n  {}",
        refusals.join("\n  ")
    )
}

/// Checks that a compiler can build guests. rustc prints the folder's path even if it is missing, so check its contents.
pub(crate) fn probe(workspace: &Workspace, rustc: &Path) -> Result<()> {
    let about = shell::output(workspace.command(rustc).arg("-vV"))?;
    let release = about.lines().find_map(|line| line.strip_prefix("release: ")).unwrap_or_default();
    match Version::parse(release) {
        Some(version) if version >= OLDEST => {}
        _ => bail!("its version is {release}, but guests need {OLDEST} or later"),
    }
    let folder = shell::output(workspace.command(rustc).args(["--print", "target-libdir", "--target", TARGET]))?;
    if !holds_core(Path::new(folder.trim())) {
        bail!("it has no standard library for {TARGET}");
    }
    Ok(())
}

fn holds_core(folder: &Path) -> bool {
    let Ok(entries) = folder.read_dir() else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

fn ask_rustup(workspace: &Workspace) -> Result<()> {
    if !shell::exists("rustup") {
        bail!("it is not installed");
    }
    eprintln!("the target for guests is missing: running rustup target add {TARGET}");
    shell::run(workspace.command("rustup").args(["target", "add", TARGET]))?;
    // `rustc` in the PATH may not be rustup's.
    probe(workspace, Path::new("rustc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_rustc_and_from_debian() {
        for (text, expected) in [
            ("1.96.0", Some(Version { major: 1, minor: 96 })),
            ("1.95.0-nightly (abc 2026-01-01)", Some(Version { major: 1, minor: 95 })),
            ("1.96.0+dfsg1-1~deb12u2", Some(Version { major: 1, minor: 96 })),
            ("(none)", None),
            ("", None),
            ("1", None),
        ] {
            assert_eq!(Version::parse(text), expected, "{text}");
        }
        assert!(Version { major: 1, minor: 100 } > OLDEST);
        assert!(Version { major: 1, minor: 85 } < OLDEST);
    }

    #[test]
    fn the_oldest_compiler_is_the_one_that_the_workspace_names() {
        let manifest = std::fs::read_to_string(Workspace::here().path("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("rust-version = \"{OLDEST}\"")));
    }

    #[test]
    fn an_unknown_way_is_refused() {
        assert_eq!(Way::parse(None).unwrap(), Way::Any);
        assert_eq!(Way::parse(Some("debian")).unwrap(), Way::Debian);
        assert_eq!(
            Way::parse(Some("Debian")).unwrap_err().to_string(),
            "unsupported value `Debian` for WEIR_WASM_TOOLCHAIN (expected `debian` or `rustup`, or unset it)"
        );
    }

    #[test]
    fn a_program_that_is_no_compiler_is_refused() {
        assert!(probe(&Workspace::here(), Path::new("/bin/true")).is_err());
        assert!(probe(&Workspace::here(), Path::new("weir-no-such-rustc")).is_err());
    }
}
