//! Feeds the sandbox with modules that others made, and counts what becomes of them: see `docs/corpora.md`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use weir_corpora::{Corpus, Plan, Report, Run, RunError};

/// Feeds the sandbox with modules that others made, and counts what becomes of them. Exits with 1 where anything
/// happens that must not: a panic, a fault of the host's own, an account that does not add up, a mutant that disagrees
/// with its original. Without --modules and --seconds it goes on until it is interrupted.
#[derive(Parser)]
struct Arguments {
    /// What everything is made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many modules in all, shared out over the corpora
    #[arg(long)]
    modules: Option<u64>,
    /// For how long
    #[arg(long)]
    seconds: Option<u64>,
    /// One corpus only, or several: spec, spec_dressed, smith, smith_fitted, host_calls, mutants_same, mutants, damaged
    #[arg(long, value_parser = corpus)]
    corpus: Vec<Corpus>,
    /// One item of the one corpus only: its module is kept, and what became of it is told
    #[arg(long)]
    index: Option<u64>,
    /// The folder that modules of failures are written to
    #[arg(long, default_value = "target/corpora")]
    failures: PathBuf,
    /// JSON instead of the table
    #[arg(long)]
    json: bool,
}

fn corpus(name: &str) -> Result<Corpus, String> {
    let names = Corpus::ALL.map(Corpus::name).join(", ");
    Corpus::from_name(name).ok_or_else(|| format!("unknown corpus: use one of {names}"))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let report = match run(&arguments) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    if arguments.json {
        match serde_json::to_string_pretty(&report) {
            Ok(json) => println!("{json}"),
            Err(error) => eprintln!("error: {error}"),
        }
    } else {
        print!("{}", report.table());
    }
    if report.failures() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(arguments: &Arguments) -> Result<Report, RunError> {
    let corpora = if arguments.corpus.is_empty() { Corpus::ALL.to_vec() } else { arguments.corpus.clone() };
    let run = Run::new(Plan {
        seed: arguments.seed,
        corpora: corpora.clone(),
        modules: arguments.modules,
        time: arguments.seconds.map(Duration::from_secs),
        spec_stride: 1,
        failures: arguments.failures.clone(),
    })?;
    let mut log = std::io::stderr();
    let Some(index) = arguments.index else { return run.all(&mut log) };
    let mut report = Report { seed: arguments.seed, ..Report::default() };
    for corpus in corpora {
        if let Some(trial) = run.one(corpus, index, &mut report, &mut log)? {
            eprintln!("{trial:#?}");
            eprintln!("the module is {}", run.current(corpus).display());
        }
    }
    Ok(report)
}
