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
/// Exit codes: 0 success (also when drained after ctrl-C, or when the reader of standard output closes it); 1 a query
/// failed, could not start while others ran, is not running, or did not complete a request in time, or an attack
/// succeeded; 2 nothing ran because the command line, a query or limits file, a module or an input is wrong; 3 a query
/// was ended by force because it did not finish within the grace time after a stop; 130 a second ctrl-C ended the
/// process at once.
///
/// A separate process compiles modules. WEIR_CODE_CACHE sets the folder for compiled code (default: weir/code in the
/// user's cache folder; `none` turns the cache off). WEIR_LOG sets the log level. Commands find running queries by
/// sockets in WEIR_RUNTIME_DIR, or else XDG_RUNTIME_DIR/weir, or else weir-UID in the temporary folder.
#[derive(Debug, Parser)]
#[command(name = "weir", version)]
pub(crate) struct Args {
    /// Print JSON, one object per line: results on standard output; progress, summaries and errors on standard error.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run query files until their input ends or ctrl-C.
    Run(Run),
    /// Show the state of running queries, or the stored state of a stopped one.
    Status(control::Status),
    /// Watch running queries: stages, sinks and lag, updated every second.
    Top(control::Top),
    /// Pause running queries: they read nothing until `resume`.
    Pause(control::Steer),
    /// Resume paused queries.
    Resume(control::Steer),
    /// Stop running queries: they finish what they have read, commit and end.
    Stop(control::Steer),
    /// Check query files and describe what they would do.
    Check(Check),
    /// Print the schema of a file in query-file syntax, or the JSON Schema of query files for editors.
    Schema(Schema),
    /// Show a module's functions, imports and compile cost.
    Inspect(Inspect),
    /// Run one function of a module over a file and print rows, metrics, errors, fuel and time.
    Try(Try),
    /// List, show and replay records that a query could not process.
    DeadLetters(dead_letters::DeadLetters),
    /// Create a guest crate that builds and passes its own test.
    New(New),
    /// Print shell completions or write man pages.
    #[command(subcommand)]
    Generate(Generate),
    /// Attack this program with hostile modules on this machine and with your limits, and report the outcome of each attack.
    Redteam(redteam::Redteam),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Print completions for a shell to standard output.
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
    /// Grace time after a stop (a signal, `weir stop`) for queries to finish what they have read, in milliseconds. Shortly
    /// before it expires, unfinished queries are ended and reported; after a signal, the process then exits with code 3.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(100..=86_400_000))]
    pub(crate) grace_ms: u64,
    /// Run the queries in a confined process of their tenant's, also where they are all of one tenant. Queries of several tenants
    /// always run so: one that crashes, hangs or is taken over reaches no other tenant.
    #[arg(long, requires = "limits")]
    pub(crate) workers: bool,
    /// Run workers without these walls: `landlock` also admits tenants whose `folders` the limits file does not bound. Without this
    /// option, queries of several tenants do not run where the kernel lacks `seccomp` or `landlock`. If all walls are given up
    /// (`seccomp,landlock,landlock-scopes,mdwe`), several tenants share one process.
    #[arg(long, value_name = "WALL", value_delimiter = ',')]
    pub(crate) allow_weak: Vec<weir_confine::Wall>,
    /// The folder in which the processes, users and locks of tenants are kept between runs: what a run that was killed left is ended by
    /// the next one. Outside of all folders of tenants; one run at a time uses it. Default: nothing is kept.
    #[arg(long, value_name = "DIR", requires = "workers")]
    pub(crate) registry: Option<PathBuf>,
    /// Open no control socket. `status`, `pause`, `resume` and `stop` then do not find the queries.
    #[arg(long)]
    pub(crate) no_control: bool,
    /// Serve read-only HTTP on this address: metrics for Prometheus at /metrics, health checks, and the state of queries
    /// below /v1. There is no authentication: anybody who can connect can read the names of tenants, queries, files and
    /// topics, label values that functions record, and the reasons why queries failed.
    #[arg(long, value_name = "ADDRESS:PORT", env = "WEIR_METRICS_LISTEN")]
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// Allow pausing, resuming and stopping queries through the address of --metrics-listen.
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
    /// Query files. Several files run side by side, independently of each other.
    #[arg(required = true, value_name = "QUERY")]
    pub(crate) queries: Vec<PathBuf>,
    /// A limits file: the resources, folders, topics and variables that each tenant's queries may use.
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
    /// The format of the file. Default: from its suffix.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// Number of records from which to infer a schema, for formats without one.
    #[arg(long, default_value_t = 1000)]
    pub(crate) records_max: usize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Inspect {
    /// A WebAssembly module.
    pub(crate) module: PathBuf,
    /// A limits file: admit the module with the tenant's limits.
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
    /// The format of the input. Default: from its suffix.
    #[arg(long)]
    pub(crate) format: Option<String>,
    /// The fields to read and their types, for example "delay i64, origin utf8?". A question mark allows nulls. Default: the
    /// fields that the function reads, with the types of the file or of the function.
    #[arg(long, value_name = "FIELDS")]
    pub(crate) schema: Option<String>,
    /// A limits file: admit and call the function with the tenant's limits.
    #[arg(long, value_name = "FILE")]
    pub(crate) limits: Option<PathBuf>,
    /// The tenant of the limits file.
    #[arg(long, default_value = "default", requires = "limits")]
    pub(crate) tenant: String,
    /// The function to run. Required if the module has more than one.
    #[arg(long, short)]
    pub(crate) function: Option<String>,
    /// A parameter as name=value. May be repeated.
    #[arg(long = "param", short = 'p', value_name = "NAME=VALUE")]
    pub(crate) params: Vec<String>,
    /// Keep all input fields in the output.
    #[arg(long)]
    pub(crate) carry: bool,
    /// Maximum number of records to process. Default: all.
    #[arg(long, short = 'n')]
    pub(crate) records_max: Option<usize>,
    /// Maximum number of output rows to print.
    #[arg(long, default_value_t = 20)]
    pub(crate) rows_max: usize,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct New {
    /// The name of the crate and of its folder.
    pub(crate) name: String,
    /// The folder of the `weir-guest` crate. Default: the one from which this command was built.
    #[arg(long)]
    pub(crate) sdk: Option<PathBuf>,
}
