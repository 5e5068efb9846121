//! `cargo xtask demo`: from a fresh clone to late flights on the terminal.

use anyhow::Result;

use crate::guests;
use crate::shell::{self, Workspace};

const QUERY: &str = "examples/late-flights.toml";

/// Builds the guests and the `weir` command, then runs the flights query on the sample in `data/`.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    println!("1/3  guests: compile the example functions in udfs/ to WebAssembly");
    guests::run(workspace)?;
    println!("\n2/3  weir: compile the runtime with optimisation (the first time takes minutes)");
    shell::run(workspace.cargo().args(["build", "--locked", "--release", "--package", "weir-cli", "--bin", "weir"]))?;
    println!("\n3/3  weir run {QUERY}\n");
    // Through cargo, which knows where its target folder is.
    shell::run(
        workspace
            .cargo()
            .args(["run", "--quiet", "--locked", "--release", "--package", "weir-cli", "--bin", "weir"])
            .args(["--", "run", QUERY]),
    )
}
