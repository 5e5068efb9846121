//! The files that `weir run` and `weir check` are given.

use std::fmt;
use std::path::{Path, PathBuf};

use weir_plan::{LimitsFile, Plan, QueryFileError};

/// Every mistake in every file, a line each.
#[derive(Debug)]
pub(super) struct WrongFiles(pub(super) Vec<QueryFileError>);

impl fmt::Display for WrongFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for WrongFiles {}

/// Reads and checks all of them before anything runs. With limits that are wrong the queries are checked all the same,
/// as far as they do not depend on limits.
pub(super) fn load(queries: &[PathBuf], limits: Option<&Path>) -> Result<Vec<Plan>, WrongFiles> {
    load_both(queries, limits).map(|(plans, _)| plans)
}

/// As [`load`], with the limits file.
pub(super) fn load_both(
    queries: &[PathBuf],
    limits: Option<&Path>,
) -> Result<(Vec<Plan>, Option<LimitsFile>), WrongFiles> {
    let mut wrong = Vec::new();
    let limits = limits.and_then(|path| LimitsFile::load(path).map_err(|error| wrong.push(error)).ok());
    match Plan::load_all(queries, limits.as_ref()) {
        Ok(plans) if wrong.is_empty() => Ok((plans, limits)),
        Ok(_) => Err(WrongFiles(wrong)),
        Err(errors) => {
            wrong.extend(errors);
            Err(WrongFiles(wrong))
        }
    }
}

/// The files that `weir run` was given: those that are right run, whatever is wrong with others.
pub(super) struct Loaded {
    /// Plans, each with its file.
    pub(super) plans: Vec<(PathBuf, Plan)>,
    /// What is wrong with the others.
    pub(super) wrong: Vec<QueryFileError>,
}

/// Reads and checks all of them before anything runs.
///
/// # Errors
///
/// Limits that are wrong, under which nothing may run, or files of which none is right: every mistake in all of them.
pub(super) fn load_each(queries: &[PathBuf], limits: Option<&Path>) -> Result<Loaded, WrongFiles> {
    let mut wrong = Vec::new();
    let limits_file = limits.and_then(|path| LimitsFile::load(path).map_err(|error| wrong.push(error)).ok());
    let limits_wrong = !wrong.is_empty();
    let mut plans = Vec::with_capacity(queries.len());
    for (path, loaded) in queries.iter().zip(Plan::load_each(queries, limits_file.as_ref())) {
        match loaded {
            Ok(plan) => plans.push((path.clone(), plan)),
            Err(error) => wrong.push(error),
        }
    }
    if limits_wrong || plans.is_empty() { Err(WrongFiles(wrong)) } else { Ok(Loaded { plans, wrong }) }
}
