//! `cargo nextest`, which runs each test in a process of its own, several at once, and ends those that hang.
//!
//! Its settings are in `.config/nextest.toml`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{self, Workspace};
use crate::wheel::CARGO_NEXTEST;

/// Tests whose times are printed.
const SLOWEST: usize = 20;

/// How long a test may run: the profiles of `.config/nextest.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Some minutes.
    Default,
    /// Soaks in their long form.
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

/// The program, and the profile that it runs tests by.
#[derive(Debug)]
pub(crate) struct Nextest {
    program: PathBuf,
    report: PathBuf,
    profile: Profile,
}

impl Nextest {
    /// The one on the path, or the one that is kept in the cache.
    ///
    /// # Errors
    ///
    /// As of [`Wheel::find`](crate::wheel::Wheel::find).
    pub(crate) fn find(workspace: &Workspace, profile: Profile) -> Result<Nextest> {
        let program = CARGO_NEXTEST.find(workspace)?;
        let report = workspace.path("target/nextest").join(profile.name()).join("junit.xml");
        Ok(Nextest { program, report, profile })
    }

    /// Runs the workspace's tests, or those whose name contains this, and prints the slowest.
    ///
    /// # Errors
    ///
    /// A test that fails, and what does not compile.
    pub(crate) fn run(&self, mut command: Command, name: Option<&str>) -> Result<()> {
        // A report of an earlier run is not this one's.
        drop(fs::remove_file(&self.report));
        command.args(["nextest", "run", "--locked", "--workspace", "--profile", self.profile.name()]);
        // The name may select documentation tests only.
        command.args(name).args(name.map(|_| "--no-tests=warn"));
        let ran = shell::run(&mut command);
        match fs::read_to_string(&self.report) {
            Ok(report) => print_slowest(&report),
            // There is no report if compiling failed or if no test was selected.
            Err(_) => eprintln!("no report of the tests' times in {}", self.report.display()),
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
    println!("\nthe slowest of {} tests, which took {all:.0} s one after the other:", times.len());
    for test in times.iter().take(SLOWEST) {
        println!("{:>8.1} s  {} {}", test.seconds, test.binary, test.name);
    }
}

/// How long one test took.
#[derive(Debug, PartialEq)]
struct Time<'a> {
    seconds: f64,
    binary: &'a str,
    name: &'a str,
}

/// The times of a JUnit report, of which each test is one element with attributes.
fn times(report: &str) -> Vec<Time<'_>> {
    let elements = report.split("<testcase ").skip(1);
    let times = elements.filter_map(|element| {
        let tag = element.split_once('>')?.0;
        let attribute = |name: &str| {
            let begin = format!("{name}=\"");
            // The first, or one behind a space: `name` is the end of `classname`.
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

/// The settings are read by nextest alone, which says what is wrong when it starts.
pub(crate) fn or_cargo(workspace: &Workspace, profile: Profile) -> Option<Nextest> {
    let found = Nextest::find(workspace, profile).context("`cargo nextest` cannot be had");
    found
        .inspect_err(|error| {
            eprintln!("tests run one binary after the other, and none is ended where it hangs: {error:#}");
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
