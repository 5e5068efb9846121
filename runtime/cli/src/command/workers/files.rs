//! Query files, read by a process without a tenant.

use std::path::{Path, PathBuf};

use weir_frame::{DraftProblem, RequestId, ToWorker};
use weir_plan::{LimitsFile, read_query_file};
use weir_sandbox::TenantId;

/// One of the query files that the command was given.
pub(super) struct QueryFile {
    pub(super) path: PathBuf,
    /// The tenant that it names, whether it may or not.
    pub(super) named: Option<String>,
    /// The tenant that it may speak for.
    pub(super) tenant: Option<TenantId>,
    /// What a reader made of it.
    pub(super) draft: Option<Vec<u8>>,
    /// Everything that is wrong with it, a line each.
    pub(super) wrong: Option<String>,
    /// The frame that its reader gets once it is there.
    pub(super) waiting: Option<ToWorker>,
}

impl QueryFile {
    pub(super) fn new(path: &Path) -> QueryFile {
        QueryFile { path: path.to_owned(), named: None, tenant: None, draft: None, wrong: None, waiting: None }
    }

    /// The frame by which a reader gets its text, which nobody has looked at.
    pub(super) fn read(&mut self, request: RequestId) -> Option<ToWorker> {
        match read_query_file(&self.path) {
            Ok(text) => Some(ToWorker::Read { request, file: self.path.to_string_lossy().into_owned(), text }),
            Err(error) => {
                self.wrong = Some(error.to_string());
                None
            }
        }
    }

    /// What it may have, by the tenant that it names.
    pub(super) fn grant(
        &mut self,
        request: RequestId,
        tenant: Option<&str>,
        variables: &[String],
        limits: &LimitsFile,
    ) -> Result<ToWorker, weir_worker::WorkerError> {
        self.named = tenant.map(str::to_owned);
        let granted = tenant.and_then(|tenant| {
            let tenant = tenant.parse::<TenantId>().ok()?;
            let granted = limits.granted(&self.path, &tenant)?;
            Some((tenant, granted))
        });
        let Some((tenant, granted)) = granted else {
            return Ok(ToWorker::Grant { request, limits: Vec::new(), variables: Vec::new() });
        };
        use std::os::unix::ffi::OsStringExt;
        let allowed = variables.iter().filter(|name| granted.topics.allows_env(name));
        let values = allowed.filter_map(|name| Some((name.clone(), std::env::var_os(name)?.into_vec())));
        let bytes = weir_worker::limits_to_bytes(tenant.as_str(), granted, limits.path())?;
        let grant = ToWorker::Grant { request, limits: bytes, variables: values.collect() };
        self.tenant = Some(tenant);
        Ok(grant)
    }

    /// Takes what a reader made of it.
    pub(super) fn drafted(&mut self, draft: Option<Vec<u8>>, problems: &[DraftProblem]) {
        if !problems.is_empty() {
            self.wrong = Some(said(&self.path, problems));
        } else if draft.is_none() {
            self.wrong = Some(format!("{}: the reader found neither a query nor a mistake", self.path.display()));
        }
        self.draft = draft.filter(|_| problems.is_empty());
    }
}

/// Problems of a file, a line each.
pub(super) fn said(path: &Path, problems: &[DraftProblem]) -> String {
    let line = |problem: &DraftProblem| match problem.line {
        0 => format!("{}: {}", path.display(), problem.text),
        line => format!("{}:{line}: {}", path.display(), problem.text),
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
