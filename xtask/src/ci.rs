//! `cargo xtask ci`: every check that is not a test. `.ci/run` calls this, then `cargo xtask test`.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::shell::{self, Steps, Workspace};
use crate::{guests, invariants, machine_paths};

/// The guests' workspace, compiled natively in a target folder of its own.
const UDFS_TARGET_FOLDER: &str = "target/udfs-native";

/// Runs all checks, the quick ones first, and names all that fail.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut steps = Steps::default();
    steps.step("machine paths", || machine_paths::run(workspace));
    // Files that differ by name, as `cargo fmt` mends them. Without `--all`, which would follow path dependencies out of the guests' workspace.
    steps.step("format", || shell::run(workspace.cargo().args(["fmt", "--check", "--", "-l"])));
    steps.step("format of the guests", || shell::run(udfs(workspace).args(["fmt", "--check", "--", "-l"])));
    // `cargo tree` fetches what the lock file names and the machine lacks.
    steps.step("invariants", || invariants::run(workspace));
    steps.step("cargo deny", || deny(workspace));
    steps.step("clippy", || {
        shell::run(workspace.cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-Dwarnings"]))
    });
    steps.step("clippy of the guests", || {
        shell::run(udfs(workspace).args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-Dwarnings"]))
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
        // In the tests' profile, whose dependencies are compiled already: what is asked is whether they run, not how fast.
        shell::run(workspace.cargo().args(["test", "--locked", "--workspace", "--bench", "*"]))
    });
    steps.finish()
}

fn udfs(workspace: &Workspace) -> Command {
    let mut cargo = workspace.cargo();
    cargo.current_dir(workspace.path("udfs")).env("CARGO_TARGET_DIR", workspace.path(UDFS_TARGET_FOLDER));
    cargo
}

/// Licences, bans and sources where cargo-deny is installed; advisories too where their database can be fetched.
fn deny(workspace: &Workspace) -> Result<()> {
    let mut version = workspace.cargo();
    version.args(["deny", "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    if !version.status().is_ok_and(|status| status.success()) {
        println!("skipped: cargo-deny is not installed (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    shell::run(workspace.cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"]))?;
    if let Err(error) = shell::output(workspace.cargo().args(["deny", "fetch", "db"])) {
        println!("advisories skipped: their database could not be fetched: {error:#}");
        return Ok(());
    }
    shell::run(workspace.cargo().args(["deny", "--locked", "--offline", "check", "advisories"]))
}
