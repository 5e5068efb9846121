//! `weir redteam` in a build without it.

use anyhow::anyhow;

use crate::args::redteam::Redteam;
use crate::exit::{Exit, wrong};

/// Says in one line how to get it.
pub(crate) fn redteam(args: &Redteam, _json: bool) -> anyhow::Result<Exit> {
    let arguments: String = args.arguments.iter().map(|argument| format!(" {argument:?}")).collect();
    Err(wrong(anyhow!(
        "`weir redteam` is not included in this build (the feature `redteam` is off): use a release, or \
         `cargo run --release --package weir-cli -- redteam{arguments}`"
    )))
}
