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
    /// List dead letters, one per line. Lines that are not dead letters are reported, and the exit code is then 1.
    List(List),
    /// Show all details of one dead letter.
    Show(Show),
    /// Run dead letters through the query again, each from the point where it failed.
    ///
    /// During the replay they are in a separate file with the suffix `.replaying`, afterwards in `.replayed-1`, `-2`, …, which
    /// you may remove. The next replay continues an unfinished one.
    Replay(Replay),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Query {
    /// The query file.
    #[arg(value_name = "QUERY")]
    pub(crate) file: PathBuf,
    /// A limits file: the resources, folders, topics and variables that the query's tenant may use.
    #[arg(long, value_name = "FILE")]
    pub(crate) limits: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Filter {
    /// Only dead letters of this source, stage or sink.
    #[arg(long)]
    pub(crate) place: Option<String>,
    /// Only dead letters with this code. `trap` finds all that made a function trap (including panics), `guest` all that a
    /// function refused.
    #[arg(long)]
    pub(crate) code: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) query: Query,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Count dead letters by place and code instead.
    #[arg(long)]
    pub(crate) summary: bool,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(crate) query: Query,
    /// The number in the list.
    pub(crate) number: u64,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) query: Query,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Only dead letters with these numbers in the list.
    #[arg(long, value_name = "N", num_args = 1.., value_delimiter = ',')]
    pub(crate) only: Vec<u64>,
    /// Print no progress and no summary.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}
