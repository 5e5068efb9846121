//! Turns Debian's files into a compiler for wasm: a wrapper, a linker, and a standard library, which is built once.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::guests::without_inherited_flags;
use crate::shell::{self, Workspace};
use crate::toolchain::TARGET;

/// The script finds its own folder, which is renamed when it is complete. The libraries are not where the dynamic linker looks.
const WRAPPER: &str = r#"#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
for libraries in "$here"/unpacked/usr/lib/*-linux-gnu*; do break; done
LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/unpacked/usr/bin/rustc" "$@"
"#;

/// An empty crate: building it with `-Zbuild-std` builds the standard library.
const EMPTY_CRATE: &str = "[package]\nname = \"sysroot\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";

/// Writes `folder/bin/rustc` for the compiler in `folder/unpacked`.
pub(crate) fn write_wrapper(folder: &Path) -> Result<PathBuf> {
    let wrapper = folder.join("bin/rustc");
    fs::create_dir_all(folder.join("bin"))?;
    fs::write(&wrapper, WRAPPER)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(wrapper)
}

/// Debian's compiler does not include the linker that it calls for wasm, so the one of this machine's rustc is used. Calling this
/// again repairs a link to a toolchain that has been removed.
pub(crate) fn link_linker(workspace: &Workspace, folder: &Path) -> Result<()> {
    let hosts = folder.join("unpacked/usr/lib/rustlib");
    let entries = hosts.read_dir().with_context(|| format!("could not list {}", hosts.display()))?;
    for host in entries.flatten() {
        if !host.file_name().to_string_lossy().contains("-linux-") {
            continue;
        }
        let link = host.path().join("bin/rust-lld");
        if link.exists() {
            continue;
        }
        let mut sysroot = workspace.command("rustc");
        let sysroot = shell::output(sysroot.args(["--print", "sysroot"])).unwrap_or_default();
        let beside_rustc = Path::new(sysroot.trim()).join("lib/rustlib").join(host.file_name()).join("bin/rust-lld");
        let linker = [beside_rustc, PathBuf::from("/usr/bin/rust-lld"), PathBuf::from("/usr/bin/lld")]
            .into_iter()
            .find(|path| path.is_file())
            .context("no linker for wasm next to rustc or in /usr/bin: install Debian's package `lld`")?;
        fs::create_dir_all(host.path().join("bin"))?;
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        symlink(&linker, &link).with_context(|| format!("could not link {}", link.display()))?;
    }
    Ok(())
}

/// Builds the standard library from the packaged source, and copies it to where the compiler looks. Needs no network, because its
/// dependencies are vendored.
pub(crate) fn build_std(workspace: &Workspace, folder: &Path, rustc: &Path) -> Result<()> {
    let usr = folder.join("unpacked/usr");
    let vendored = usr
        .join("src")
        .read_dir()?
        .flatten()
        .map(|entry| entry.path().join("library/vendor"))
        .find(|path| path.is_dir())
        .context("the packages contain no source of the standard library")?;
    let build = folder.join("build");
    let target = build.join("target");
    fs::create_dir_all(build.join("src"))?;
    fs::write(build.join("Cargo.toml"), EMPTY_CRATE)?;
    fs::write(build.join("src/lib.rs"), "")?;

    let mut cargo = without_inherited_flags(workspace.cargo());
    cargo
        .current_dir(&build)
        // Both compiler and cargo are stable releases, and building std is a nightly feature.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", rustc)
        .env("CARGO_TARGET_DIR", &target)
        // Guests are built with link-time optimisation, which needs bitcode in the rlibs.
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Cembed-bitcode=yes")
        .args(["build", "--quiet", "--offline", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"])
        .args(["--config", "source.crates-io.replace-with='vendored'"])
        .args(["--config", &format!("source.vendored.directory='{}'", vendored.display())]);
    shell::run(&mut cargo)?;

    let library = usr.join("lib/rustlib").join(TARGET).join("lib");
    fs::create_dir_all(&library)?;
    for entry in target.join(TARGET).join("release/deps").read_dir()?.flatten() {
        let path = entry.path();
        let own = entry.file_name().to_string_lossy().starts_with("libsysroot-");
        if !own && path.extension() == Some(OsStr::new("rlib")) {
            fs::copy(&path, library.join(entry.file_name()))?;
        }
    }
    fs::remove_dir_all(&build)?;
    fs::remove_dir_all(usr.join("src"))?;
    Ok(())
}
