//! What the commands take that look at running queries, or steer them.

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// Names of queries, or query files. Default: all queries of this user.
    #[arg(value_name = "NAME|QUERY")]
    pub(crate) queries: Vec<String>,
    /// Only queries of this tenant.
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Refresh every second until no query runs any more.
    #[arg(long, short)]
    pub(crate) watch: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Steer {
    /// Names of queries, or query files.
    #[arg(value_name = "NAME|QUERY", required_unless_present = "all", conflicts_with = "all")]
    pub(crate) queries: Vec<String>,
    /// Only queries of this tenant.
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Only queries of the process with this id.
    #[arg(long)]
    pub(crate) pid: Option<u32>,
    /// All queries of this user.
    #[arg(long)]
    pub(crate) all: bool,
    /// How long to wait for each query, in milliseconds. The request remains in effect after that.
    #[arg(long, default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(0..=600_000))]
    pub(crate) timeout_ms: u64,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    /// An address of `weir run --metrics-listen`. May be repeated. Default: all queries of this user, through their control
    /// sockets.
    #[arg(long = "endpoint", value_name = "URL")]
    pub(crate) endpoints: Vec<String>,
    /// Print one table and exit.
    #[arg(long)]
    pub(crate) once: bool,
}
