//! A supervisor and what it tells.

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tempfile::TempDir;
use weir_frame::{FromWorker, QueryId, ToWorker, WorkerId};
use weir_tenancy::{Supervisor, TenancyEvent, TenancySettings, WorkerSpec, WorkerStatus};

/// The process that does as its arguments say.
pub(crate) fn program() -> PathBuf {
    // Where the tests run as another user, a copy that the user may run.
    std::env::var_os("WEIR_SCRIPTED_WORKER").unwrap_or_else(|| env!("CARGO_BIN_EXE_weir-scripted-worker").into()).into()
}

/// No test is about this time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A supervisor with a registry of its own.
pub(crate) struct Stage {
    pub(crate) supervisor: Supervisor,
    pub(crate) events: Receiver<TenancyEvent>,
    pub(crate) folder: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Stage {
        Stage::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut TenancySettings)) -> Stage {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = TenancySettings::new(folder.path().join("registry"));
        (settings.restart_ms_first, settings.sample_ms) = (1, 20);
        change(&mut settings);
        let (supervisor, events) = Supervisor::new(settings).unwrap();
        Stage { supervisor, events, folder }
    }

    /// A specification of a process that takes these steps, which are separated by spaces.
    pub(crate) fn spec(&self, tenant: &str, steps: &str) -> WorkerSpec {
        let mut spec = WorkerSpec::new(tenant, steps.split(' '));
        spec.program = program();
        spec.memory_bytes_max = 1 << 20;
        spec
    }

    pub(crate) fn start(&self, tenant: &str, steps: &str) -> WorkerId {
        self.supervisor.start(self.spec(tenant, steps)).unwrap()
    }

    pub(crate) fn run(&self, worker: WorkerId, query: u64) {
        let query = QueryId(query);
        let run = ToWorker::Run { query, draft: vec![1], limits: vec![], base_folder: b"/".to_vec() };
        self.supervisor.send(worker, run).unwrap();
    }

    /// The next event. Queries that are resolved are let go.
    pub(crate) fn next(&self) -> TenancyEvent {
        loop {
            let event = match self.events.recv_timeout(PATIENCE) {
                Ok(event) => event,
                Err(RecvTimeoutError::Timeout) => panic!("nothing happens; workers: {:#?}", self.supervisor.workers()),
                Err(RecvTimeoutError::Disconnected) => panic!("the supervisor has ended"),
            };
            if let TenancyEvent::Frame { worker, frame } = &event
                && let FromWorker::Resolved { query, .. } = **frame
            {
                // The process may have been killed since.
                drop(self.supervisor.send(*worker, ToWorker::Go { query }));
                continue;
            }
            return event;
        }
    }

    /// The first event that something comes of.
    pub(crate) fn until<T>(&self, mut found: impl FnMut(TenancyEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = found(self.next()) {
                return found;
            }
        }
    }

    pub(crate) fn until_greeted(&self) -> WorkerId {
        self.until(|event| match event {
            TenancyEvent::Greeted { worker, .. } => Some(worker),
            _ => None,
        })
    }

    pub(crate) fn until_started(&self) -> QueryId {
        self.until(|event| match event {
            TenancyEvent::Frame { frame, .. } => match *frame {
                FromWorker::Started { query } => Some(query),
                _ => None,
            },
            _ => None,
        })
    }

    pub(crate) fn until_spawned(&self) -> u32 {
        self.until(|event| match event {
            TenancyEvent::Spawned { pid, .. } => Some(pid),
            _ => None,
        })
    }

    /// The end of the next process that ends, as text.
    pub(crate) fn until_ended(&self) -> String {
        self.until(|event| match event {
            TenancyEvent::Ended { tenant, cause, last_words, held, next, .. } => {
                let held: Vec<u64> = held.into_iter().map(|QueryId(query)| query).collect();
                Some(format!("{tenant}: {cause}; held {held:?}; {next:?}; {:?}", last_words.text()))
            }
            _ => None,
        })
    }

    pub(crate) fn status(&self, worker: WorkerId) -> WorkerStatus {
        self.supervisor.workers().unwrap().into_iter().find(|status| status.worker == worker).unwrap()
    }
}

/// Whether a process lives: one that has ended and waits to be reaped does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Waits for something that has to come.
pub(crate) fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !is_there() {
        assert!(started.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A line for each text.
pub(crate) fn lines(texts: impl IntoIterator<Item = String>) -> String {
    texts.into_iter().fold(String::new(), |mut all, text| {
        writeln!(all, "{text}").unwrap();
        all
    })
}
