//! The processes that run queries of tenants, as their supervisor sees them, and their metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::families::{About, Families, FamilyKind, Value};

use Value::{Real, Whole};

/// Whoever knows the workers of a process.
pub trait RunningWorkers: Send + Sync {
    /// What they do now. May read a few files of `/proc` for each.
    fn report(&self) -> WorkersReport;

    /// The names of the walls that the operator gave up.
    fn walls_given_up(&self) -> Vec<String>;
}

/// All workers of a supervisor at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkersReport {
    /// How CPU time is divided between them, in words.
    #[serde(default)]
    pub cpu: String,
    /// Bytes of memory that all of them together may have.
    #[serde(default)]
    pub memory_bytes_max: u64,
    /// The walls that the operator gave up.
    #[serde(default)]
    pub walls_given_up: Vec<String>,
    /// Tenants whose workers are not started again, each with the reason.
    #[serde(default)]
    pub quarantined: BTreeMap<String, String>,
    /// Each worker, in the order of their numbers.
    #[serde(default)]
    pub workers: Vec<WorkerReport>,
}

/// A worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerReport {
    /// Its number, which stays the same when it is started again.
    pub worker: u64,
    /// Its tenant, or the name of its group of tenants.
    pub tenant: String,
    /// Its queries that have not ended.
    #[serde(default)]
    pub queries: Vec<WorkerQuery>,
    /// What it does: `running`, `backing off`, …
    pub state: String,
    /// Whether its process runs and is confined.
    pub is_running: bool,
    /// Its process, while it has one.
    pub pid: Option<u32>,
    /// Milliseconds of CPU time of all its processes so far.
    pub cpu_ms: u64,
    /// Bytes of memory in RAM.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Descriptors; `None` where the supervisor may not know.
    pub descriptors: Option<u64>,
    /// How often it was started again.
    pub restarts: u64,
    /// Each wall of its process.
    #[serde(default)]
    pub walls: Vec<WorkerWall>,
    /// How its last process ended.
    pub last_end: Option<String>,
    /// The last line that it wrote by itself, escaped.
    #[serde(default)]
    pub last_words: String,
    /// Lines of it that were dropped because it wrote too much.
    pub lines_dropped: u64,
    /// Whether the supervisor reads nothing from it at present, because it sends too much.
    pub is_throttled: bool,
}

/// A query of a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerQuery {
    /// Its tenant.
    pub tenant: String,
    /// Its name.
    pub query: String,
}

impl WorkerQuery {
    /// This query of this tenant.
    pub fn new(tenant: impl Into<String>, query: impl Into<String>) -> WorkerQuery {
        WorkerQuery { tenant: tenant.into(), query: query.into() }
    }
}

/// A wall around a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerWall {
    /// Its name: `seccomp`, `landlock`, …
    pub name: String,
    /// `in force`, `in force in part`, `missing`.
    pub state: String,
    /// Whether it holds, at least in part.
    pub holds: bool,
}

impl WorkerWall {
    /// A wall of this name in this state.
    pub fn new(name: impl Into<String>, state: impl Into<String>, holds: bool) -> WorkerWall {
        WorkerWall { name: name.into(), state: state.into(), holds }
    }
}

impl WorkerReport {
    /// A worker of this number and tenant, of which nothing else is known.
    pub fn new(worker: u64, tenant: impl Into<String>) -> WorkerReport {
        WorkerReport { worker, tenant: tenant.into(), ..WorkerReport::default() }
    }
}

impl WorkersReport {
    /// No workers, and the walls that the operator gave up.
    pub fn new(walls_given_up: Vec<String>) -> WorkersReport {
        WorkersReport { walls_given_up, ..WorkersReport::default() }
    }

    /// As much of it as concerns a tenant: its workers with its queries, and whether it is in quarantine.
    pub fn of_tenant(mut self, tenant: &str) -> WorkersReport {
        self.memory_bytes_max = 0;
        self.quarantined.retain(|quarantined, _| quarantined == tenant);
        for worker in &mut self.workers {
            worker.queries.retain(|query| query.tenant == tenant);
        }
        self.workers.retain(|worker| worker.tenant == tenant || !worker.queries.is_empty());
        self
    }
}

