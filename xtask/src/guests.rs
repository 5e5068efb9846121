//! `cargo xtask guests`: compiles the example guests to wasm.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};
use crate::toolchain::{self, TARGET};

/// The target folder of the guests. It does not depend on `CARGO_TARGET_DIR`, because query files and tests name its modules.
const TARGET_FOLDER: &str = "target/guests";

/// Builds the guests and lists their modules.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    for module in build(workspace)? {
        let bytes = module.metadata().with_context(|| format!("could not read {}", module.display()))?.len();
        println!("{:>8} bytes  {}", bytes, module.display());
    }
    Ok(())
}

/// Builds the guests and returns their modules' paths, in order.
pub(crate) fn build(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    compile(workspace, &[])?;
    modules(workspace)
}

/// Builds a single guest, which takes a third of the time of all.
pub(crate) fn build_one(workspace: &Workspace, package: &str) -> Result<()> {
    compile(workspace, &["--package", package])
}

fn compile(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    let rustc = toolchain::rustc(workspace)?;
    eprintln!("building guests with {}", rustc.display());
    let mut cargo = without_inherited_flags(workspace.cargo());
    cargo
        .current_dir(workspace.path("udfs"))
        .env("RUSTC", &rustc)
        .env("CARGO_TARGET_DIR", workspace.path(TARGET_FOLDER))
        .args(["build", "--locked", "--release", "--target", TARGET])
        .args(packages);
    shell::run(&mut cargo)
}

fn modules(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let folder = workspace.path(TARGET_FOLDER).join(TARGET).join("release");
    let entries = folder.read_dir().with_context(|| format!("could not list {}", folder.display()))?;
    let mut modules: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    modules.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    modules.sort();
    if modules.is_empty() {
        bail!("{} holds no module: is a guest in udfs/ a `cdylib`?", folder.display());
    }
    Ok(modules)
}

/// A cargo for another compiler and target: flags for the host must not apply.
pub(crate) fn without_inherited_flags(mut cargo: Command) -> Command {
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    cargo.env_remove("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS");
    cargo
}
