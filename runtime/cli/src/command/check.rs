//! `weir check`.

use std::io::Write;

use serde_json::{Value, json};
use weir_plan::{LimitsFile, Plan, Problem, QueryFileError};

use super::files::{WrongFiles, load_both};
use crate::args;
use crate::exit::{Exit, wrong};

pub(crate) fn check(args: &args::Check, json: bool) -> anyhow::Result<Exit> {
    let args::Files { queries, limits } = &args.files;
    // If only one query file is given, its result needs no name.
    let alone = queries.len() == 1 && limits.is_none();
    let mut stdout = std::io::stdout().lock();
    let (plans, limits) = match load_both(queries, limits.as_deref()) {
        Ok(plans) => plans,
        Err(WrongFiles(files)) if json => {
            for file in &files {
                writeln!(stdout, "{}", wrong_file(file, alone))?;
            }
            return Ok(Exit::Wrong);
        }
        Err(error) => return Err(wrong(error)),
    };
    for (index, (plan, path)) in plans.iter().zip(queries).enumerate() {
        if json {
            let mut said = right(plan);
            if let (Some(warning), Some(warnings)) =
                (open_to_all(plan, limits.as_ref()), said["warnings"].as_array_mut())
            {
                warnings.push(json!({ "key": "tenant", "line": 0, "column": 0, "message": warning, "help": "" }));
            }
            if !alone {
                said["file"] = path.display().to_string().into();
                said["tenant"] = plan.tenant.as_str().into();
            }
            writeln!(stdout, "{said}")?;
            continue;
        }
        if index > 0 {
            writeln!(stdout)?;
        }
        write!(stdout, "{plan}")?;
        for warning in &plan.warnings {
            writeln!(stdout, "warning: {warning}")?;
        }
        if let Some(warning) = open_to_all(plan, limits.as_ref()) {
            writeln!(stdout, "warning: {warning}")?;
        }
    }
    Ok(Exit::Done)
}

/// A tenant whom the limits file lets everybody speak for.
fn open_to_all(plan: &Plan, limits: Option<&LimitsFile>) -> Option<String> {
    let given = limits?.of(&plan.tenant)?;
    given.queries.paths().is_none().then(|| {
        format!(
            "query files in any folder may use the tenant `{}`: list its folders in the limits file, `queries = [\"folder\"]`",
            plan.tenant
        )
    })
}

fn right(plan: &Plan) -> Value {
    let warnings: Vec<Value> = plan.warnings.iter().map(problem).collect();
    json!({ "right": true, "query": plan.name, "warnings": warnings })
}

fn wrong_file(file: &QueryFileError, alone: bool) -> Value {
    let problems: Vec<Value> = file.problems.iter().map(problem).collect();
    let mut said = json!({ "right": false, "problems": problems });
    if !alone {
        said["file"] = file.path.display().to_string().into();
    }
    said
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
