//! A compiler of guests made from Debian's packages, for machines whose rustup cannot fetch the target.
//!
//! Debian's `rustc-web` has a recent compiler and `rust-web-src` its standard library's source, but nothing built for wasm. Both are
//! downloaded into a folder of the cache (nothing is installed, root is needed for apt's lists only), unpacked, and the standard library
//! is built once. It takes two to three minutes. The folder is named after the packages' version, and gets that name only when it is whole.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};
use crate::toolchain::{OLDEST, TARGET, Version, probe};

const COMPILER: &str = "rustc-web";
const SOURCE: &str = "rust-web-src";
const FINISHED: &str = "wasm-toolchain-";
const UNFINISHED: &str = "unfinished-";

/// It finds its own folder, which is renamed once it is whole. Its libraries are not where the dynamic linker looks.
const WRAPPER: &str = r#"#!/bin/sh
here=$(dirname "$(dirname "$(readlink -f "$0")")")
for libraries in "$here"/root/usr/lib/*-linux-gnu*; do break; done
LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}" exec "$here/root/usr/bin/rustc" "$@"
"#;

/// An empty crate: building it with `-Zbuild-std` builds the standard library.
const EMPTY_CRATE: &str = "[package]\nname = \"sysroot\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n";

/// The folder that holds provisioned compilers, one a version.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// `$XDG_CACHE_HOME/weir`, or `~/.cache/weir`.
    pub(crate) fn from_environment() -> Result<Self> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        // The specification of these folders says that a relative path must be ignored.
        let base = set("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| Some(set("HOME")?.join(".cache")))
            .context("neither XDG_CACHE_HOME nor HOME is set, so there is no cache folder")?;
        Ok(Self { folder: base.join("weir") })
    }

    /// The compiler of the highest version in the cache. Nothing is downloaded, and apt is not asked.
    pub(crate) fn newest(&self) -> Option<PathBuf> {
        let names =
            self.folder.read_dir().ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let newest = names
            .filter(|name| name.starts_with(FINISHED))
            .max_by_key(|name| (Version::parse(name.trim_start_matches(FINISHED)), name.clone()))?;
        let toolchain = self.folder.join(newest);
        // A rustup toolchain that was removed since would leave the link to its linker dangling.
        if let Err(error) = link_linker(&toolchain.join("root/usr")) {
            eprintln!("{}: {error:#}", toolchain.display());
        }
        Some(toolchain.join("bin/rustc"))
    }

    /// The cached compiler of the version that apt offers, which is provisioned if it is missing.
    pub(crate) fn find_or_provision(&self, workspace: &Workspace) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder).with_context(|| format!("could not create {}", self.folder.display()))?;
        let _lock = self.lock()?;
        let Some(version) = candidate(workspace) else {
            // With no lists a compiler of any version is better than none.
            if let Some(rustc) = self.newest().filter(|rustc| probe(workspace, rustc).is_ok()) {
                return Ok(rustc);
            }
            return self.provision(workspace);
        };
        let toolchain = self.folder.join(folder_name(&version));
        let rustc = toolchain.join("bin/rustc");
        if toolchain.is_dir() {
            link_linker(&toolchain.join("root/usr"))?;
            match probe(workspace, &rustc) {
                Ok(()) => return Ok(rustc),
                Err(refusal) => eprintln!("{} is replaced: {refusal:#}", toolchain.display()),
            }
        }
        self.provision(workspace)
    }

    /// Two at once would unpack into the same folders and fight over apt. The lock ends with the process, however that ends.
    fn lock(&self) -> Result<File> {
        let path = self.folder.join("wasm-toolchain.lock");
        let file = File::create(&path).with_context(|| format!("could not create {}", path.display()))?;
        if file.try_lock().is_err() {
            eprintln!("waiting for another process to finish the wasm toolchain ({})", path.display());
            file.lock().with_context(|| format!("could not lock {}", path.display()))?;
        }
        Ok(file)
    }

    /// Downloads, unpacks and builds. Call it with the lock held.
    fn provision(&self, workspace: &Workspace) -> Result<PathBuf> {
        let start = Instant::now();
        for (tool, package) in [("apt-get", "apt"), ("apt-cache", "apt"), ("dpkg", "dpkg"), ("cc", "gcc")] {
            if !shell::exists(tool) {
                bail!("`{tool}` is missing (Debian's package `{package}`)");
            }
        }
        let version = match candidate(workspace) {
            Some(version) => version,
            None => {
                update_lists(workspace)?;
                candidate(workspace).with_context(|| format!("apt offers no package `{COMPILER}`"))?
            }
        };
        if Version::parse(&version).is_none_or(|version| version < OLDEST) {
            bail!(
                "apt offers `{COMPILER}` {version}, and guests need {OLDEST} or newer: is Debian's security archive in apt's sources, and are its lists new?"
            );
        }

        // The lock is held, so whatever has such a name was left behind by an interrupted run.
        for entry in self.folder.read_dir()?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let unfinished = self.folder.join(format!("{UNFINISHED}{}", folder_name(&version)));
        eprintln!(
            "provisioning a compiler for {TARGET} from Debian's {COMPILER} {version}: once, two to three minutes"
        );
        if let Err(failure) = download(workspace, &unfinished) {
            // Lists that are older than the archive name packages which are no longer there.
            eprintln!("{failure:#}; trying again with new lists");
            update_lists(workspace)?;
            download(workspace, &unfinished)?;
        }
        eprintln!(
            "  downloaded and unpacked after {:.0} s; building its standard library",
            start.elapsed().as_secs_f64()
        );
        let rustc = unfinished.join("bin/rustc");
        build_std(workspace, &unfinished, &rustc)?;
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

/// A version without the characters that would trouble a path.
fn folder_name(version: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+' | '~');
    format!("{FINISHED}{}", version.replace(|letter| !plain(letter), "_"))
}

/// The version that apt would install, if its lists are there and name one.
fn candidate(workspace: &Workspace) -> Option<String> {
    // In another language the line would not say `Candidate`.
    let policy = shell::output(workspace.command("apt-cache").env("LC_ALL", "C").args(["policy", COMPILER])).ok()?;
    parse_candidate(&policy).map(str::to_owned)
}

fn parse_candidate(policy: &str) -> Option<&str> {
    let version = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "))?.trim();
    (version != "(none)").then_some(version)
}

fn update_lists(workspace: &Workspace) -> Result<()> {
    if shell::output(workspace.command("id").arg("-u"))?.trim() != "0" {
        bail!(
            "apt's lists are missing or old, and only root may fetch them: run `apt-get update` as root, then this again"
        );
    }
    shell::run(workspace.command("apt-get").args(["-q", "update"])).context("apt's lists could not be fetched")
}

/// Downloads the packages with what they need that this machine lacks, and unpacks them into `root`. Nothing is installed.
fn download(workspace: &Workspace, folder: &Path) -> Result<()> {
    let packages = folder.join("packages");
    let root = folder.join("root");
    fs::create_dir_all(packages.join("partial"))?;
    fs::create_dir_all(&root)?;
    let user = shell::output(workspace.command("id").arg("-un"))?;
    shell::output(
        workspace
            .command("apt-get")
            .args(["-qq", "-y", "-o", &format!("Dir::Cache::archives={}", packages.display())])
            // Without root apt's own lock is out of reach; this cache's lock stands in for it.
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
        bail!("apt downloaded no compiler: if `{COMPILER}` is installed here already, remove it");
    }

    let wrapper = folder.join("bin/rustc");
    fs::create_dir_all(folder.join("bin"))?;
    fs::write(&wrapper, WRAPPER)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    link_linker(&root.join("usr"))
}

/// Debian's compiler comes without the linker that it calls for wasm; the one beside this machine's rustc takes its place.
fn link_linker(usr: &Path) -> Result<()> {
    let workspace = Workspace::here();
    for host in usr.join("lib/rustlib").read_dir()?.flatten() {
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
            .context("no linker for wasm beside rustc, and none in /usr/bin: install Debian's package `lld`")?;
        fs::create_dir_all(host.path().join("bin"))?;
        if link.is_symlink() {
            fs::remove_file(&link)?;
        }
        symlink(&linker, &link).with_context(|| format!("could not link {}", link.display()))?;
    }
    Ok(())
}

/// Builds the standard library from the packaged source and puts it where the compiler looks. No network: its crates are vendored.
fn build_std(workspace: &Workspace, folder: &Path, rustc: &Path) -> Result<()> {
    let usr = folder.join("root/usr");
    let vendored = usr
        .join("src")
        .read_dir()?
        .flatten()
        .map(|entry| entry.path().join("library/vendor"))
        .find(|path| path.is_dir())
        .with_context(|| format!("`{SOURCE}` has no library/vendor"))?;
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

/// A cargo for another compiler and target: flags that were meant for the host's must not reach it.
pub(crate) fn without_inherited_flags(mut cargo: std::process::Command) -> std::process::Command {
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    cargo.env_remove("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS");
    cargo
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
    fn a_version_becomes_one_name_of_a_folder() {
        assert_eq!(folder_name("1.96.0+dfsg1-1~deb12u2"), "wasm-toolchain-1.96.0+dfsg1-1~deb12u2");
        assert_eq!(folder_name("1:2/../3"), "wasm-toolchain-1_2_.._3");
    }
}
