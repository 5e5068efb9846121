//! A limits file that is read again while queries run.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::Ordering;

use tokio::signal::unix::{Signal, SignalKind, signal};
use weir_confine::Wall;
use weir_frame::{QueryId, ToWorker, WorkerId};
use weir_plan::{LimitsFile, TenantLimits};
use weir_sandbox::TenantId;
use weir_worker::{QueryLine, limits_to_bytes};

use super::super::queries::Phase;
use super::super::start;
use super::Host;
use crate::otlp::Otlp;

/// SIGHUP, which asks for it.
pub(in crate::command::workers) struct Hangups {
    signal: Signal,
    /// A terminal that goes away sends the same signal.
    has_terminal: bool,
}

impl Hangups {
    /// Catches the signal from here on.
    pub(in crate::command::workers) fn catch() -> std::io::Result<Hangups> {
        Ok(Hangups { signal: signal(SignalKind::hangup())?, has_terminal: std::io::stderr().is_terminal() })
    }

    /// The next one.
    pub(super) async fn next(&mut self) {
        while self.signal.recv().await.is_some() {
            if self.has_terminal && !std::io::stderr().is_terminal() {
                // The terminal is gone: that ends the run, as it would without this.
                let own = rustix::process::getpid();
                if let Err(error) = rustix::process::kill_process(own, rustix::process::Signal::TERM) {
                    tracing::error!("the terminal is gone, and this process cannot end itself: {error}");
                }
                continue;
            }
            return;
        }
        std::future::pending().await
    }
}

impl Host {
    /// Reads the limits file again. A mistake in it changes nothing. Workers of tenants whose limits have changed are replaced: their
    /// queries stop at a commit and go on in another process. Queries of tenants that it no longer allows are stopped.
    pub(super) fn reload(&mut self) {
        let Some(path) = self.limits.path().map(Path::to_owned) else { return };
        let limits = match LimitsFile::load(&path) {
            Ok(limits) => limits,
            Err(error) => return tracing::error!("the limits stay as they are: {error}"),
        };
        if limits.workers() != self.limits.workers() {
            tracing::warn!("{}: `[workers]` has changed, which takes effect at the next start", path.display());
        }
        self.limits = limits;
        let ids: Vec<WorkerId> = self.workers.keys().copied().collect();
        let (mut replaced, mut stopped) = (0, 0);
        for worker in ids {
            stopped += self.stop_what_is_not_allowed(worker, &path);
            replaced += usize::from(self.change(worker));
        }
        tracing::warn!(
            "{} was read again: {replaced} workers are replaced, {stopped} queries are stopped",
            path.display()
        );
    }

    /// The queries of a worker that have not ended.
    fn live(&self, worker: WorkerId) -> Vec<QueryId> {
        let live = self.queries.iter().filter(|(_, query)| query.worker == worker && !query.is_over());
        live.map(|(id, _)| *id).collect()
    }

    fn stop_what_is_not_allowed(&mut self, worker: WorkerId, limits: &Path) -> usize {
        let (mut stopped, shown) = (0, limits.display());
        for id in self.live(worker) {
            let Some(query) = self.queries.get(&id).filter(|query| !query.is_stopped()) else { continue };
            let (Some(file), Ok(tenant)) = (self.files.get(query.file), query.tenant.parse::<TenantId>()) else {
                continue;
            };
            if self.limits.granted(&file.path, &tenant).is_some() {
                continue;
            }
            let path = file.path.display();
            match self.limits.of(&tenant) {
                None => tracing::warn!(%tenant, "{shown} no longer names the tenant: {path} stops at a commit"),
                Some(_) => {
                    tracing::warn!(%tenant, "{shown} no longer lets {path} use the tenant (`queries`): it stops at a commit");
                }
            }
            stopped += 1;
            if let Some(line) = &query.line {
                line.stop();
            }
        }
        stopped
    }

