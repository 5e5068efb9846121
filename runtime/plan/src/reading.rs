//! Reading a query file for a process that resolves it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use serde::{Deserialize, Serialize};
use weir_config::{KeyPlace, Problem, Problems, QueryDraft, QueryFileError, QueryReader, Topics};

use super::connectors::Connectors;
use super::limits_file::LimitsFile;
use super::load::{resolve, tenant};
use super::plan::Plan;
use super::text;

/// A query file that was read and not resolved: nothing that it names was looked at. Can be serialised and resolved by another
/// process ([`Plan::of_draft`](super::Plan::of_draft)).
#[derive(Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueryReading {
    /// What the file says.
    pub draft: QueryDraft,
    /// What is wrong so far, with the text that later problems take their lines from.
    pub problems: Problems,
}

/// What a query file asks for before it can be read: whose it is, and which variables of the environment it names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct QueryNeeds {
    /// The tenant, as it is written; `None` where that is no text.
    pub tenant: Option<String>,
    /// Names of variables, in alphabetical order.
    pub variables: Vec<String>,
}

impl QueryNeeds {
    /// Of the text of a query file.
    ///
    /// # Errors
    ///
    /// Every mistake of TOML itself.
    pub fn of(text: &str) -> Result<QueryNeeds, Vec<Problem>> {
        let mut reader = QueryReader::begin(text)?;
        let tenant = reader.tenant().value;
        let named = std::cell::RefCell::new(std::collections::BTreeSet::new());
        let lookup = |name: &str| -> Option<OsString> {
            named.borrow_mut().insert(name.to_owned());
            None
        };
        reader.take_environment(tenant.as_deref().unwrap_or_default(), &Topics::anything(), &lookup);
        Ok(QueryNeeds { tenant, variables: named.into_inner().into_iter().collect() })
    }
}

impl QueryReading {
    /// Reads a query file with these variables, within a limits file that may hold nothing but its own tenant's limits.
    ///
    /// # Errors
    ///
    /// Every mistake in a file that may not speak for its tenant, or that is not TOML. Mistakes of a file that can be resolved
    /// further are in [`QueryReading::problems`].
    pub fn of(
        text: &str,
        path: &Path,
        limits: &LimitsFile,
        variables: &BTreeMap<String, OsString>,
    ) -> Result<QueryReading, Vec<Problem>> {
        let mut reader = QueryReader::begin(text)?;
        let written = reader.tenant().value;
        let found = tenant(written.as_deref(), &reader.tenant_place(), reader.problems(), Some(path), Some(limits));
        let Some((id, Some(given))) = found else {
            // Such a file has a mistake at least: that of its tenant.
            return Err(reader.refuse().finish().err().unwrap_or_default());
        };
        reader.take_environment(id.as_str(), &given.topics, &|name| variables.get(name).cloned());
        let (draft, problems) = reader.finish();
        Ok(QueryReading { draft, problems })
    }
}

impl Plan {
    /// Resolves what another process has read of the query file at this path, within what a limits file gives its tenant.
    /// The draft need not be true to the file: whatever it says is checked here.
    ///
    /// # Errors
    ///
    /// As [`Plan::load`].
    pub fn of_draft(reading: QueryReading, path: &Path, limits: &LimitsFile) -> Result<Plan, QueryFileError> {
        let QueryReading { draft, problems } = reading;
        let place = draft.tenant.place.clone().unwrap_or_else(|| KeyPlace::default().child("tenant", 0));
        let tenant = tenant(draft.tenant.value.as_deref(), &place, &problems, Some(path), Some(limits));
        let plan = match tenant {
            Some((_, Some(_))) => {
                let at = (text::folder_of(path), Some(path));
                resolve(draft, tenant, at, limits.path(), &Connectors::default(), &problems)
            }
            // Whoever may not speak for a tenant gets nothing resolved.
            _ => None,
        };
        let wrong = |problems| QueryFileError::new(path, problems);
        let (mut plan, warnings) = text::finish(plan, problems).map_err(wrong)?;
        plan.warnings = warnings;
        Ok(plan)
    }
}
