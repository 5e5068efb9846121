//! Debian's packages of a compiler for wasm: the version that apt offers, and downloading its files to a folder.
//!
//! `rustc-web` contains a recent compiler, and `rust-web-src` the source of its standard library. Nothing is installed; only
//! updating apt's lists needs root.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};
use crate::toolchain::{OLDEST, Version};

const COMPILER: &str = "rustc-web";
const SOURCE: &str = "rust-web-src";

/// Fails if this is not Debian, or lacks a C compiler.
pub(crate) fn check_tools() -> Result<()> {
    for (tool, package) in [("apt-get", "apt"), ("apt-cache", "apt"), ("dpkg", "dpkg"), ("cc", "gcc")] {
        if !shell::exists(tool) {
            bail!("`{tool}` is missing (Debian's package `{package}`)");
        }
    }
    Ok(())
}

/// The version that apt would install, if apt has lists and this version can build guests.
pub(crate) fn candidate(workspace: &Workspace) -> Option<String> {
    offered(workspace).filter(|version| is_new_enough(version))
}

/// The same after fetching apt's lists, which were missing or outdated.
pub(crate) fn candidate_of_new_lists(workspace: &Workspace) -> Result<String> {
    update_lists(workspace).with_context(|| describe(offered(workspace).as_deref()))?;
    candidate(workspace).with_context(|| {
        format!(
            "{}: check that apt's sources include Debian's security archive",
            describe(offered(workspace).as_deref())
        )
    })
}

fn offered(workspace: &Workspace) -> Option<String> {
    // In other languages the line does not begin with `Candidate`.
    let policy = shell::output(workspace.command("apt-cache").env("LC_ALL", "C").args(["policy", COMPILER])).ok()?;
    parse_candidate(&policy).map(str::to_owned)
}

fn parse_candidate(policy: &str) -> Option<&str> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?.trim();
    (version != "(none)").then_some(version)
}

fn is_new_enough(version: &str) -> bool {
    Version::parse(version).is_some_and(|version| version >= OLDEST)
}

/// What apt offers, for the beginning of a message.
fn describe(version: Option<&str>) -> String {
    match version {
        Some(version) => format!("apt offers `{COMPILER}` {version}, but guests need {OLDEST} or later"),
        None => format!("apt offers no package `{COMPILER}`"),
    }
}

fn update_lists(workspace: &Workspace) -> Result<()> {
    if shell::output(workspace.command("id").arg("-u"))?.trim() != "0" {
        bail!("only root can update apt's lists: run `apt-get update` as root, and repeat this command");
    }
    shell::run(workspace.command("apt-get").args(["-q", "update"])).context("could not update apt's lists")
}

/// Downloads the packages and their missing dependencies, and unpacks them into `folder/unpacked`.
pub(crate) fn download(workspace: &Workspace, folder: &Path) -> Result<()> {
    let packages = folder.join("packages");
    let root = folder.join("unpacked");
    fs::create_dir_all(packages.join("partial"))?;
    fs::create_dir_all(&root)?;
    let user = shell::output(workspace.command("id").arg("-un"))?;
    shell::output(
        workspace
            .command("apt-get")
            .args(["-qq", "-y", "-o", &format!("Dir::Cache::archives={}", packages.display())])
            // Without root, apt's own lock cannot be taken; the cache's lock replaces it.
            .args(["-o", "Debug::NoLocking=1", "-o", &format!("APT::Sandbox::User={}", user.trim())])
            .args(["--download-only", "--no-install-recommends", "install", COMPILER, SOURCE]),
    )?;
    for entry in packages.read_dir()?.flatten() {
        if entry.path().extension() == Some(OsStr::new("deb")) {
            shell::run(workspace.command("dpkg").arg("-x").arg(entry.path()).arg(&root))?;
        }
    }
    fs::remove_dir_all(&packages)?;
    if !root.join("usr/bin/rustc").is_file() {
        bail!("apt downloaded no compiler: if `{COMPILER}` is installed, remove it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidate_is_read_from_apt() {
        let policy = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0+dfsg1-1~deb12u2\n  Version table:\n";
        assert_eq!(parse_candidate(policy), Some("1.96.0+dfsg1-1~deb12u2"));
        assert_eq!(parse_candidate("rustc-web:\n  Installed: (none)\n  Candidate: (none)\n"), None);
        assert_eq!(parse_candidate(""), None);
    }

    #[test]
    fn an_old_compiler_is_not_taken() {
        assert!(is_new_enough("1.96.0+dfsg1-1~deb12u2"));
        assert!(!is_new_enough("1.85.0+dfsg3-1~deb12u3"));
        assert!(!is_new_enough("(none)"));
    }
}
