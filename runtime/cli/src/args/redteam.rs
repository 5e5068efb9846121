//! What `weir redteam` takes.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Redteam {
    /// A limits file: the attackers get what it gives the tenant.
    #[arg(long)]
    pub(crate) limits: Option<PathBuf>,
    /// The tenant of the limits file whose limits the attackers get.
    #[arg(long, default_value = "default", requires = "limits")]
    pub(crate) tenant: String,
    /// Only these rows of the catalogue, or names of the report; `runaway` is the guest that never stops.
    #[arg(long, value_name = "ROW|NAME", num_args = 1.., value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Only what is aimed at this: cpu, memory, compile, upload, border, output, speech, life.
    #[arg(long, value_name = "CLASS", num_args = 1.., value_delimiter = ',')]
    pub(crate) class: Vec<String>,
    /// Attack with this module of your own instead of the suite; may stand several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) module: Vec<PathBuf>,
    /// What should become of it: refused, ended, answered, or contained for any of these; codes after a colon.
    #[arg(long, value_name = "HOW[:CODE,…]", requires = "module", default_value = "contained")]
    pub(crate) expect: weir_redteam::Expected,
    /// Short windows and few samples: whether everything holds, not what it costs others.
    #[arg(long)]
    pub(crate) quick: bool,
    /// How long each attack is repeated beside the victim, in milliseconds.
    #[arg(long, conflicts_with = "quick", value_parser = clap::value_parser!(u64).range(1..=600_000))]
    pub(crate) window_ms: Option<u64>,
    /// How often each attack is measured.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) rounds: u64,
    /// Measure nothing; run everything again and again for so many seconds, and watch what the process takes.
    #[arg(long = "loop", value_name = "SECONDS", conflicts_with_all = ["rounds", "window_ms"])]
    pub(crate) loop_s: Option<u64>,
    /// Print Markdown instead of a table.
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
}
