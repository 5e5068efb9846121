//! `cargo xtask test`: every test there is.

use anyhow::{Context, Result};

use crate::brokers;
use crate::guests;
use crate::shell::{self, Workspace};
use crate::steps::Steps;
use crate::toolchain;

/// Builds the guests, then runs the guests' own tests natively and the workspace's.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    // The workspace's tests load the modules, so without them there is nothing to go on with.
    guests::run(workspace).context("the guests could not be built")?;
    let rustc = toolchain::rustc(workspace)?;
    // Tests of Kafka that found no broker and passed would show nothing, so there is no going on without one either.
    let brokers = brokers::for_tests(workspace).context("the tests' Kafka brokers could not be provided")?;
    let mut steps = Steps::from_environment();
    steps.step("tests of the guests, natively", || {
        shell::run(
            workspace
                .cargo()
                .current_dir(workspace.path("udfs"))
                .env("CARGO_TARGET_DIR", workspace.path("target/udfs-native"))
                .args(["test", "--locked", "--workspace"]),
        )
    });
    steps.step("tests of the workspace", || {
        // One test builds a guest that it has just made.
        let mut tests = workspace.cargo();
        tests.env("WEIR_GUEST_RUSTC", &rustc).envs(brokers.iter().map(|(variable, path)| (variable, path)));
        tests.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
        shell::run(&mut tests)
    });
    steps.finish()
}
