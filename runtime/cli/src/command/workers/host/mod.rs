//! The supervisor's side of a run: files to readers, drafts to workers, and what comes back to whoever watches.

mod events;
mod hand;
mod of_query;
mod placing;
mod reading;
mod reloading;
mod resolving;
mod stops;
mod telemetry;
mod waiting;

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use weir_confine::Wall;
use weir_frame::{FromWorker, LineLevel, QueryId, ToWorker, WallReport, WallState, WorkerId};
use weir_plan::{LimitsFile, TenantLimits};
use weir_sandbox::{Limits, TenantId};
use weir_tenancy::{Supervisor, TenancyEvent};
use weir_text::escape_to;

pub(super) use self::reloading::Hangups;
use super::code::{Code, Window};
use super::files::QueryFile;
use super::network::Connector;
use super::places::Places;
use super::queries::Hosted;
use super::watch::Watched;
use crate::args;
use crate::live::Watch;
use crate::otlp::Otlp;

/// The longest line of a worker that is shown.
const LINE_CHARS_MAX: usize = 4_000;

/// What a run hosts.
pub(super) struct Host {
    supervisor: Arc<Supervisor>,
    events: UnboundedReceiver<TenancyEvent>,
    limits: LimitsFile,
    places: Places,
    quiet: bool,
    json: bool,
    grace: Duration,
    given_up: Vec<Wall>,
    /// Whether nobody asked for workers: then files are read in any case, and tell whether workers are needed.
    is_by_itself: bool,
    /// Walls that readers lack.
    lacking: Vec<Wall>,
    files: Vec<QueryFile>,
    readers: BTreeMap<WorkerId, usize>,
    workers: BTreeMap<WorkerId, HostedWorker>,
    queries: BTreeMap<QueryId, Hosted>,
    watches: BTreeMap<QueryId, Watch>,
    code: Code,
    /// Exporters of spans, lines and metrics, once it is known that workers run.
    pub(in crate::command::workers) otlp: Option<Otlp>,
    /// Sockets of the query that writes to the standard output, of one process after the other.
    rows: Option<std::sync::mpsc::Sender<UnixStream>>,
    connector: Connector,
    /// Queries that were asked to stop.
    stops: (UnboundedSender<QueryId>, UnboundedReceiver<QueryId>),
    watched: Arc<Watched>,
}

struct HostedWorker {
    /// The tenant, or the group, as it is called in messages.
    tenant: String,
    /// The tenants that it works for.
    limits: BTreeMap<String, Limits>,
    /// Everything that they were granted.
    granted: BTreeMap<TenantId, TenantLimits>,
    window: Window,
    process: Arc<AtomicU32>,
    /// Whether its process was asked to end so that another one takes its place.
    is_replaced: bool,
}

impl Host {
    pub(super) fn new(
        supervisor: Arc<Supervisor>,
        events: mpsc::Receiver<TenancyEvent>,
        (limits, places): (LimitsFile, Places),
        args: &args::Run,
        json: bool,
    ) -> Host {
        // Frames and lines in it count against their workers' budgets, so that it is bounded by those.
        let (send, receive) = tokio::sync::mpsc::unbounded_channel();
        tokio::task::spawn_blocking(move || {
            for event in events {
                if send.send(event).is_err() {
                    return;
                }
            }
        });
        let code = Code::new(&supervisor);
        let watched = Arc::new(Watched::new(&supervisor, &args.allow_weak));
        Host {
            code,
            watched,
            supervisor,
            events: receive,
            limits,
            places,
            quiet: args.quiet,
            json,
            grace: Duration::from_millis(args.grace_ms),
            given_up: args.allow_weak.clone(),
            is_by_itself: !args.workers,
            lacking: Vec::new(),
            files: Vec::new(),
            readers: BTreeMap::new(),
            workers: BTreeMap::new(),
            queries: BTreeMap::new(),
            watches: BTreeMap::new(),
            otlp: None,
            rows: None,
            connector: Connector::default(),
            stops: unbounded_channel(),
        }
    }

    /// Its workers, as clients see them.
    pub(in crate::command::workers) fn watched(&self) -> Arc<Watched> {
        Arc::clone(&self.watched)
    }

    /// The walls that tenants must not run without, that the kernel does not have, and that the operator has not given up.
    fn missing(&self, walls: &[WallReport]) -> Vec<Wall> {
        let is_missing = |wall: &Wall| {
            let report = walls.iter().find(|report| report.name == wall.name());
            report.is_none_or(|report| report.state == WallState::Missing) && !self.given_up.contains(wall)
        };
        Wall::ALL.into_iter().filter(|wall| wall.required()).filter(is_missing).collect()
    }

    /// What a worker says of itself.
    fn log(&self, worker: WorkerId, frame: FromWorker) {
        let tenant = self.tenant(worker);
        let (level, target, text) = match frame {
            FromWorker::Log { level, target, text } => (level, target, text),
            FromWorker::Event { code, text, .. } => (LineLevel::Info, code, text),
            _ => return,
        };
        let text = escape_to(&text, LINE_CHARS_MAX);
        match (target.as_str(), level) {
            ("guest", LineLevel::Error) => tracing::error!(target: "guest", tenant, "{text}"),
            ("guest", LineLevel::Warn) => tracing::warn!(target: "guest", tenant, "{text}"),
            ("guest", _) => tracing::info!(target: "guest", tenant, "{text}"),
            (_, LineLevel::Error) => tracing::error!(target: "worker", tenant, "{text}"),
            (_, LineLevel::Warn) => tracing::warn!(target: "worker", tenant, "{text}"),
            (_, LineLevel::Info) => tracing::info!(target: "worker", tenant, "{text}"),
            (_, LineLevel::Debug) => tracing::debug!(target: "worker", tenant, "{text}"),
        }
    }

    fn tenant(&self, worker: WorkerId) -> &str {
        self.workers.get(&worker).map_or("", |worker| &worker.tenant)
    }

    fn send(&self, worker: WorkerId, frame: ToWorker) {
        if let Err(error) = self.supervisor.send(worker, frame) {
            tracing::warn!(tenant = self.tenant(worker), "the worker was not reached: {error}");
        }
    }

    fn end(&self, worker: WorkerId) {
        // It may have ended by itself.
        if let Err(error) = self.supervisor.end(worker, self.grace) {
            tracing::debug!("{worker}: {error}");
        }
    }
}