    /// Gives a worker the limits that its tenants have now. Says whether it is replaced.
    fn change(&mut self, worker: WorkerId) -> bool {
        let Some(hosted) = self.workers.get(&worker) else { return false };
        let label = hosted.tenant.clone();
        let mut granted = hosted.granted.clone();
        for (tenant, limits) in &mut granted {
            let Some(now) = self.limits.of(tenant) else { continue };
            if now.placement != limits.placement {
                tracing::warn!(%tenant, "another worker for this tenant takes effect at the next start");
            }
            let placement = limits.placement.clone();
            limits.clone_from(now);
            limits.placement = placement;
        }
        let going = self.live(worker);
        if granted == hosted.granted || going.is_empty() {
            return false;
        }
        if let Err(why) = self.replace(worker, &label, granted, &going) {
            tracing::error!(tenant = label, "the limits of this tenant stay as they are: {why}");
            return false;
        }
        true
    }

    fn replace(
        &mut self,
        worker: WorkerId,
        label: &str,
        granted: BTreeMap<TenantId, TenantLimits>,
        going: &[QueryId],
    ) -> Result<(), String> {
        if granted.values().any(|limits| limits.folders.paths().is_none()) && !self.given_up.contains(&Wall::Landlock) {
            return Err("it has no `folders`; list them".to_owned());
        }
        let hosted = self.workers.get(&worker).ok_or("its worker has ended")?;
        let (mut paths, mut runs) = (Vec::new(), Vec::new());
        for id in going {
            let Some((query, file)) = self.queries.get(id).and_then(|it| Some((it, self.files.get(it.file)?))) else {
                continue;
            };
            let path = std::path::absolute(&file.path).unwrap_or_else(|_| file.path.clone());
            let resumes = query.claims.as_ref().is_some_and(|claims| claims.resumes && !claims.reads_once());
            if !query.is_stopped() && !resumes {
                return Err(format!(
                    "{} has no `state`, or reads the standard input, and would begin again in another worker; give it a state, or start it again",
                    file.path.display()
                ));
            }
            let limits = query.tenant.parse::<TenantId>().ok().and_then(|tenant| granted.get(&tenant));
            if let (Some(draft), Some(limits)) = (file.draft.clone(), limits) {
                let limits = limits_to_bytes(&query.tenant, limits, self.limits.path());
                let limits = limits.map_err(|error| error.to_string())?;
                let base_folder = std::os::unix::ffi::OsStringExt::into_vec(path.clone().into_os_string());
                runs.push(ToWorker::Run { query: *id, draft, limits, base_folder });
            }
            paths.push(path);
        }
        let joined = TenantLimits::joined(granted.values());
        let sampler = self.otlp.as_ref().and_then(Otlp::sampler);
        let window = hosted.window.clone();
        let mut spec = start::of_tenant(label, &joined, &paths, window, &self.given_up, self.grace, sampler);
        self.places.of_tenant(&mut spec, &joined)?;
        let has_others = self.workers.iter().any(|(id, other)| *id != worker && other.tenant == label);
        if has_others {
            spec.lock = None;
        }
        self.supervisor.replace(worker, spec, runs, self.grace).map_err(|error| error.to_string())?;
        if let Some(hosted) = self.workers.get_mut(&worker) {
            hosted.limits = granted.iter().map(|(tenant, it)| (tenant.to_string(), it.limits.clone())).collect();
            hosted.granted = granted;
            hosted.is_replaced = hosted.process.load(Ordering::Relaxed) != 0;
        }
        Ok(())
    }

    /// Whether this end of a query is that of its worker, which is replaced: the query goes on in the next one.
    pub(super) fn goes_on(&self, worker: WorkerId, query: QueryId) -> bool {
        let is_replaced = self.workers.get(&worker).is_some_and(|worker| worker.is_replaced);
        is_replaced
            && self.queries.get(&query).is_some_and(|query| matches!(query.phase, Phase::Going) && !query.is_stopped())
    }
}
