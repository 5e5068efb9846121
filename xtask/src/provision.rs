//! Creates a compiler for guests from Debian's packages, for machines whose rustup cannot fetch the target.
//!
//! The packages are downloaded to a folder of the cache and unpacked. The standard library for wasm, which they contain as source,
//! is built once. This takes two to three minutes. The folder's name contains the packages' version, and it gets this name when it
//! is complete.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;

use crate::cache::Cache;
use crate::shell::Workspace;
use crate::toolchain::{TARGET, Version, probe};
use crate::{debian, sysroot};

const FINISHED: &str = "wasm-toolchain-";
const UNFINISHED: &str = "unfinished-";

impl Cache {
    /// The compiler with the highest version in the cache. Downloads nothing, and does not use apt.
    pub(crate) fn newest(&self, workspace: &Workspace) -> Option<PathBuf> {
        let names =
            self.folder.read_dir().ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let newest = names
            .filter(|name| name.starts_with(FINISHED))
            .max_by_key(|name| (Version::parse(name.trim_start_matches(FINISHED)), name.clone()))?;
        let toolchain = self.folder.join(newest);
        if let Err(error) = sysroot::link_linker(workspace, &toolchain) {
            eprintln!("{}: {error:#}", toolchain.display());
        }
        Some(toolchain.join("bin/rustc"))
    }

    /// The cached compiler of the version that apt offers; provisions it if it is missing.
    pub(crate) fn find_or_provision(&self, workspace: &Workspace) -> Result<PathBuf> {
        let _lock = self.lock("wasm-toolchain.lock", "the wasm toolchain")?;
        let Some(version) = debian::candidate(workspace) else {
            // Without usable lists, use a compiler of any version.
            if let Some(rustc) = self.newest(workspace).filter(|rustc| probe(workspace, rustc).is_ok()) {
                return Ok(rustc);
            }
            return self.provision(workspace);
        };
        let toolchain = self.folder.join(folder_name(&version));
        let rustc = toolchain.join("bin/rustc");
        if toolchain.is_dir() {
            match sysroot::link_linker(workspace, &toolchain).and_then(|()| probe(workspace, &rustc)) {
                Ok(()) => return Ok(rustc),
                Err(refusal) => eprintln!("replacing {}: {refusal:#}", toolchain.display()),
            }
        }
        self.provision(workspace)
    }

    /// Downloads, unpacks and builds. Call it with the lock held.
    fn provision(&self, workspace: &Workspace) -> Result<PathBuf> {
        let start = Instant::now();
        debian::check_tools()?;
        let mut version = match debian::candidate(workspace) {
            Some(version) => version,
            None => debian::candidate_of_new_lists(workspace)?,
        };
        eprintln!(
            "provisioning a compiler for {TARGET} from Debian's packages {version} (once; takes two to three minutes)"
        );

        self.remove_unfinished(UNFINISHED)?;
        let unfinished = self.folder.join(format!("{UNFINISHED}{}", std::process::id()));
        if let Err(failure) = debian::download(workspace, &unfinished) {
            // Outdated lists name packages that are no longer in the archive.
            eprintln!("{failure:#}; retrying with updated lists");
            version = debian::candidate_of_new_lists(workspace)?;
            debian::download(workspace, &unfinished)?;
        }
        eprintln!("  downloaded and unpacked after {:.0} s", start.elapsed().as_secs_f64());
        let rustc = sysroot::write_wrapper(&unfinished)?;
        sysroot::link_linker(workspace, &unfinished)?;
        sysroot::build_std(workspace, &unfinished, &rustc)?;
        probe(workspace, &rustc)?;

        let finished = self.folder.join(folder_name(&version));
        if finished.is_dir() {
            fs::remove_dir_all(&finished)?;
        }
        fs::rename(&unfinished, &finished)?;
        eprintln!("  {} is ready after {:.0} s", finished.display(), start.elapsed().as_secs_f64());
        Ok(finished.join("bin/rustc"))
    }
}

/// A version without characters that are special in paths.
fn folder_name(version: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+' | '~');
    format!("{FINISHED}{}", version.replace(|letter| !plain(letter), "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_becomes_one_name_of_a_folder() {
        assert_eq!(folder_name("1.96.0+dfsg1-1~deb12u2"), "wasm-toolchain-1.96.0+dfsg1-1~deb12u2");
        assert_eq!(folder_name("1:2/../3"), "wasm-toolchain-1_2_.._3");
    }
}
