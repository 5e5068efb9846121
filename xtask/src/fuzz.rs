//! `cargo xtask fuzz`: runs every fuzz target for some minutes; `fuzz-short` runs those in `fuzz/decoders` for seconds, as `ci`
//! does.
//!
//! The long run uses AddressSanitizer, whose runtime the stable compiler includes. `RUSTC_BOOTSTRAP=1` enables the flag.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::shell::{self, Workspace};
use crate::steps::Outcome;
use crate::wheel::CARGO_FUZZ;

/// The targets for file formats, which need neither an engine nor a Kafka client, and compile in minutes.
const DECODERS: &str = "fuzz/decoders";
/// All folders, including the targets that need the sandbox and queries.
const ALL: [&str; 2] = [DECODERS, "fuzz"];

/// The target folder for the long run.
const TARGET_FOLDER: &str = "target/fuzz";
/// The target folder for the short run, which uses other options.
const TARGET_FOLDER_SHORT: &str = "target/fuzz-short";

const LONG: Duration = Duration::from_secs(180);
const SHORT: Duration = Duration::from_secs(20);

/// Runs each target for three minutes.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let program = CARGO_FUZZ.find(workspace)?;
    ALL.into_iter().try_for_each(|folder| Fuzzers { workspace, program: &program, folder }.run_each(LONG))
}

/// Runs each target of the file formats for 20 seconds.
pub(crate) fn run_short(workspace: &Workspace) -> Result<()> {
    let program = CARGO_FUZZ.find(workspace)?;
    Fuzzers { workspace, program: &program, folder: DECODERS }.run_each(SHORT)
}

/// The same as a step of `ci`: skipped if `cargo-fuzz` is not available.
pub(crate) fn step(workspace: &Workspace) -> Result<Outcome> {
    let program = match CARGO_FUZZ.find(workspace) {
        Ok(program) => program,
        Err(missing) => return Ok(Outcome::Skipped(format!("{missing:#}"))),
    };
    Fuzzers { workspace, program: &program, folder: DECODERS }.run_each(SHORT).map(|()| Outcome::Done)
}

/// The targets of one crate.
#[derive(Debug)]
struct Fuzzers<'a> {
    workspace: &'a Workspace,
    /// `cargo-fuzz`.
    program: &'a PathBuf,
    /// The crate, below the workspace's root.
    folder: &'static str,
}

impl Fuzzers<'_> {
    fn run_each(&self, time: Duration) -> Result<()> {
        shell::run(&mut self.cargo_fuzz("build", time))?;
        let mut failed = Vec::new();
        for target in targets(self.workspace, self.folder)? {
            println!("\n==== fuzz {target} for {} s", time.as_secs());
            let mut command = self.cargo_fuzz("run", time);
            command.args(self.arguments(&target, time)?);
            if let Err(error) = shell::run(&mut command) {
                eprintln!("{error:#}");
                failed.push(target);
            }
        }
        if !failed.is_empty() {
            bail!("fuzz targets that failed: {} (their inputs are in {}/artifacts)", failed.join(", "), self.folder);
        }
        Ok(())
    }

    fn cargo_fuzz(&self, command: &str, time: Duration) -> Command {
        let mut cargo_fuzz = self.workspace.command(self.program);
        cargo_fuzz.env("RUSTC_BOOTSTRAP", "1").args([command, "--fuzz-dir", self.folder]);
        match time == SHORT {
            // Twenty seconds are enough to find panics, and inputs that take much time or memory. With the sanitizer, compiling
            // Arrow and Parquet took four times as long as running all targets. Without optimisation, a target processed four
            // inputs per second.
            true => cargo_fuzz
                .args(["--sanitizer", "none"])
                .env("CARGO_TARGET_DIR", self.workspace.path(TARGET_FOLDER_SHORT)),
            false => cargo_fuzz.env("CARGO_TARGET_DIR", self.workspace.path(TARGET_FOLDER)),
        };
        cargo_fuzz
    }

    /// The arguments for a target: folders of inputs, of which the fuzzer adds to the first, and options.
    fn arguments(&self, target: &str, time: Duration) -> Result<Vec<OsString>> {
        let crate_folder = self.workspace.path(self.folder);
        // The short run, which checks a change, is the same each time; the long run continues with the inputs of earlier ones.
        let is_short = time == SHORT;
        let found = crate_folder.join(if is_short { "corpus/short" } else { "corpus" }).join(target);
        if is_short && found.exists() {
            fs::remove_dir_all(&found).with_context(|| format!("could not remove {}", found.display()))?;
        }
        fs::create_dir_all(&found).with_context(|| format!("could not create {}", found.display()))?;
        let mut arguments: Vec<OsString> = vec![target.into(), found.clone().into()];
        let seeds = crate_folder.join("seeds");
        let packed = seeds.join(format!("{target}.tar.gz"));
        if packed.is_file() {
            let mut tar = self.workspace.command("tar");
            shell::run(tar.arg("-xzf").arg(packed).arg("--strip-components=1").arg("-C").arg(found))?;
        }
        if seeds.join(target).is_dir() {
            arguments.push(seeds.join(target).into());
        }
        // An input that takes 10 s, or allocates more than 256 MB at once, is an error too.
        let options = ["--", "-timeout=10", "-malloc_limit_mb=256", "-rss_limit_mb=2048", "-print_final_stats=1"];
        arguments.extend(options.map(OsString::from));
        arguments.push(format!("-max_total_time={}", time.as_secs()).into());
        if is_short {
            arguments.push("-seed=1".into());
        }
        let dictionary = crate_folder.join("dictionaries").join(format!("{target}.dict"));
        if dictionary.is_file() {
            arguments.push([OsString::from("-dict="), dictionary.into()].into_iter().collect());
        }
        Ok(arguments)
    }
}

/// All files in `fuzz_targets`, so that none is forgotten.
fn targets(workspace: &Workspace, folder: &str) -> Result<Vec<String>> {
    let folder: PathBuf = workspace.path(folder).join("fuzz_targets");
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
        for folder in ALL {
            let manifest = fs::read_to_string(workspace.path(folder).join("Cargo.toml")).unwrap();
            let targets = targets(&workspace, folder).unwrap();
            assert_eq!(targets.len(), manifest.matches("[[bin]]").count());
            for target in targets {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")), "{target}");
            }
        }
    }
}
