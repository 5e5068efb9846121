//! One query of a worker, from its draft to its account.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use weir_files::HandedInput;
use weir_frame::{FromWorker, Handed, QueryEnd, QueryId, Steering};
use weir_plan::{LimitsFile, Plan};
use weir_query::{BuildError, Ending, LogExporter, Query, QueryHandle};
use weir_sandbox::CpuPace;
use weir_sinks::{HandedOutput, SinkConfig};
use weir_sources::Buffers;
use weir_trace::{Sampler, SpanExporter, Tracing};

use crate::claims::Granted;
use crate::lazy_engine::LazyEngine;
use crate::network::Connections;
use crate::problems::lines;
use crate::report::{QueryAccount, QueryReport};
use crate::socket::Sender;
use crate::telemetry::Outbox;
use crate::{WorkerError, brokers, claims};

/// What a query is made from.
pub(crate) struct Given {
    pub(crate) draft: Vec<u8>,
    pub(crate) limits: Vec<u8>,
    /// The query file, which is not opened: paths in the draft start from its folder.
    pub(crate) path: PathBuf,
    /// How long it may take to end after a stop.
    pub(crate) stop_within: Option<Duration>,
    pub(crate) sampler: Option<Sampler>,
    pub(crate) connections: Connections,
    /// What its queues may hold together with those of the tenant's other queries.
    pub(crate) buffers: Buffers,
    /// What CPU time the process may use.
    pub(crate) pace: Option<CpuPace>,
}

/// A query that was given to this worker.
pub(crate) struct QueryTask {
    query: QueryId,
    go: Option<oneshot::Sender<()>>,
    wishes: watch::Sender<Wishes>,
    streams: Streams,
    shared: Arc<Shared>,
    ended: JoinHandle<()>,
}

/// The standard input and output of a query. Handed over before it may run, where it uses them.
#[derive(Clone, Default)]
struct Streams {
    input: HandedInput,
    output: HandedOutput,
}

/// What it was asked, perhaps before it could begin.
#[derive(Clone, Copy, Default)]
struct Wishes {
    stop: bool,
    pause: bool,
}

#[derive(Default)]
struct Shared {
    handle: Mutex<Option<QueryHandle>>,
    // Whether the supervisor was told that it runs, and not yet that it has ended: when reports may be sent.
    runs: AtomicBool,
}

impl Shared {
    fn handle(&self) -> Option<QueryHandle> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, handle: QueryHandle) {
        *self.handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle);
    }
}

impl QueryTask {
    pub(crate) fn start(query: QueryId, given: Given, engine: LazyEngine, sender: Sender, on: &Runtime) -> QueryTask {
        let (go, gone) = oneshot::channel();
        let (wishes, wished) = watch::channel(Wishes::default());
        let (shared, streams) = (Arc::<Shared>::default(), Streams::default());
        let doors = (gone, wished, streams.clone());
        let run = run(query, given, engine, sender, doors, Arc::clone(&shared));
        QueryTask { query, go: Some(go), wishes, streams, shared, ended: on.spawn(run) }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.ended.is_finished()
    }

    /// Takes a descriptor that it may use from now on.
    pub(crate) fn hand(&self, handed: Handed, descriptor: OwnedFd) -> std::io::Result<()> {
        match handed {
            Handed::Input => self.streams.input.hand(descriptor),
            Handed::Output => self.streams.output.hand(descriptor)?,
            // Those of a process come when it starts.
            Handed::CodeWindow | Handed::Lock => {}
        }
        Ok(())
    }

    /// Lets it run, once.
    pub(crate) fn go(&mut self) {
        // A query that was refused meanwhile has nobody who waits.
        if let Some(go) = self.go.take() {
            go.send(()).ok();
        }
    }

    pub(crate) fn steer(&mut self, steering: Steering) {
        // First the wish, then the handle: a query that begins meanwhile looks at the wish after its handle is there.
        self.wishes.send_modify(|wishes| match steering {
            Steering::Pause => wishes.pause = true,
            Steering::Resume => wishes.pause = false,
            Steering::Stop => wishes.stop = true,
        });
        let handle = self.shared.handle();
        match steering {
            Steering::Pause => handle.iter().for_each(QueryHandle::pause),
            Steering::Resume => handle.iter().for_each(QueryHandle::resume),
            Steering::Stop => {
                handle.iter().for_each(QueryHandle::stop);
                // One that waits to go does not wait any longer.
                self.go = None;
            }
        }
    }

    /// Sends what it does now, if it runs.
    pub(crate) fn report(&self, sender: &Sender) -> Result<(), WorkerError> {
        let Some(handle) = self.shared.handle() else { return Ok(()) };
        report(self.query, &handle, &self.shared, sender)
    }

