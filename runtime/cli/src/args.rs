//! What the command line takes.

pub(crate) mod control;
pub(crate) mod dead_letters;
#[cfg(feature = "redteam")]
pub(crate) mod redteam;
#[cfg(not(feature = "redteam"))]
#[path = "args/redteam_absent.rs"]
pub(crate) mod redteam;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};

/// Runs tenants' WebAssembly functions over streams of records.
///
/// Exit codes: 0 done (also when drained after ctrl-C, or when the reader of standard output went away); 1 a query
/// failed while it ran, could not start while others ran, is not running, or did not do in time what it was told, or an attack was not withstood; 2 the
/// command line, a query or limits file, a module or an input is wrong, and nothing ran; 130 a second ctrl-C ended it at
/// once; 3 a query was ended by force, because it had not finished within the grace time after a stop.
///
/// Modules are compiled by a process of their own, and what came of it is kept in the folder that WEIR_CODE_CACHE names
/// (`none` keeps nothing), by default weir/code in the user's cache folder. WEIR_LOG chooses what is logged.
/// Running queries are found by sockets in WEIR_RUNTIME_DIR, else XDG_RUNTIME_DIR/weir, else weir-UID in the folder of
/// temporary files.
#[derive(Debug, Parser)]
#[command(name = "weir", version)]
pub(crate) struct Args {
    /// Answer in JSON, one object a line: results on standard output, progress, summaries and errors on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run query files until their input ends or ctrl-C.
    Run(Run),
    /// Say what running queries do, or where a stopped one would go on.
    Status(control::Status),
    /// Watch running queries: stages, sinks and lags, every second.
    Top(control::Top),
    /// Let running queries read no more, until `resume`.
    Pause(control::Steer),
    /// Let paused queries go on.
    Resume(control::Steer),
    /// Let running queries finish what they have read, commit and end.
    Stop(control::Steer),
    /// Check query files, and say what they would do.
    Check(Check),
    /// Print the schema of a file, as a query file declares it; or the JSON Schema of query files, for editors.
    Schema(Schema),
    /// Say what a module declares, imports and costs.
    Inspect(Inspect),
    /// Run one function of a module over a file, and print rows, metrics, errors, fuel and time.
    Try(Try),
    /// List, show and replay the records that a query could not deal with.
    DeadLetters(dead_letters::DeadLetters),
    /// Make a guest crate that builds and passes its own test.
    New(New),
    /// Print shell completions, or write man pages.
    #[command(subcommand)]
    Generate(Generate),
    /// Attack this program with hostile modules, under your limits and on this machine, and report what became of each.
    Redteam(redteam::Redteam),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Print the completions of a shell to standard output.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write a man page for each command.
    Man {
        /// An existing folder for the pages (`weir.1`, `weir-run.1`, …).
        folder: PathBuf,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) files: Files,
    /// Print no progress and no summary.
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// How long a stop (a signal, `weir stop`) lets queries finish what they have read, in milliseconds. What a query has
    /// not finished shortly before that is given up and named, and after a signal the process ends with exit code 3.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=86_400_000))]
    pub(crate) grace_ms: u64,
    /// Open no socket: `status`, `pause`, `resume` and `stop` do not find the queries then.
    #[arg(long)]
    pub(crate) no_control: bool,
    /// Answer reads by HTTP: metrics for Prometheus at /metrics, health, and what `weir status` shows below /v1. Whoever can
    /// reach this address reads them: names of tenants, queries, files and topics, label values that functions record, and why
    /// queries failed.
    #[arg(long, value_name = "ADDRESS:PORT", env = "WEIR_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Let whoever can reach the address of --metrics-listen pause, resume and stop queries, too.
    #[arg(long, requires = "metrics_listen")]
    pub(crate) allow_steering: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) files: Files,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Files {
    /// Query files; several run side by side, each by itself.
    #[arg(required = true, value_name = "QUERY")]
    pub(crate) queries: Vec<PathBuf>,
    /// A limits file: what each tenant's queries may use, and where their files may lie.
    #[arg(long, value_name = "FILE")]
    pub(crate) limits: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Schema {
    /// A JSON lines, CSV, Parquet or Arrow IPC file.
    #[arg(required_unless_present_any = ["query", "limits"])]
    pub(crate) file: Option<PathBuf>,
    /// Print the JSON Schema of query files instead.
    #[arg(long, conflicts_with_all = ["file", "limits", "format"])]
    pub(crate) query: bool,
    /// Print the JSON Schema of limits files instead.
    #[arg(long, conflicts_with_all = ["file", "format"])]
    pub(crate) limits: bool,
    /// The format, where the file's suffix does not tell.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Records to look at where the format carries no schema.
    #[arg(long, default_value_t = 1000)]
    pub(crate) records_max: usize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Inspect {
    /// A WebAssembly module.
    pub(crate) module: PathBuf,
    /// A limits file: the module is admitted under what it gives the tenant.
    #[arg(long, value_name = "FILE")]
    pub(crate) limits: Option<PathBuf>,
    /// The tenant of the limits file.
    #[arg(long, default_value = "default", requires = "limits")]
    pub(crate) tenant: String,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Try {
    /// A WebAssembly module.
    pub(crate) module: PathBuf,
    /// The records: a JSON lines, CSV, Parquet or Arrow IPC file.
    #[arg(long, short)]
    pub(crate) input: PathBuf,
    /// The input's format, where its suffix does not tell.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// The fields to read and their types, as in "delay i64, origin utf8?", the question mark where nulls are admitted.
    /// Without it those that the function reads, of the file's types or of the function's.
    #[arg(long, value_name = "FIELDS")]
    pub(crate) schema: Option<String>,
    /// A limits file: the function is admitted and called under what it gives the tenant.
    #[arg(long, value_name = "FILE")]
    pub(crate) limits: Option<PathBuf>,
    /// The tenant of the limits file.
    #[arg(long, default_value = "default", requires = "limits")]
    pub(crate) tenant: String,
    /// The function, where the module has more than one.
    #[arg(long, short)]
    pub(crate) function: Option<String>,
    /// A parameter, as name=value; may stand several times.
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Carry all input fields into the output.
    #[arg(long)]
    pub(crate) carry: bool,
    /// Records to run over; all without it.
    #[arg(long, short = 'n')]
    pub(crate) records_max: Option<usize>,
    /// Output rows to print.
    #[arg(long, default_value_t = 20)]
    pub(crate) rows_max: usize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct New {
    /// The crate's name, and the folder's.
    pub(crate) name: String,
    /// The folder of the `weir-guest` crate; without it the one that this command was built beside.
    #[arg(long)]
    pub(crate) sdk: Option<PathBuf>,
}
