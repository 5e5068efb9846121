//! `cargo xtask broker`: the Apache Kafka that the tests start.
//!
//! It is not linked into Weir or shipped with it. Maven, which knows this machine's repository, copies the jars in
//! `xtask/kafka/pom.xml`, and each is compared with its hash in `xtask/kafka/jars.sha256`. They are stored in a folder of the
//! cache, which gets its final name when it is complete; after that, neither Maven nor a network is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cache::Cache;
use crate::java::{self, Java};
use crate::shell::{self, Workspace};

/// Named after the version. The tests look for it by this name (`tests/src/broker/find.rs`).
const FINISHED: &str = "kafka-4.1.1";
const UNFINISHED: &str = "kafka.unfinished-";

/// The jars for Maven, and their hashes.
const POM: &str = "xtask/kafka/pom.xml";
const HASHES: &str = "xtask/kafka/jars.sha256";

/// Prints the broker's folder.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("{}", find_or_provision(workspace)?.display());
    Ok(())
}

/// Makes sure that the tests find a broker: a cluster that the environment names, or Apache Kafka in the cache.
pub(crate) fn for_tests(workspace: &Workspace) -> Result<()> {
    match std::env::var("KAFKA_BOOTSTRAP") {
        Ok(address) if !address.is_empty() => {
            eprintln!("the tests use the Kafka cluster at {address}");
            Ok(())
        }
        _ => find_or_provision(workspace).map(drop),
    }
}

fn find_or_provision(workspace: &Workspace) -> Result<PathBuf> {
    let cache = Cache::from_environment()?;
    let finished = cache.folder.join(FINISHED);
    let _lock = cache.lock("kafka.lock", "the tests' Apache Kafka")?;
    let java = java::find_or_install(workspace, !finished.is_dir())?;
    if finished.is_dir() {
        return Ok(finished);
    }
    let start = Instant::now();
    cache.remove_unfinished(UNFINISHED)?;
    let unfinished = cache.folder.join(format!("{UNFINISHED}{}", std::process::id()));
    fs::create_dir_all(&unfinished)?;
    fetch(workspace, &unfinished)?;
    format(workspace, &java, &unfinished)?;
    fs::rename(&unfinished, &finished)?;
    // The archive contains paths, so it is created in the final folder.
    archive_classes(workspace, &java, &finished).unwrap_or_else(|error| {
        eprintln!("the broker will start more slowly without an archive of its classes: {error:#}");
    });
    eprintln!("{} is ready after {:.1} s", finished.display(), start.elapsed().as_secs_f64());
    Ok(finished)
}

/// Fetches the jars into `lib`, and checks their hashes.
fn fetch(workspace: &Workspace, folder: &Path) -> Result<()> {
    eprintln!("fetching Apache Kafka for the tests with Maven (43 MB)");
    let (lib, repository) = (folder.join("lib"), folder.join("repository"));
    let mut maven = workspace.command("mvn");
    maven.args(["--quiet", "--batch-mode", "--file"]).arg(workspace.path(POM));
    // A separate repository, so that the user's stays unchanged.
    maven.arg(format!("-Dmaven.repo.local={}", repository.display()));
    maven.args(["dependency:copy-dependencies".to_owned(), format!("-DoutputDirectory={}", lib.display())]);
    shell::output(&mut maven).context(
        "Maven could not fetch Apache Kafka: check that it can reach a repository (set a mirror in ~/.m2/settings.xml), or set \
         KAFKA_BOOTSTRAP=HOST:PORT to use a Kafka cluster",
    )?;
    check_hashes(workspace, &lib, &workspace.path(HASHES))?;
    fs::copy(workspace.path("xtask/kafka/log4j2.properties"), folder.join("log4j2.properties"))?;
    fs::remove_dir_all(&repository)?;
    Ok(())
}

/// Refuses a folder with other files than the pinned ones.
fn check_hashes(workspace: &Workspace, folder: &Path, hashes: &Path) -> Result<()> {
    let pinned = fs::read_to_string(hashes).with_context(|| format!("could not read {}", hashes.display()))?;
    let mut wanted: Vec<String> =
        pinned.lines().filter_map(|line| line.split_whitespace().nth(1)).map(Into::into).collect();
    let mut found: Vec<String> =
        folder.read_dir()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    if found != wanted {
        let surplus: Vec<_> = found.iter().filter(|name| !wanted.contains(name)).collect();
        let missing: Vec<_> = wanted.iter().filter(|name| !found.contains(name)).collect();
        bail!("{} does not contain the pinned files: missing {missing:?}, unexpected {surplus:?}", folder.display());
    }
    let mut check = workspace.command("sha256sum");
    check.current_dir(folder).args(["--check", "--strict", "--quiet"]).arg(hashes);
    shell::output(&mut check).context("a fetched file differs from the pinned one")?;
    Ok(())
}

