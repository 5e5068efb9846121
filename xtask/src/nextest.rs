//! `cargo nextest`, which runs each test in its own process, several at once, and ends tests that hang.
//!
//! Its settings are in `.config/nextest.toml`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{self, Workspace};
use crate::wheel::CARGO_NEXTEST;

/// The number of tests whose times are printed.
const SLOWEST: usize = 20;

/// How long a test may run: a profile in `.config/nextest.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// A few minutes.
    Default,
    /// For the long form of soaks.
    Long,
}

impl Profile {
    fn name(self) -> &'static str {
        match self {
            Profile::Default => "default",
            Profile::Long => "long",
        }
    }
}

/// The program and its profile.
#[derive(Debug)]
pub(crate) struct Nextest {
    program: PathBuf,
    report: PathBuf,
    profile: Profile,
}

impl Nextest {
    /// The program in the PATH, or the one in the cache.
    ///
    /// # Errors
    ///
    /// The errors of [`Wheel::find`](crate::wheel::Wheel::find).
    pub(crate) fn find(workspace: &Workspace, profile: Profile) -> Result<Nextest> {
        let program = CARGO_NEXTEST.find(workspace)?;
        let report = workspace.path("target/nextest").join(profile.name()).join("junit.xml");
        Ok(Nextest { program, report, profile })
    }

    /// Runs the workspace's tests, or those whose name contains `name`, and prints the slowest.
    ///
    /// # Errors
    ///
    /// A failed test, or an error of compiling.
    pub(crate) fn run(&self, mut command: Command, name: Option<&str>) -> Result<()> {
        // Remove the report of an earlier run.
        drop(fs::remove_file(&self.report));
        command.args(["nextest", "run", "--locked", "--workspace", "--profile", self.profile.name()]);
        // The name may match only documentation tests.
        command.args(name).args(name.map(|_| "--no-tests=warn"));
        let ran = shell::run(&mut command);
        match fs::read_to_string(&self.report) {
            Ok(report) => print_slowest(&report),
            // There is no report if compiling failed or if no test was selected.
            Err(_) => eprintln!("no report of test times in {}", self.report.display()),
        }
        ran
    }

    /// The program as a command.
    pub(crate) fn command(&self, workspace: &Workspace) -> Command {
        workspace.command(&self.program)
    }
}

fn print_slowest(report: &str) {
    let mut times = times(report);
    times.sort_by(|one, other| other.seconds.total_cmp(&one.seconds));
    let all: f64 = times.iter().map(|test| test.seconds).sum();
    println!("\nthe slowest of {} tests (their times add up to {all:.0} s):", times.len());
    for test in times.iter().take(SLOWEST) {
        println!("{:>8.1} s  {} {}", test.seconds, test.binary, test.name);
    }
}

/// The duration of one test.
#[derive(Debug, PartialEq)]
struct Time<'a> {
    seconds: f64,
    binary: &'a str,
    name: &'a str,
}

/// The times in a JUnit report, in which each test is an element with attributes.
fn times(report: &str) -> Vec<Time<'_>> {
    let elements = report.split("<testcase ").skip(1);
    let times = elements.filter_map(|element| {
        let tag = element.split_once('>')?.0;
        let attribute = |name: &str| {
            let begin = format!("{name}=\"");
            // The first attribute, or one after a space: `classname` ends with `name` too.
            let value = match tag.strip_prefix(&begin) {
                Some(value) => value,
                None => tag.split_once(&format!(" {begin}"))?.1,
            };
            Some(value.split_once('"')?.0)
        };
        let seconds = attribute("time")?.parse().ok()?;
        Some(Time { seconds, binary: attribute("classname")?, name: attribute("name")? })
    });
    times.collect()
}

/// Only nextest reads the settings, and reports mistakes when it starts.
pub(crate) fn or_cargo(workspace: &Workspace, profile: Profile) -> Option<Nextest> {
    let found = Nextest::find(workspace, profile).context("`cargo nextest` is not available");
    found
        .inspect_err(|error| {
            eprintln!("running the test binaries one after the other, without time limits: {error:#}");
        })
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_from_a_report() {
        let report = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="2" failures="1" time="1.5">
    <testsuite name="weir-text" tests="2" failures="1">
        <testcase name="escape::tests::all" classname="weir-text" timestamp="2026-11-30T10:00:00.000+00:00" time="0.007">
        </testcase>
        <testcase name="hex::tests::all" classname="weir-text::it" timestamp="2026-11-30T10:00:00.000+00:00" time="1.5">
            <failure message="time=&quot;9&quot;" type="test failure">time="9"</failure>
        </testcase>
    </testsuite>
</testsuites>"#;
        let expected = [
            Time { seconds: 0.007, binary: "weir-text", name: "escape::tests::all" },
            Time { seconds: 1.5, binary: "weir-text::it", name: "hex::tests::all" },
        ];
        assert_eq!(times(report), expected);
        assert_eq!(times("<testcase name=\"cut"), []);
    }

    #[test]
    fn each_profile_is_in_the_settings() {
        let settings = fs::read_to_string(Workspace::here().path(".config/nextest.toml")).unwrap();
        for profile in [Profile::Default, Profile::Long] {
            let name = profile.name();
            assert!(settings.contains(&format!("[profile.{name}]")), "{name}");
            assert!(settings.contains(&format!("[profile.{name}.junit]")), "{name}");
        }
        assert!(settings.contains("dir = \"target/nextest\""));
    }
}
