//! Drafts go to workers of their tenants, which say what each query claims.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use weir_confine::Wall;
use weir_frame::{QueryId, Steering, ToWorker};
use weir_plan::{QueryFileError, TenantLimits, clashes};
use weir_query::RunningQuery;
use weir_sandbox::TenantId;
use weir_worker::{QueryLine, RemoteQuery, limits_to_bytes};

use super::super::code::Window;
use super::super::line::Line;
use super::super::queries::{Hosted, Phase};
use super::super::start;
use super::placing::WorkerPlace;
use super::waiting::Patience;
use super::{Host, HostedWorker};
use crate::otlp::Otlp;

impl Host {
    /// Starts the workers, and has each resolve its queries.
    pub(in crate::command::workers) async fn resolve(&mut self) {
        for (place, members) in self.placed() {
            self.start_worker(&place, members);
        }
        let mut patience = Patience::new(self.asked().len());
        loop {
            let asked = self.asked().len();
            if asked == 0 {
                return;
            }
            let Some(left) = patience.left(asked) else { return self.give_up() };
            match tokio::time::timeout(left, self.events.recv()).await {
                Ok(Some(event)) => self.event(event, None),
                Ok(None) => return,
                Err(_) => {}
            }
        }
    }

    /// Starts a worker for these files, each with its tenant.
    fn start_worker(&mut self, place: &WorkerPlace, members: Vec<(usize, TenantId)>) {
        let mut limits: BTreeMap<TenantId, TenantLimits> = BTreeMap::new();
        let mut placed = Vec::new();
        for (number, tenant) in members {
            let Some(of_tenant) = self.limits.of(&tenant).cloned() else { continue };
            if of_tenant.folders.paths().is_none() && !self.given_up.contains(&Wall::Landlock) {
                let why = format!(
                    "tenant `{tenant}` has no `folders` in the limits file, so that its worker would reach the files of others; bound them there, or give that wall up with `--allow-weak=landlock`"
                );
                self.not_started(&[number], &why);
                continue;
            }
            let Some(path) = self.files.get(number).map(|file| file.path.clone()) else { continue };
            let path = std::path::absolute(&path).unwrap_or(path);
            limits.insert(tenant.clone(), of_tenant);
            placed.push((number, tenant, path));
        }
        if placed.is_empty() {
            return;
        }
        let (label, paths) = (place.to_string(), placed.iter().map(|(.., path)| path.clone()).collect::<Vec<_>>());
        let window = Window::default();
        let mut spec = start::of_tenant(
            &label,
            &TenantLimits::joined(limits.values()),
            &paths,
            window.clone(),
            &self.given_up,
            self.grace,
            self.otlp.as_ref().and_then(Otlp::sampler),
        );
        if let Err(why) = self.places.of_tenant(&mut spec, &TenantLimits::joined(limits.values())) {
            for (number, tenant, _) in &placed {
                self.not_started(&[*number], &format!("tenant `{tenant}` has no worker: {why}"));
            }
            return;
        }
        if matches!(place, WorkerPlace::Query(..)) {
            // Its tenant has other workers beside it.
            spec.lock = None;
        }
        let worker = match self.supervisor.start(spec) {
            Ok(worker) => worker,
            Err(error) => {
                for (number, tenant, _) in &placed {
                    self.not_started(&[*number], &format!("tenant `{tenant}` has no worker: {error}"));
                }
                return;
            }
        };
        let of_functions = limits.iter().map(|(tenant, limits)| (tenant.to_string(), limits.limits.clone())).collect();
        let (granted, process, is_replaced) = (limits.clone(), Arc::default(), false);
        self.workers.insert(
            worker,
            HostedWorker { tenant: label, limits: of_functions, granted, window, process, is_replaced },
        );
        for (number, tenant, path) in placed {
            let query = QueryId(number as u64 + 1);
            let Some(draft) = self.files.get_mut(number).and_then(|file| file.draft.clone()) else { continue };
            let base_folder = std::os::unix::ffi::OsStringExt::into_vec(path.into_os_string());
            let given = limits.get(&tenant).map(|limits| limits_to_bytes(tenant.as_str(), limits, self.limits.path()));
            let sent = match given {
                Some(Ok(limits)) => {
                    let run = ToWorker::Run { query, draft, limits, base_folder };
                    self.supervisor.send(worker, run).map_err(|error| error.to_string())
                }
                Some(Err(error)) => Err(error.to_string()),
                None => continue,
            };
            let hosted = Hosted {
                file: number,
                worker,
                tenant: tenant.to_string(),
                phase: sent.map_or_else(|error| Phase::Over(Some(error)), |()| Phase::Asked),
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
        self.refuse_beyond_instances();
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
