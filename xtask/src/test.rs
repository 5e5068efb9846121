//! `cargo xtask test`: every test there is.

use anyhow::{Context, Result};

use crate::broker;
use crate::guests;
use crate::shell::{self, Workspace};
use crate::steps::Steps;
use crate::test_run::{self, TestRun};
use crate::toolchain;

/// Builds the guests, then runs the guests' own tests natively and the workspace's.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
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
                .args(["test", "--locked", "--workspace"]),
        )
    });
    steps.step("tests of the workspace", || {
        // One test builds a guest that it has just made.
        let mut tests = workspace.cargo();
        tests.env("WEIR_GUEST_RUSTC", &rustc).env(test_run::VARIABLE, &run.folder);
        tests.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
        shell::run(&mut tests)
    });
    steps.finish()
}
