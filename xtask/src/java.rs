//! Finds Java and Maven for the tests' broker, or installs them if this is Debian and the user is root.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};

/// The oldest Java that Apache Kafka 4 supports.
const OLDEST: u32 = 17;

const JAVA_PACKAGE: &str = "openjdk-17-jre-headless";
const MAVEN_PACKAGE: &str = "maven";

/// A Java that is new enough.
#[derive(Debug)]
pub(crate) struct Java {
    pub(crate) program: OsString,
}

/// Finds Java and, if it is needed, Maven. Installs what is missing, or names the command that installs it.
pub(crate) fn find_or_install(workspace: &Workspace, fetches: bool) -> Result<Java> {
    let missing = missing(workspace, fetches);
    if missing.is_empty() {
        return Ok(Java { program: program() });
    }
    let is_root = shell::output(workspace.command("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    if !is_root || !shell::exists("apt-get") {
        bail!("{}", advice(&missing, shell::exists("apt-get")));
    }
    install(workspace, &missing)?;
    let missing = self::missing(workspace, fetches);
    if !missing.is_empty() {
        bail!(
            "{} found neither before nor after its installation (JAVA_HOME={:?}): {}",
            missing.join(" and "),
            std::env::var_os("JAVA_HOME").unwrap_or_default(),
            advice(&missing, true)
        );
    }
    Ok(Java { program: program() })
}

/// The packages that are missing.
fn missing(workspace: &Workspace, fetches: bool) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if version(workspace).is_none_or(|version| version < OLDEST) {
        missing.push(JAVA_PACKAGE);
    }
    if fetches && !shell::exists("mvn") {
        missing.push(MAVEN_PACKAGE);
    }
    missing
}

fn advice(missing: &[&str], debian: bool) -> String {
    let packages = missing.join(" ");
    let command = match debian {
        true => format!("run `apt-get install --no-install-recommends {packages}` as root"),
        false => format!("install Java {OLDEST} or later and Maven (Debian's packages: {packages})"),
    };
    format!(
        "the tests start an Apache Kafka, which needs {packages}: {command}, and repeat this command; or set KAFKA_BOOTSTRAP=HOST:PORT to \
         use a Kafka cluster"
    )
}

fn install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    eprintln!("installing {} for the tests' Apache Kafka", packages.join(" "));
    let mut update = workspace.command("apt-get");
    shell::run(update.args(["-qq", "update"])).context("could not update apt's lists")?;
    let mut install = workspace.command("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    shell::run(install.args(["-qq", "-y", "--no-install-recommends", "install"]).args(packages))
}

/// `$JAVA_HOME/bin/java` if the variable is set, otherwise `java`.
fn program() -> OsString {
    match std::env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
        Some(home) => PathBuf::from(home).join("bin/java").into_os_string(),
        None => "java".into(),
    }
}

fn version(workspace: &Workspace) -> Option<u32> {
    let said = workspace.command(program()).arg("-version").output().ok()?;
    // Java prints its version to standard error.
    parse(&String::from_utf8_lossy(&said.stderr))
}

/// The major version: 17 of `openjdk version "17.0.21"`, 8 of `java version "1.8.0_392"`.
fn parse(said: &str) -> Option<u32> {
    let quoted = said.split('"').nth(1)?;
    let mut numbers = quoted.split(['.', '-', '_', '+']);
    let first = numbers.next()?.parse().ok()?;
    if first == 1 { numbers.next()?.parse().ok() } else { Some(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_what_java_says() {
        let cases = [
            ("openjdk version \"17.0.21.1\" 2026-11-17\n", Some(17)),
            ("openjdk version \"21-ea\" 2023-09-19\n", Some(21)),
            ("Picked up JAVA_TOOL_OPTIONS: -Xmx1g\njava version \"1.8.0_392\"\n", Some(8)),
            ("The operation couldn\u{2019}t be completed. Unable to locate a Java Runtime.\n", None),
            ("", None),
        ];
        for (said, version) in cases {
            assert_eq!(parse(said), version, "{said}");
        }
    }

    #[test]
    fn what_is_missing_is_one_message_with_the_command() {
        let said = advice(&[JAVA_PACKAGE, MAVEN_PACKAGE], true);
        assert_eq!(
            said,
            "the tests start an Apache Kafka, which needs openjdk-17-jre-headless maven: run `apt-get install \
             --no-install-recommends openjdk-17-jre-headless maven` as root, and repeat this command; or set \
             KAFKA_BOOTSTRAP=HOST:PORT to use a Kafka cluster"
        );
    }
}
