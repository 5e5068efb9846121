//! Drafts go to workers of their tenants, which say what each query claims.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use weir_confine::Wall;
use weir_frame::{QueryId, Steering, ToWorker};
use weir_plan::{QueryFileError, clashes};
use weir_query::RunningQuery;
use weir_worker::{QueryLine, RemoteQuery, limits_to_bytes};

use super::super::code::Window;
use super::super::line::Line;
use super::super::queries::{Hosted, Phase};
use super::super::start;
use super::{Host, HostedWorker};

impl Host {
    /// Starts a worker for each tenant, and has it resolve the tenant's queries.
    pub(in crate::command::workers) async fn resolve(&mut self) {
        let mut by_tenant: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, file) in self.files.iter().enumerate() {
            if let (Some(tenant), Some(_)) = (&file.tenant, &file.draft) {
                by_tenant.entry(tenant.to_string()).or_default().push(number);
            }
        }
        for (tenant, numbers) in by_tenant {
            self.start_worker(&tenant, &numbers);
        }
        while self.queries.values().any(|query| matches!(query.phase, Phase::Asked)) {
            let Some(event) = self.events.recv().await else { return };
            self.event(event, None);
        }
    }

    fn start_worker(&mut self, tenant: &str, numbers: &[usize]) {
        let Some(limits) = tenant.parse().ok().and_then(|tenant| self.limits.of(&tenant).cloned()) else { return };
        let paths: Vec<PathBuf> =
            numbers.iter().filter_map(|number| Some(self.files.get(*number)?.path.clone())).collect();
        let paths: Vec<PathBuf> = paths.iter().map(|path| std::path::absolute(path).unwrap_or(path.clone())).collect();
        if limits.folders.paths().is_none() && !self.given_up.contains(&Wall::Landlock) {
            let why = format!(
                "tenant `{tenant}` has no `folders` in the limits file, so that its worker would reach the files of others; bound them there, or give that wall up with `--allow-weak=landlock`"
            );
            return self.not_started(numbers, &why);
        }
        let window = Window::default();
        let spec = start::of_tenant(tenant, &limits, &paths, window.clone(), &self.given_up, self.grace);
        let of_functions = limits.limits.clone();
        let started = self.supervisor.start(spec).map_err(|error| error.to_string());
        let started = started.and_then(|worker| {
            Ok((worker, limits_to_bytes(&limits, self.limits.path()).map_err(|error| error.to_string())?))
        });
        let (worker, limits) = match started {
            Ok(started) => started,
            Err(error) => {
                return self.not_started(numbers, &format!("tenant `{tenant}` has no worker: {error}"));
            }
        };
        self.workers.insert(
            worker,
            HostedWorker { tenant: tenant.to_owned(), limits: of_functions, window, process: Arc::default() },
        );
        for (&number, path) in numbers.iter().zip(paths) {
            let query = QueryId(number as u64 + 1);
            let Some(draft) = self.files.get_mut(number).and_then(|file| file.draft.take()) else { continue };
            let base_folder = std::os::unix::ffi::OsStringExt::into_vec(path.into_os_string());
            let run = ToWorker::Run { query, draft, limits: limits.clone(), base_folder };
            let phase = match self.supervisor.send(worker, run) {
                Ok(()) => Phase::Asked,
                Err(error) => Phase::Over(Some(error.to_string())),
            };
            let hosted = Hosted {
                file: number,
                worker,
                tenant: tenant.to_owned(),
                phase,
                claims: None,
                commit_every: None,
                remote: None,
                line: None,
                goes: false,
            };
            self.queries.insert(query, hosted);
        }
    }

    fn not_started(&mut self, numbers: &[usize], why: &str) {
        for number in numbers {
            if let Some(file) = self.files.get_mut(*number) {
                file.wrong = Some(format!("{}: {why}", file.path.display()));
            }
        }
    }

    /// Holds the queries' claims against each other. The later of two that are in each other's way is not run.
    pub(in crate::command::workers) fn compare(&mut self) {
        let resolved = self.queries.iter().filter(|(_, query)| matches!(query.phase, Phase::Resolved));
        let (ids, claims): (Vec<QueryId>, Vec<_>) =
            resolved.filter_map(|(id, query)| Some((*id, query.claims.as_ref()?))).unzip();
        let found = clashes(&claims);
        for (id, problems) in ids.into_iter().zip(found) {
            if problems.is_empty() {
                continue;
            }
            let Some(query) = self.queries.get_mut(&id) else { continue };
            let path = self.files.get(query.file).map(|file| file.path.clone()).unwrap_or_default();
            query.phase = Phase::Over(Some(QueryFileError::new(path, problems).to_string()));
            let (worker, steering) = (query.worker, Steering::Stop);
            self.send(worker, ToWorker::Steer { query: id, steering });
        }
    }

    /// The queries that may run, as others see them.
    pub(in crate::command::workers) fn remote_queries(&mut self) -> Vec<(Arc<dyn RunningQuery>, Option<Duration>)> {
        let mut all: Vec<(Arc<dyn RunningQuery>, Option<Duration>)> = Vec::new();
        for (id, query) in &mut self.queries {
            let (Phase::Resolved, Some(name)) = (&query.phase, query.name()) else { continue };
            let process = self.workers.get(&query.worker).map(|worker| Arc::clone(&worker.process)).unwrap_or_default();
            let line = Arc::new(Line {
                supervisor: Arc::downgrade(&self.supervisor),
                worker: query.worker,
                query: *id,
                process,
                stops: self.stops.0.clone(),
                stopped: AtomicBool::new(false),
                paused: AtomicBool::new(false),
            });
            self.watched.name(*id, name.clone());
            let remote = Arc::new(RemoteQuery::new(name.query, name.tenant, Arc::clone(&line) as Arc<dyn QueryLine>));
            query.line = Some(line);
            query.remote = Some(Arc::clone(&remote));
            all.push((remote, query.commit_every));
        }
        all
    }
}
