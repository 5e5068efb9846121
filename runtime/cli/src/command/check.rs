//! `weir check`.

use std::io::Write;

use serde_json::{Value, json};
use weir_query::{Plan, Problem};

use crate::args;
use crate::exit::{Exit, wrong};

pub(crate) fn check(args: &args::Check, json: bool) -> anyhow::Result<Exit> {
    let mut stdout = std::io::stdout().lock();
    let plan = match Plan::load(&args.query) {
        Ok(plan) => plan,
        Err(error) if json => {
            let problems: Vec<Value> = error.problems.iter().map(problem).collect();
            writeln!(stdout, "{}", json!({ "right": false, "problems": problems }))?;
            return Ok(Exit::Wrong);
        }
        Err(error) => return Err(wrong(error)),
    };
    if json {
        let warnings: Vec<Value> = plan.warnings.iter().map(problem).collect();
        writeln!(stdout, "{}", json!({ "right": true, "query": plan.name, "warnings": warnings }))?;
        return Ok(Exit::Done);
    }
    write!(stdout, "{plan}")?;
    for warning in &plan.warnings {
        writeln!(stdout, "warning: {warning}")?;
    }
    Ok(Exit::Done)
}

fn problem(problem: &Problem) -> Value {
    json!({
        "key": problem.key,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
        "help": problem.help,
    })
}