    /// Waits until it has ended.
    pub(crate) fn into_ended(self) -> JoinHandle<()> {
        self.ended
    }
}

/// A report, unless the query has not started or has ended: then the supervisor would take it for garbage.
fn report(query: QueryId, handle: &QueryHandle, shared: &Shared, sender: &Sender) -> Result<(), WorkerError> {
    if !shared.runs.load(Ordering::Acquire) {
        return Ok(());
    }
    Ok(sender.send(&progress(query, handle)?, &[])?)
}

fn progress(query: QueryId, handle: &QueryHandle) -> Result<FromWorker, WorkerError> {
    let report = QueryReport::new(handle.progress(), handle.details(), handle.metrics());
    Ok(FromWorker::Progress { query, bytes: report.to_bytes()? })
}

/// By what a query is let go, steered and supplied.
type Doors = (oneshot::Receiver<()>, watch::Receiver<Wishes>, Streams);

async fn run(query: QueryId, given: Given, engine: LazyEngine, sender: Sender, doors: Doors, shared: Arc<Shared>) {
    let ran = resolve_and_run(query, given, engine, &sender, doors, &shared).await;
    if let Err(error) = ran {
        // Without its socket the process ends as soon as the thread that receives sees it.
        tracing::error!("{error}");
    }
}

async fn resolve_and_run(
    query: QueryId,
    given: Given,
    engine: LazyEngine,
    sender: &Sender,
    (go, wished, streams): Doors,
    shared: &Arc<Shared>,
) -> Result<(), WorkerError> {
    let send = |frame: FromWorker| sender.send(&frame, &[]);
    let refused = |code: &str, text: String| FromWorker::Refused { query, code: code.to_owned(), text };
    let (stop_within, sampler) = (given.stop_within, given.sampler);
    let (connections, path) = (given.connections.clone(), given.path.clone());
    let (buffers, pace) = (given.buffers.clone(), given.pace.clone());
    let plan = match tokio::task::spawn_blocking(move || resolve(given, &streams)).await {
        Ok(Ok(plan)) => plan,
        Ok(Err(text)) => return Ok(send(refused("query_file", text))?),
        Err(error) => return Ok(send(refused("internal", format!("reading the query file panicked: {error}")))?),
    };
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    send(FromWorker::Resolved {
        query,
        name: plan.name.clone(),
        commit_ms: plan.delivery.commit_every.map(millis),
        claims: claims::claims_to_bytes(plan.claims())?,
        warnings: lines(&plan.warnings),
    })?;
    if go.await.is_err() {
        // It was stopped before it could begin. The supervisor has not said `Go`, and forgets it with the process.
        return Ok(());
    }
    let mut until_stopped = wished.clone();
    let out_of_reach = tokio::select! {
        text = brokers::out_of_reach(&plan, &connections) => text,
        () = async { drop(until_stopped.wait_for(|wishes| wishes.stop).await) } => None,
    };
    if let Some(text) = out_of_reach {
        return Ok(send(refused("network", format!("{}: {text}", path.display())))?);
    }
    let engine = match engine.get() {
        Ok(engine) => engine,
        Err(error) => return Ok(send(refused("not_ready", error.to_string()))?),
    };
    let mut starting = Query::starting(plan).buffered(buffers);
    if let Some(grace) = stop_within {
        starting = starting.within(grace);
    }
    if let Some(pace) = pace {
        starting = starting.paced(pace);
    }
    let outbox = Arc::<Outbox>::default();
    let starting = starting.logged(Arc::clone(&outbox) as Arc<dyn LogExporter>);
    let starting = match sampler {
        Some(sampler) => starting.traced(Tracing::new(sampler, Arc::clone(&outbox) as Arc<dyn SpanExporter>)),
        None => starting,
    };
    let handle = starting.handle();
    shared.set(handle.clone());
    let wishes = *wished.borrow();
    if wishes.pause {
        handle.pause();
    }
    if wishes.stop {
        handle.stop();
    }
    let ready = match starting.build(&engine).await {
        Ok(ready) => ready,
        Err(BuildError::Stopped) => {
            send(FromWorker::Started { query })?;
            let account = QueryAccount::new(Ending::Stopped, None, None, false);
            return Ok(send(FromWorker::Ended { query, end: QueryEnd::Stopped, summary: account.to_bytes()? })?);
        }
        Err(error) => return Ok(send(refused("not_ready", error.to_string()))?),
    };
    send(FromWorker::Started { query })?;
    shared.runs.store(true, Ordering::Release);
    let telemetry = tokio::spawn(Arc::clone(&outbox).keep_sending(query, sender.clone()));
    let reports = tokio::spawn(keep_reporting(query, handle, Arc::clone(shared), sender.clone()));
    let ran = ready.run().await;
    shared.runs.store(false, Ordering::Release);
    reports.abort();
    // A report that is being sent comes before the end, and nothing of the query after it.
    drop(reports.await);
    telemetry.abort();
    drop(telemetry.await);
    let (rest, to) = (Arc::clone(&outbox), sender.clone());
    match tokio::task::spawn_blocking(move || rest.send(query, &to)).await {
        Ok(sent) => sent?,
        Err(error) => tracing::error!("the last spans and lines were not sent: {error}"),
    }
    let (end, account) = match ran {
        Ok(summary) => {
            let end = match summary.ending {
                Ending::EndOfInput => QueryEnd::Complete,
                Ending::Failed => QueryEnd::Failed,
                // Stopped, by whoever asked or because a reader of a sink went away.
                _ => QueryEnd::Stopped,
            };
            (end, QueryAccount::new(summary.ending, Some(summary), None, false))
        }
        Err(error) => {
            let (text, forced) = (error.to_string(), error.cause.is_unfinished());
            (QueryEnd::Failed, QueryAccount::new(Ending::Failed, Some(*error.summary), Some(text), forced))
        }
    };
    Ok(send(FromWorker::Ended { query, end, summary: account.to_bytes()? })?)
}

