//! `cargo xtask minimum-rust` and `public-api`: checks of promises that a release makes.

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};

const SEMVER_CHECKS: &str = "cargo-semver-checks";

/// Checks the workspace with the oldest compiler that its manifest allows. rustup fetches it.
pub(crate) fn minimum_rust(workspace: &Workspace) -> Result<()> {
    let manifest = std::fs::read_to_string(workspace.path("Cargo.toml")).context("Cargo.toml")?;
    let version = rust_version(&manifest).context("Cargo.toml: no `rust-version = \"…\"`")?;
    shell::run(workspace.command("rustup").args(["toolchain", "install", version, "--profile", "minimal"]))?;
    let cargo = ["run", version, "cargo", "check", "--locked", "--workspace", "--all-targets"];
    shell::run(workspace.command("rustup").args(cargo))
}

/// The value of the key in the workspace's manifest.
fn rust_version(manifest: &str) -> Option<&str> {
    manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
}

/// Compares the public items of all crates with those of the previous release: the changes must fit the new version.
pub(crate) fn public_api(workspace: &Workspace) -> Result<()> {
    // The tag of this commit belongs to the release that is being made.
    let list = ["tag", "--list", "v[0-9]*", "--merged", "HEAD", "--no-contains", "HEAD", "--sort=-version:refname"];
    let tags = shell::output(workspace.command("git").args(list))?;
    let Some(before) = tags.lines().next() else {
        println!("skipped: no tag `v…` of an earlier release to compare with (a shallow clone has no tags)");
        return Ok(());
    };
    if !shell::exists(SEMVER_CHECKS) {
        bail!("`{SEMVER_CHECKS}` is missing: cargo install --locked {SEMVER_CHECKS}");
    }
    println!("comparing with {before}");
    shell::run(workspace.cargo().args(["semver-checks", "--workspace", "--baseline-rev", before]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_is_read_from_the_manifest() {
        let manifest = std::fs::read_to_string(Workspace::here().path("Cargo.toml")).unwrap();
        let version = rust_version(&manifest).unwrap();
        assert!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{version}");
        assert_eq!(rust_version("[workspace]\nrust-version.workspace = true\n"), None);
    }
}
