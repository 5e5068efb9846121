//! `cargo xtask test`: runs all tests.

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

/// The sizes of soaks with `--long`, unless the environment sets them: killed processes, damaged files of each format, inputs of
/// each property.
const LONG: [(&str, &str); 3] = [("WEIR_CRASHES", "50"), ("WEIR_DAMAGED", "20000"), ("PROPTEST_CASES", "5000")];

/// The arguments of `cargo xtask test`.
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
                    bail!("unknown option `{option}`: use `cargo xtask test [--long] [NAME]`")
                }
                name if parsed.name.is_none() => parsed.name = Some(name.to_owned()),
                surplus => {
                    bail!("unexpected argument `{surplus}`: use `cargo xtask test [--long] [NAME]` with one NAME")
                }
            }
        }
        Ok(parsed)
    }

    /// The variables that make soaks long, without those that are set already.
    fn variables(&self, set: impl Fn(&str) -> Option<OsString>) -> Vec<(&'static str, &'static str)> {
        LONG.into_iter().filter(|(variable, _)| self.long && set(variable).is_none()).collect()
    }
}

/// Builds the guests, then runs the guests' own tests natively, and the workspace's tests.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<()> {
    let arguments = Arguments::parse(arguments)?;
    // Without a broker, the tests of Kafka would check nothing. What is missing is reported before anything is built.
    broker::for_tests(workspace).context("could not provide a Kafka broker for the tests")?;
    // The workspace's tests load the modules.
    guests::run(workspace).context("could not build the guests")?;
    let rustc = toolchain::rustc(workspace)?;
    let run = TestRun::begin()?;
    let mut steps = Steps::from_environment();
    steps.step("native tests of the guests", || {
        shell::run(
            workspace
                .cargo()
                .current_dir(workspace.path("udfs"))
                .env("CARGO_TARGET_DIR", workspace.path("target/udfs-native"))
                .args(["test", "--locked", "--workspace"])
                .args(&arguments.name),
        )
    });
    // Tests build new guests, and share one broker.
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
    // Nextest does not run these.
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
