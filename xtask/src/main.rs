//! Set-up and development commands: `cargo xtask help`.
//!
//! `cargo xtask demo` and `cargo xtask test` do all the set-up that a fresh clone needs, `.ci/run` calls `ci` and `test`, and the others are
//! their parts. What may differ between machines is read from the environment, and `help` lists it.

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
    Command { name: "demo", help: "set up, then run the flights query on real data", run: Alone(demo::run) },
    Command {
        name: "test",
        help: "set up, then run every test; NAME: those whose name contains it; --long: soaks in their long form",
        run: With(test::run),
    },
    Command { name: "guests", help: "build the example guests for wasm32-unknown-unknown", run: Alone(guests::run) },
    Command {
        name: "toolchain",
        help: "find or provision the guests' compiler, print its path",
        run: Alone(toolchain::run),
    },
    Command {
        name: "broker",
        help: "find or provision the tests' Apache Kafka, print its folder",
        run: Alone(broker::run),
    },
    Command {
        name: "tools",
        help: "find or fetch the prebuilt development tools, print their paths",
        run: Alone(wheel::run),
    },
    Command { name: "fuzz", help: "run each fuzz target for three minutes", run: Alone(fuzz::run) },
    Command {
        name: "fuzz-short",
        help: "run those of the file formats for 20 seconds each, as `ci` does",
        run: Alone(fuzz::run_short),
    },
    Command {
        name: "dist",
        help: "a tarball with the program, its completions and its man pages",
        run: Alone(dist::run),
    },
    Command { name: "ci", help: "every check that is not a test: format, lints, docs, …", run: Alone(ci::run) },
    Command {
        name: "minimum-rust",
        help: "check by the oldest compiler that Cargo.toml names, fetched by rustup",
        run: Alone(release_checks::minimum_rust),
    },
    Command {
        name: "public-api",
        help: "compare public items with the release before, by cargo-semver-checks",
        run: Alone(release_checks::public_api),
    },
    Command {
        name: "invariants",
        help: "which crate may depend on which; no circles of files, no large crates",
        run: Alone(invariants::run),
    },
    Command {
        name: "machine-paths",
        help: "no tracked file names a path of this machine",
        run: Alone(machine_paths::run),
    },
];

const ENVIRONMENT: &str = "\
environment:
  WEIR_GUEST_RUSTC     the compiler of guests; it must have the target wasm32-unknown-unknown
  WEIR_WASM_TOOLCHAIN  `debian`: provision the compiler from Debian's packages even where rustup could;
                       `rustup`: only ever ask rustup; unset: whichever works
  KAFKA_BOOTSTRAP      HOST:PORT of a Kafka cluster: the tests use it, and neither Java nor Maven is needed
  JAVA_HOME            the Java that the tests' Apache Kafka runs on, default: `java` of the PATH
  XDG_CACHE_HOME       where a provisioned compiler is kept (in weir/, about 500 MB), and Apache Kafka (100 MB),
                       default ~/.cache";

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
        (Alone(_), Some(surplus)) => bail!("`cargo xtask {name}` takes no arguments, got `{surplus}`"),
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
