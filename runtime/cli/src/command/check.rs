//! `weir check`.

use std::io::Write;

use weir_query::Plan;

use crate::args;
use crate::exit::{Exit, wrong};

pub(crate) fn check(args: &args::Check) -> anyhow::Result<Exit> {
    let plan = Plan::load(&args.query).map_err(wrong)?;
    let mut stdout = std::io::stdout().lock();
    write!(stdout, "{plan}")?;
    for warning in &plan.warnings {
        writeln!(stdout, "warning: {warning}")?;
    }
    Ok(Exit::Done)
}
