//! `cargo xtask demo`: from a fresh clone to late flights on the terminal.

use anyhow::Result;

use crate::guests;
use crate::shell::{self, Workspace};

const QUERY: &str = "examples/late-flights.toml";

/// The guest whose functions the query uses.
const GUEST: &str = "flights";

/// The features and profile of the demo's program: quick to compile, without Kafka's client, benchmarks and attacks.
const BUILD: [&str; 8] =
    ["--locked", "--profile", "demo", "--package", "weir-cli", "--no-default-features", "--bin", "weir"];

/// Builds a guest and the `weir` command, then runs the flights query on the sample in `data/`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("1/3  guest: compile the example functions in udfs/{GUEST}/ to WebAssembly");
    guests::build_one(workspace, GUEST)?;
    println!("\n2/3  weir: compile the runtime with little optimisation (the first time takes minutes)");
    shell::run(workspace.cargo().arg("build").args(BUILD))?;
    println!("\n3/3  weir run {QUERY}\n");
    // Cargo knows where its target folder is.
    shell::run(workspace.cargo().args(["run", "--quiet"]).args(BUILD).args(["--", "run", QUERY]))
}
