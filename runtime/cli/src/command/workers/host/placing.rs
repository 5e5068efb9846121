//! Which worker a query runs in.

use std::collections::BTreeMap;
use std::fmt;

use weir_frame::{QueryId, Steering, ToWorker, WorkerId};
use weir_plan::Placement;
use weir_sandbox::TenantId;
use weir_worker::WorkerSettings;

use super::super::queries::Phase;
use super::Host;
use crate::command::running::Run;
use crate::live::Screen;

/// A worker, by whose queries it runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WorkerPlace {
    /// All of a tenant's.
    Tenant(TenantId),
    /// One of a tenant's, by the file's number.
    Query(TenantId, usize),
    /// Those of all tenants of a group.
    Group(String),
}

impl fmt::Display for WorkerPlace {
    /// The tenant. A group is called `group:NAME`, which can be no tenant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WorkerPlace::Tenant(tenant) | WorkerPlace::Query(tenant, _) => f.pad(tenant.as_str()),
            WorkerPlace::Group(group) => write!(f, "group:{group}"),
        }
    }
}

impl Host {
    /// The files that were read, by the worker of each, as the limits file places their tenants.
    pub(super) fn placed(&self) -> BTreeMap<WorkerPlace, Vec<(usize, TenantId)>> {
        let mut placed: BTreeMap<WorkerPlace, Vec<(usize, TenantId)>> = BTreeMap::new();
        for (number, file) in self.files.iter().enumerate() {
            let (Some(tenant), Some(_)) = (&file.tenant, &file.draft) else { continue };
            let place = match self.limits.of(tenant).map(|limits| &limits.placement) {
                Some(Placement::OfQuery) => WorkerPlace::Query(tenant.clone(), number),
                Some(Placement::OfGroup(group)) => WorkerPlace::Group(group.clone()),
                _ => WorkerPlace::Tenant(tenant.clone()),
            };
            placed.entry(place).or_default().push((number, tenant.clone()));
        }
        placed
    }

    /// Refuses queries that need more instances than are left in their worker: stages keep theirs, so that they would wait for each
    /// other for good.
    pub(super) fn refuse_beyond_instances(&mut self) {
        let most = usize::try_from(WorkerSettings::INSTANCES_MAX).unwrap_or(usize::MAX);
        let mut taken: BTreeMap<WorkerId, usize> = BTreeMap::new();
        let mut refused: Vec<(QueryId, WorkerId)> = Vec::new();
        for (id, query) in &mut self.queries {
            let (Phase::Resolved, Some(claims)) = (&query.phase, &query.claims) else { continue };
            let taken = taken.entry(query.worker).or_default();
            let (needed, left) = (claims.instances(), most.saturating_sub(*taken));
            if needed <= left {
                *taken = taken.saturating_add(needed);
                continue;
            }
            let text = format!(
                "query {} of tenant {}: it needs {needed} instances at once, but only {left} of the {most} of its worker are left: run it in another process, or set `tier = \"isolated\"` for its tenant",
                claims.name, query.tenant
            );
            query.phase = Phase::Over(Some(text));
            refused.push((*id, query.worker));
        }
        for (query, worker) in refused {
            self.send(worker, ToWorker::Steer { query, steering: Steering::Stop });
        }
    }

    /// A worker has sent a frame in the name of a tenant that it does not work for: it was taken over, and is ended with all its queries.
    pub(super) fn speaks_for_others(&mut self, worker: WorkerId, run: &mut Option<(&mut Run<'_>, &Screen)>) {
        let tenant = self.tenant(worker).to_owned();
        let text =
            format!("the worker of tenant {tenant} was ended: it sent a module of a tenant that it does not work for");
        tracing::error!(tenant, "{text}");
        let of_worker = self.queries.iter().filter(|(_, query)| query.worker == worker && !query.is_over());
        let of_worker: Vec<QueryId> = of_worker.map(|(id, _)| *id).collect();
        of_worker.into_iter().for_each(|query| self.lost(query, &text, run));
        self.end(worker);
    }
}
