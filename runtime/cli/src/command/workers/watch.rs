//! What clients are shown of workers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use weir_confine::Wall;
use weir_frame::{QueryId, WallReport, WallState};
use weir_telemetry::{RunningWorkers, WorkerQuery, WorkerReport, WorkerWall, WorkersReport};
use weir_tenancy::{Supervisor, WorkerState, WorkerStatus};

use crate::name::Name;

/// The workers of a run.
pub(super) struct Watched {
    // Gone once the run is over.
    supervisor: Weak<Supervisor>,
    given_up: Vec<Wall>,
    names: Mutex<BTreeMap<QueryId, Name>>,
}

impl Watched {
    pub(super) fn new(supervisor: &Arc<Supervisor>, given_up: &[Wall]) -> Watched {
        Watched { supervisor: Arc::downgrade(supervisor), given_up: given_up.to_vec(), names: Mutex::default() }
    }

    /// From now on this query has this name.
    pub(super) fn name(&self, query: QueryId, name: Name) {
        // A map of plain values is whole after every change.
        self.names.lock().unwrap_or_else(PoisonError::into_inner).insert(query, name);
    }

    fn worker(&self, status: WorkerStatus) -> WorkerReport {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let named = status.queries.iter().filter_map(|query| names.get(query));
        let mut report = WorkerReport::new(status.worker.0, status.tenant);
        report.queries = named.map(|name| WorkerQuery::new(&name.tenant, &name.query)).collect();
        report.state = status.state.to_string();
        report.is_running = status.state == WorkerState::Running;
        (report.pid, report.cpu_ms, report.memory_bytes) = (status.pid, status.cpu_ms, status.memory_bytes);
        (report.threads, report.descriptors) = (status.threads, status.descriptors);
        report.restarts = u64::from(status.restarts);
        // Of its walls, those that this program knows: their names are labels of metrics.
        let known = status.walls.iter().filter(|wall| Wall::ALL.into_iter().any(|known| known.name() == wall.name));
        let wall =
            |wall: &WallReport| WorkerWall::new(&wall.name, wall.state.to_string(), wall.state != WallState::Missing);
        report.walls = known.map(wall).take(Wall::ALL.len()).collect();
        report.last_end = status.last_cause.map(|cause| cause.to_string());
        report.last_words = status.last_words;
        report.lines_dropped = status.lines_dropped;
        report.is_throttled = status.is_throttled;
        report
    }
}

impl RunningWorkers for Watched {
    fn report(&self) -> WorkersReport {
        let mut report = WorkersReport::new(self.walls_given_up());
        // The run is ending.
        let Some(supervisor) = self.supervisor.upgrade() else { return report };
        let (Ok(status), Ok(workers)) = (supervisor.status(), supervisor.workers()) else { return report };
        report.cpu = status.cpu.to_string();
        report.memory_bytes_max = status.memory_bytes_max;
        report.quarantined = status.quarantined.into_iter().collect();
        report.workers = workers.into_iter().map(|status| self.worker(status)).collect();
        report
    }

    fn walls_given_up(&self) -> Vec<String> {
        self.given_up.iter().map(|wall| wall.name().to_owned()).collect()
    }
}