/// Formats a data folder for a new broker, which each start copies: formatting takes half as long as a start.
fn format(workspace: &Workspace, java: &Java, folder: &Path) -> Result<()> {
    let properties = folder.join("format.properties");
    let data = folder.join("formatted");
    fs::write(&properties, minimal_properties(&data, 9093))?;
    let mut tool = broker_command(workspace, java, folder, &[]);
    tool.args(["kafka.tools.StorageTool", "format", "--cluster-id", "d2Vpci10ZXN0cy1rYWZrYQ", "--config"])
        .arg(&properties);
    shell::output(&mut tool).context("Apache Kafka could not format a folder")?;
    fs::remove_file(&properties)?;
    Ok(())
}

/// The minimal settings of a broker, with its controller on this port.
fn minimal_properties(data: &Path, port: u16) -> String {
    format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{port}\n\
         listeners=PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\nlog.dirs={}\n",
        port - 1,
        data.display()
    )
}

/// Makes the Java virtual machine archive the classes of a broker's start, which then takes two thirds of the time.
fn archive_classes(workspace: &Workspace, java: &Java, folder: &Path) -> Result<()> {
    let (data, properties) = (folder.join("archived"), folder.join("archive.properties"));
    fs::create_dir_all(&data)?;
    for file in ["meta.properties", "bootstrap.checkpoint"] {
        fs::copy(folder.join("formatted").join(file), data.join(file))?;
    }
    let port = free_port()?;
    fs::write(&properties, minimal_properties(&data, port + 1))?;
    let option = format!("-XX:ArchiveClassesAtExit={}", folder.join("classes.jsa").display());
    let mut broker = broker_command(workspace, java, folder, &[&option]);
    broker.arg("kafka.Kafka").arg(&properties);
    broker.stdout(fs::File::create(folder.join("archive.log"))?).stderr(std::process::Stdio::null());
    let mut broker = broker.spawn().context("could not start java")?;
    let begin = Instant::now();
    let answers = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    while !answers() && broker.try_wait()?.is_none() && begin.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(50));
    }
    shell::run(workspace.command("kill").args(["-TERM", &broker.id().to_string()]))?;
    while broker.try_wait()?.is_none() {
        if begin.elapsed() > Duration::from_secs(120) {
            broker.kill()?;
            broker.wait()?;
            bail!("the broker did not stop within two minutes");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    for rest in [&properties, &folder.join("archive.log")] {
        fs::remove_file(rest)?;
    }
    fs::remove_dir_all(&data)?;
    Ok(())
}

/// The first of two consecutive free ports.
fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let first = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        let port = first.local_addr()?.port();
        if port < u16::MAX && std::net::TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no two consecutive ports are free")
}

fn broker_command(workspace: &Workspace, java: &Java, folder: &Path, options: &[&str]) -> Command {
    let mut command = workspace.command(&java.program);
    // The same options as in the tests: an archive of classes is valid only for these.
    command.args(["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]).args(options);
    command.arg(format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.properties").display()));
    command.arg("-cp").arg(folder.join("lib/*"));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("weir-xtask-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn only_the_pinned_files_pass() {
        let workspace = Workspace::here();
        let (jars, pins) = (folder("jars"), folder("pins"));
        let of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let hashes = pins.join("hashes");
        fs::write(&hashes, format!("{of_abc}  a.jar\n")).unwrap();
        let check = || check_hashes(&workspace, &jars, &hashes).map_err(|error| format!("{error:#}"));
        let missing = check().unwrap_err();
        fs::write(jars.join("a.jar"), "abc").unwrap();
        let good = check();
        fs::write(jars.join("a.jar"), "abd").unwrap();
        let other = check().unwrap_err();
        fs::write(jars.join("a.jar"), "abc").unwrap();
        fs::write(jars.join("b.jar"), "b").unwrap();
        let surplus = check().unwrap_err();
        for folder in [&jars, &pins] {
            fs::remove_dir_all(folder).unwrap();
        }
        assert!(good.is_ok(), "{good:?}");
        assert!(missing.ends_with(r#"missing ["a.jar"], unexpected []"#), "{missing}");
        assert!(other.starts_with("a fetched file differs from the pinned one: "), "{other}");
        assert!(surplus.ends_with(r#"missing [], unexpected ["b.jar"]"#), "{surplus}");
    }

    #[test]
    fn the_tests_look_for_this_very_folder_and_version() {
        let workspace = Workspace::here();
        let find = fs::read_to_string(workspace.path("tests/src/broker/find.rs")).unwrap();
        assert!(find.contains(&format!("\"weir/{FINISHED}\"")));
        let version = FINISHED.strip_prefix("kafka-").unwrap();
        let pom = fs::read_to_string(workspace.path(POM)).unwrap();
        assert!(pom.contains(&format!("<artifactId>kafka_2.13</artifactId>\n      <version>{version}</version>")));
        let hashes = fs::read_to_string(workspace.path(HASHES)).unwrap();
        assert!(hashes.contains(&format!("  kafka_2.13-{version}.jar\n")));
    }
}
