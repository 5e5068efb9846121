//! `cargo xtask test`: every test there is.

use std::ffi::OsString;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::broker;
use crate::guests;
use crate::nextest::{self, Profile};
use crate::shell::{self, Workspace};
use crate::steps::Steps;
use crate::test_run::{self, TestRun};
use crate::toolchain;

/// How often or how long soaks run with `--long`, where the environment does not say otherwise: processes killed, damaged files of each
/// format, inputs of each property.
const LONG: [(&str, &str); 3] = [("WEIR_CRASHES", "50"), ("WEIR_DAMAGED", "20000"), ("PROPTEST_CASES", "5000")];

/// What follows `cargo xtask test`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Arguments {
    long: bool,
    /// Only tests whose name contains this.
    name: Option<String>,
}

impl Arguments {
    fn parse(arguments: &[String]) -> Result<Arguments> {
        let mut parsed = Arguments::default();
        for argument in arguments {
            match argument.as_str() {
                "--long" => parsed.long = true,
                option if option.starts_with('-') => {
                    bail!("unknown option `{option}`: `cargo xtask test [--long] [NAME]`")
                }
                name if parsed.name.is_none() => parsed.name = Some(name.to_owned()),
                surplus => bail!("one NAME selects tests, got `{surplus}` as well: `cargo xtask test [--long] [NAME]`"),
            }
        }
        Ok(parsed)
    }

    /// The variables that make soaks long, apart from those that are set already.
    fn variables(&self, set: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, &'static str)> {
        LONG.into_iter().filter(|(variable, _)| self.long && set(variable).is_none()).collect()
    }
}

/// Builds the guests, then runs the guests' own tests natively and the workspace's.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let arguments = Arguments::parse(arguments)?;
    // Tests of Kafka that found no broker and passed would show nothing, so there is no going on without one. What it lacks is said
    // before anything is built.
    broker::for_tests(workspace).context("the tests' Kafka broker could not be provided")?;
    // The workspace's tests load the modules, so without them there is nothing to go on with.
    guests::run(workspace).context("the guests could not be built")?;
    let rustc = toolchain::rustc(workspace)?;
    let run = TestRun::begin()?;
    let mut steps = Steps::from_environment();
    steps.step("tests of the guests, natively", || {
        shell::run(
            workspace
                .cargo()
                .current_dir(workspace.path("udfs"))
                .env("CARGO_TARGET_DIR", workspace.path("target/udfs-native"))
                .args(["test", "--locked", "--workspace"])
                .args(&arguments.name),
        )
    });
    // Tests build guests that they have just made, and share one broker.
    let prepare = |mut tests: Command| {
        tests.env("WEIR_GUEST_RUSTC", &rustc).env(test_run::VARIABLE, &run.folder);
        tests.envs(arguments.variables(|variable| std::env::var_os(variable)));
        tests
    };
    let cargo = |targets: &[&str]| {
        let mut tests = prepare(workspace.cargo());
        tests.args(["test", "--locked", "--workspace", "--no-fail-fast"]).args(targets).args(&arguments.name);
        shell::run(&mut tests)
    };
    let profile = if arguments.long { Profile::Long } else { Profile::Default };
    let nextest = nextest::or_cargo(workspace, profile);
    steps.step("tests of the workspace", || match &nextest {
        Some(nextest) => nextest.run(prepare(nextest.command(workspace)), arguments.name.as_deref()),
        None => cargo(&["--lib", "--bins", "--tests"]),
    });
    // Which nextest does not run.
    steps.step("tests in the documentation", || cargo(&["--doc"]));
    steps.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments> {
        Arguments::parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn one_name_and_the_long_form_are_taken_and_nothing_else() {
        assert_eq!(parse(&[]).unwrap(), Arguments::default());
        let both = Arguments { long: true, name: Some("share".to_owned()) };
        assert_eq!(parse(&["share", "--long"]).unwrap(), both);
        for wrong in [&["--longer"][..], &["one", "two"]] {
            parse(wrong).unwrap_err();
        }
    }

    #[test]
    fn the_long_form_leaves_what_the_environment_says() {
        let long = Arguments { long: true, name: None };
        assert_eq!(long.variables(|_| None), LONG);
        assert_eq!(long.variables(|name| (name == "WEIR_CRASHES").then(|| "7".into())), LONG[1..]);
        assert_eq!(Arguments::default().variables(|_| None), []);
    }
}
