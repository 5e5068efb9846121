//! What `weir redteam` takes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Redteam {
    /// A limits file: run the attackers with the tenant's limits.
    #[arg(long)]
    pub(crate) limits: Option<PathBuf>,
    /// The tenant of the limits file whose limits the attackers get.
    #[arg(long, default_value = "default", requires = "limits")]
    pub(crate) tenant: String,
    /// Only these rows of the catalogue or names in the report; `runaway` is the guest that never returns.
    #[arg(long, value_name = "ROW|NAME", num_args = 1.., value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Only attacks of these classes: cpu, memory, compile, upload, border, output, speech, life, host.
    #[arg(long, value_name = "CLASS", num_args = 1.., value_delimiter = ',')]
    pub(crate) class: Vec<String>,
    /// Attack with this module instead of the suite. May be repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Vec<PathBuf>,
    /// The expected outcome: refused, ended, answered, or contained (any of these), optionally with codes after a colon.
    #[arg(long, value_name = "HOW[:CODE,…]", requires = "module", default_value = "contained")]
    pub(crate) expect: weir_redteam::Expected,
    /// Use short windows and few samples: check that everything holds, without reliable figures.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How long to repeat each attack next to the victim, in milliseconds.
    #[arg(long, conflicts_with = "quick", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub(crate) window_ms: Option<u64>,
    /// How often to measure each attack.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: u64,
    /// Repeat all attacks for this many seconds without measuring losses, and watch the resources of the process.
    #[arg(long = "loop", value_name = "SECONDS", conflicts_with_all = ["rounds", "window_ms"])]
    pub(crate) loop_s: Option<u64>,
    /// Run the attacks on the host against one process for all tenants, instead of a worker for each.
    #[arg(long, conflicts_with = "loop_s")]
    pub(crate) one_process: bool,
    /// Print Markdown instead of a table.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
}