/// Adds the metrics of each worker.
pub(crate) fn add_workers(families: &mut Families, report: &WorkersReport) {
    for wall in &report.walls_given_up {
        let about = About::new("weir.wall.given_up", "", "1 for each wall that the operator gave up.");
        families.add(FamilyKind::Gauge, about, &[("wall", wall)], Whole(1));
    }
    for tenant in report.quarantined.keys() {
        let about = About::new("weir.tenant.quarantined", "", "1 for each tenant whose workers are not started again.");
        families.add(FamilyKind::Gauge, about, &[("tenant", tenant)], Whole(1));
    }
    for worker in &report.workers {
        let number = worker.worker.to_string();
        let of = [("tenant", worker.tenant.as_str()), ("worker", number.as_str())];
        let gauge = FamilyKind::Gauge;
        let mut add = |kind, about, value| families.add(kind, about, &of, value);
        let running = About::new("weir.worker.running", "", "1 while the worker's process runs and is confined.");
        add(gauge, running, Whole(u64::from(worker.is_running)));
        let cpu = About::new("weir.worker.cpu", "s", "CPU time of all processes of the worker.");
        add(FamilyKind::Counter, cpu, Real(worker.cpu_ms as f64 / 1e3));
        let memory = About::new("weir.worker.memory", "By", "Memory of the worker in RAM.");
        add(FamilyKind::UpDownCounter, memory, Whole(worker.memory_bytes));
        let threads = About::new("weir.worker.threads", "{thread}", "Threads of the worker.");
        add(FamilyKind::UpDownCounter, threads, Whole(worker.threads));
        if let Some(descriptors) = worker.descriptors {
            let about = About::new("weir.worker.descriptors", "{descriptor}", "Open descriptors of the worker.");
            add(FamilyKind::UpDownCounter, about, Whole(descriptors));
        }
        let restarts = About::new("weir.worker.restarts", "{restart}", "How often the worker was started again.");
        add(FamilyKind::Counter, restarts, Whole(worker.restarts));
        let dropped = About::new("weir.worker.lines_dropped", "{line}", "Lines that the worker wrote beyond its rate.");
        add(FamilyKind::Counter, dropped, Whole(worker.lines_dropped));
        for wall in &worker.walls {
            let about = About::new("weir.worker.wall", "", "1 for each wall that holds around the worker, else 0.");
            let labels = [of[0], of[1], ("wall", wall.name.as_str())];
            families.add(FamilyKind::Gauge, about, &labels, Whole(u64::from(wall.holds)));
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn report() -> WorkersReport {
        let worker = |number, tenant: &str, queries: &[(&str, &str)]| WorkerReport {
            worker: number,
            tenant: tenant.to_owned(),
            queries: queries.iter().map(|(tenant, query)| WorkerQuery::new(*tenant, *query)).collect(),
            state: "running".to_owned(),
            is_running: true,
            cpu_ms: 1500,
            memory_bytes: 4096,
            threads: 8,
            restarts: 2,
            walls: vec![WorkerWall::new("seccomp", "in force", true), WorkerWall::new("mdwe", "missing", false)],
            ..WorkerReport::default()
        };
        WorkersReport {
            memory_bytes_max: 1 << 30,
            walls_given_up: vec!["mdwe".to_owned()],
            quarantined: [("beta", "a crash loop"), ("gamma", "intrusion")]
                .map(|(tenant, why)| (tenant.to_owned(), why.to_owned()))
                .into(),
            workers: vec![worker(1, "acme", &[("acme", "q")]), worker(2, "group", &[("beta", "r"), ("gamma", "s")])],
            ..WorkersReport::default()
        }
    }

    #[test]
    fn a_tenant_sees_nothing_of_others() {
        let of = |tenant| {
            let report = report().of_tenant(tenant);
            let workers = report.workers.iter().map(|it| (it.worker, it.queries.len())).collect::<Vec<_>>();
            (workers, report.quarantined.len(), report.memory_bytes_max)
        };
        assert_eq!(of("acme"), (vec![(1, 1)], 0, 0));
        assert_eq!(of("beta"), (vec![(2, 1)], 1, 0));
        assert_eq!(of("nobody"), (vec![], 0, 0));
    }

    #[test]
    fn workers_have_metrics() {
        let mut families = Families::default();
        let mut report = report();
        report.workers.truncate(1);
        add_workers(&mut families, &report);
        let text = families.into_text();
        let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        expect![[r#"
            weir_tenant_quarantined{tenant="beta"} 1
            weir_tenant_quarantined{tenant="gamma"} 1
            weir_wall_given_up{wall="mdwe"} 1
            weir_worker_cpu_seconds_total{tenant="acme",worker="1"} 1.5
            weir_worker_lines_dropped_total{tenant="acme",worker="1"} 0
            weir_worker_memory_bytes{tenant="acme",worker="1"} 4096
            weir_worker_restarts_total{tenant="acme",worker="1"} 2
            weir_worker_running{tenant="acme",worker="1"} 1
            weir_worker_threads{tenant="acme",worker="1"} 8
            weir_worker_wall{tenant="acme",worker="1",wall="seccomp"} 1
            weir_worker_wall{tenant="acme",worker="1",wall="mdwe"} 0"#]]
        .assert_eq(&samples.join("\n"));
    }
}
