//! Which runs need workers.

use std::collections::BTreeSet;

use weir_confine::Wall;

use super::host::Host;
use crate::args;
use crate::exit::{Exit, wrong};

/// Tenants that a message names.
const SHOWN: usize = 4;

/// `weir run`: queries of several tenants run in workers, and so does a run that asks for them. Queries of one tenant share this process,
/// as do those of several where the operator has given up every wall by name.
pub(crate) fn run_or_not(args: &args::Run, json: bool) -> anyhow::Result<Exit> {
    let has_no_walls = Wall::ALL.iter().all(|wall| args.allow_weak.contains(wall));
    let may_need_workers = args.files.queries.len() > 1 && !has_no_walls;
    if (args.workers || may_need_workers)
        && let Some(exit) = super::run(args, json)?
    {
        return Ok(exit);
    }
    crate::command::run::run(args, json)
}

/// Whether the files that were read are of several tenants.
///
/// # Errors
///
/// They are, and cannot be kept apart.
pub(super) fn needs_workers(host: &Host, is_bounded: bool) -> anyhow::Result<bool> {
    let named = host.named();
    if named.len() < 2 {
        return Ok(false);
    }
    let tenants = listed(&named);
    let every = Wall::ALL.map(Wall::name).join(",");
    if !is_bounded {
        return Err(wrong(anyhow::anyhow!(
            "queries of several tenants ({tenants}) run in a confined process each, which needs a limits file with `folders` for each tenant: pass `--limits FILE`, run each tenant's queries by themselves, or give up every wall with `--allow-weak={every}`"
        )));
    }
    let lacking = host.lacking();
    if !lacking.is_empty() {
        let lacking = lacking.iter().map(|wall| wall.name()).collect::<Vec<_>>().join(",");
        return Err(wrong(anyhow::anyhow!(
            "queries of several tenants ({tenants}) are not run: this kernel lacks {lacking}; use a newer kernel, run each tenant's queries by themselves, or give that up with `--allow-weak={lacking}`"
        )));
    }
    Ok(true)
}

fn listed(named: &BTreeSet<&str>) -> String {
    let shown = named.iter().take(SHOWN).map(|name| format!("`{}`", weir_text::escape_to(name, 64)));
    let mut shown = shown.collect::<Vec<_>>().join(", ");
    if named.len() > SHOWN {
        shown.push_str(&format!(" and {} more", named.len() - SHOWN));
    }
    shown
}
