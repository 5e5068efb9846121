//! `cargo xtask fuzz`: runs the fuzz targets of `fuzz/decoders`, each for some minutes; `fuzz-short` for seconds, as CI does.
//!
//! They need AddressSanitizer, whose runtime comes with the stable compiler. `RUSTC_BOOTSTRAP=1` lets it take the flag.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};
use crate::wheel::CARGO_FUZZ;

/// The crate of the targets, below the workspace's root.
const FOLDER: &str = "fuzz/decoders";

const LONG: Duration = Duration::from_secs(180);
const SHORT: Duration = Duration::from_secs(20);

/// Each target for three minutes.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    run_each(workspace, LONG)
}

/// Each target for 20 seconds.
pub(crate) fn run_short(workspace: &Workspace) -> Result<()> {
    run_each(workspace, SHORT)
}

fn run_each(workspace: &Workspace, time: Duration) -> Result<()> {
    let program = CARGO_FUZZ.program(workspace)?;
    let cargo_fuzz = |command: &str| {
        let mut cargo_fuzz = workspace.command(&program);
        cargo_fuzz.env("RUSTC_BOOTSTRAP", "1").args([command, "--fuzz-dir", FOLDER]);
        cargo_fuzz
    };
    shell::run(&mut cargo_fuzz("build"))?;
    let mut failed = Vec::new();
    for target in targets(workspace)? {
        println!("\n==== fuzz {target} for {} s", time.as_secs());
        let mut command = cargo_fuzz("run");
        arguments(workspace, &target, time, &mut command)?;
        if let Err(error) = shell::run(&mut command) {
            eprintln!("{error:#}");
            failed.push(target);
        }
    }
    if !failed.is_empty() {
        bail!("fuzz targets that failed: {} (their inputs are in {FOLDER}/artifacts)", failed.join(", "));
    }
    Ok(())
}

/// What a target is run with. What it finds goes into a folder of its own; the corpus that is checked in is only read.
fn arguments(workspace: &Workspace, target: &str, time: Duration, command: &mut Command) -> Result<()> {
    let found = workspace.path(FOLDER).join("corpus").join(target);
    std::fs::create_dir_all(&found).with_context(|| format!("could not create {}", found.display()))?;
    command.arg(target).arg(found);
    let seeds = workspace.path(FOLDER).join("seeds").join(target);
    if seeds.is_dir() {
        command.arg(seeds);
    }
    // An input that takes 10 s, or for which more than 256 MB are allocated at once, is a finding as well.
    command.args(["--", "-timeout=10", "-malloc_limit_mb=256", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    command.arg(format!("-max_total_time={}", time.as_secs()));
    Ok(())
}

/// Every file in `fuzz_targets`, so that none is left out.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder: PathBuf = workspace.path(FOLDER).join("fuzz_targets");
    let mut targets = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("could not read {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == "rs") {
            targets.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    targets.sort();
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_is_declared() {
        let workspace = Workspace::here();
        let manifest = std::fs::read_to_string(workspace.path(FOLDER).join("Cargo.toml")).unwrap();
        let targets = targets(&workspace).unwrap();
        assert_eq!(targets.len(), manifest.matches("[[bin]]").count());
        for target in targets {
            assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
        }
    }
}