/// The plan of a draft, or everything that is wrong with it, a line each.
fn resolve(given: Given, streams: &Streams) -> Result<Plan, String> {
    let Given { draft, limits, path, .. } = given;
    let invalid = |error: WorkerError| error.to_string();
    let reading = claims::reading_from_bytes(&draft).map_err(invalid)?;
    let Granted { tenant, limits, limits_file } = claims::limits_from_bytes(&limits).map_err(invalid)?;
    // Nobody else's: the draft's own tenant is held against this one.
    let tenant = tenant.parse().map_err(|error: weir_sandbox::TenantIdError| error.to_string())?;
    // Descriptor 0 of this process is its supervisor's socket.
    let mut limits = limits;
    limits.folders = limits.folders.handed_input(streams.input.clone());
    let plan = Plan::of_draft(reading, &path, &LimitsFile::of_one(tenant, limits, limits_file.map(Into::into)));
    let mut plan = plan.map_err(|error| error.to_string())?;
    for sink in &mut plan.sinks {
        if let SinkConfig::Stdout(config) = &mut sink.config {
            config.output = Some(streams.output.clone());
        }
    }
    Ok(plan)
}

/// How often a query that works is reported. Each time nothing has changed, the pause doubles, and after the longest one the query is
/// reported again when something happens in it: one in which nothing happens wakes nobody.
const REPORT_EVERY: Duration = Duration::from_millis(200);
const REPORT_EVERY_MAX: Duration = Duration::from_secs(2);

async fn keep_reporting(query: QueryId, handle: QueryHandle, shared: Arc<Shared>, sender: Sender) {
    let (mut pause, mut last) = (REPORT_EVERY, None);
    loop {
        tokio::time::sleep(pause).await;
        let progress = handle.progress();
        if last.as_ref() == Some(&progress) {
            if pause >= REPORT_EVERY_MAX {
                handle.stirred().await;
                pause = REPORT_EVERY;
            } else {
                pause = (pause * 2).min(REPORT_EVERY_MAX);
            }
            continue;
        }
        pause = REPORT_EVERY;
        match send_report(query, &handle, &shared, &sender).await {
            Ok(true) => last = Some(progress),
            Ok(false) => {}
            Err(_) => return,
        }
    }
}

/// Reports of this many bytes go into a socket in one piece, without a thread for it.
const SHORT_REPORT_BYTES: usize = 32 << 10;

/// Whether the report was sent: where the socket is full, the next one is.
async fn send_report(
    query: QueryId,
    handle: &QueryHandle,
    shared: &Arc<Shared>,
    sender: &Sender,
) -> Result<bool, WorkerError> {
    let frame = progress(query, handle)?;
    if matches!(&frame, FromWorker::Progress { bytes, .. } if bytes.len() <= SHORT_REPORT_BYTES) {
        return Ok(sender.try_send(&frame)?);
    }
    let (handle, shared, sender) = (handle.clone(), Arc::clone(shared), sender.clone());
    let sent = tokio::task::spawn_blocking(move || report(query, &handle, &shared, &sender)).await;
    sent.map_err(|error| WorkerError::System { what: "a thread for reports", source: std::io::Error::other(error) })?
        .map(|()| true)
}
