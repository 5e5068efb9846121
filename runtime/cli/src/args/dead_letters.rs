//! What `weir dead-letters` takes.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

#[derive(Debug, ClapArgs)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List them, one a line. Lines of the file that are no letters are named, and make the exit code 1.
    List(List),
    /// Show everything about one of them.
    Show(Show),
    /// Run them through the query again, each from where it died.
    ///
    /// While they run they are in a file of their own, with `.replaying` behind the name, and afterwards in
    /// `.replayed-1`, `-2`, … which are yours to remove. A replay that did not finish is taken up by the next one.
    Replay(Replay),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Query {
    /// The query file whose dead letters they are.
    #[arg(value_name = "QUERY")]
    pub(crate) file: PathBuf,
    /// A limits file: what the query's tenant may use, and where its files may lie.
    #[arg(long, value_name = "FILE")]
    pub(crate) limits: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Filter {
    /// Only those of this source or stage.
    #[arg(long)]
    pub(crate) place: Option<String>,
    /// Only those with this code; `trap` finds all that ended a function by itself (panics among them), `guest` all that a function
    /// refused.
    #[arg(long)]
    pub(crate) code: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) query: Query,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Count them by place and code instead.
    #[arg(long)]
    pub(crate) summary: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) query: Query,
    /// Its number in the list.
    pub(crate) number: u64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) query: Query,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Only those with these numbers in the list.
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',')]
    pub(crate) only: Vec<u64>,
    /// Print no progress and no summary.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}
