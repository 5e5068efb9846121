//! `cargo xtask dist`: a tarball with the program, its completions and its man pages.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::shell::{self, Workspace};

const FOLDER: &str = "target/dist-package";

/// The folder in which each shell looks for completions, below an installation prefix.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "share/bash-completion/completions/weir"),
    ("zsh", "share/zsh/site-functions/_weir"),
    ("fish", "share/fish/vendor_completions.d/weir.fish"),
];

/// Builds with the profile `dist`, and packs everything that belongs below a prefix such as `/usr/local`. Prints the tarball's
/// path.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    shell::run(workspace.cargo().args(["build", "--locked", "--profile", "dist", "--package", "weir-cli"]))?;
    let program = workspace.path("target/dist/weir");
    let version = shell::output(workspace.command(&program).arg("--version"))?;
    let version = version.split_whitespace().last().context("`weir --version` printed nothing")?.to_owned();
    let name = format!("weir-{version}-{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let folder = workspace.path(FOLDER);
    let package = folder.join(&name);
    if package.exists() {
        fs::remove_dir_all(&package).with_context(|| package.display().to_string())?;
    }
    copy(&program, &package.join("bin/weir"))?;
    for page in ["README.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"] {
        copy(&workspace.path(page), &package.join("share/doc/weir").join(page))?;
    }
    for (shell, place) in COMPLETIONS {
        let text = shell::output(workspace.command(&program).args(["generate", "completions", shell]))?;
        write(&package.join(place), text.as_bytes())?;
    }
    let pages = package.join("share/man/man1");
    fs::create_dir_all(&pages).with_context(|| pages.display().to_string())?;
    shell::run(workspace.command(&program).args(["generate", "man"]).arg(&pages))?;
    let tarball = folder.join(format!("{name}.tar.gz"));
    let mut tar = workspace.command("tar");
    // The result depends only on the tree, not on who packs it.
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "-czf"]);
    shell::run(tar.arg(&tarball).arg("-C").arg(&folder).arg(&name))?;
    println!("{}", tarball.display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    write(to, &fs::read(from).with_context(|| from.display().to_string())?)?;
    fs::set_permissions(to, fs::metadata(from)?.permissions()).with_context(|| to.display().to_string())
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    fs::write(path, bytes).with_context(|| path.display().to_string())
}
