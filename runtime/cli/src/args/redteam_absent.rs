//! What `weir redteam` takes in a build without it.

use clap::Args;

/// Anything: the command says what is missing, whatever was asked.
#[derive(Debug, Args)]
pub(crate) struct Redteam {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub(crate) arguments: Vec<String>,
}
