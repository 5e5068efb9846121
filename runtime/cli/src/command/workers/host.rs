//! The supervisor's side of a run: files to readers, drafts to workers, and what comes back to whoever watches.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use weir_confine::Wall;
use weir_frame::{FromWorker, LineLevel, QueryId, RequestId, Steering, ToWorker, WallReport, WallState, WorkerId};
use weir_plan::{LimitsFile, QueryFileError, clashes};
use weir_query::{Ending, QueryState, RunningQuery};
use weir_sandbox::Limits;
use weir_tenancy::{AfterEnd, Supervisor, TenancyEvent};
use weir_text::escape_to;
use weir_worker::{QueryAccount, QueryLine, QueryReport, RemoteQuery, claims_from_bytes, limits_to_bytes};

use super::code::{Code, Window};
use super::files::{QueryFile, said};
use super::line::Line;
use super::queries::{Hosted, Phase};
use super::start;
use crate::args;
use crate::command::running::Run;
use crate::command::summary::tell;
use crate::exit::{WorkerFailure, say, wrong};
use crate::live::{Screen, Watch};

/// Query files that are read at the same time, each by a process of its own.
const READERS_MAX: usize = 8;

/// The longest name of a query that a worker may send.
const NAME_BYTES_MAX: usize = 256;

/// The longest line of a worker that is shown.
const LINE_CHARS_MAX: usize = 4_000;

/// What a run hosts.
pub(super) struct Host {
    supervisor: Arc<Supervisor>,
    events: UnboundedReceiver<TenancyEvent>,
    limits: LimitsFile,
    quiet: bool,
    json: bool,
    grace: Duration,
    given_up: Vec<Wall>,
    files: Vec<QueryFile>,
    readers: BTreeMap<WorkerId, usize>,
    workers: BTreeMap<WorkerId, HostedWorker>,
    queries: BTreeMap<QueryId, Hosted>,
    watches: BTreeMap<QueryId, Watch>,
    code: Code,
}

struct HostedWorker {
    tenant: String,
    limits: Limits,
    window: Window,
    process: Arc<AtomicU32>,
}

impl Host {
    pub(super) fn new(
        supervisor: Arc<Supervisor>,
        events: mpsc::Receiver<TenancyEvent>,
        limits: LimitsFile,
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
        Host {
            code,
            supervisor,
            events: receive,
            limits,
            quiet: args.quiet,
            json,
            grace: Duration::from_millis(args.grace_ms),
            given_up: args.allow_weak.clone(),
            files: Vec::new(),
            readers: BTreeMap::new(),
            workers: BTreeMap::new(),
            queries: BTreeMap::new(),
            watches: BTreeMap::new(),
        }
    }

    /// Has each file read by a reader of its own: a file that takes over its reader reaches no other file.
    pub(super) async fn read_files(&mut self, paths: &[PathBuf]) {
        self.files = paths.iter().map(|path| QueryFile::new(path)).collect();
        let mut next = 0;
        while next < self.files.len() || !self.readers.is_empty() {
            while self.readers.len() < READERS_MAX
                && let Some(file) = self.files.get_mut(next)
            {
                if let Some(read) = file.read(RequestId(1)) {
                    match self.supervisor.start(start::reader(&self.given_up)) {
                        Ok(worker) => {
                            self.readers.insert(worker, next);
                            file.waiting = Some(read);
                        }
                        Err(error) => file.wrong = Some(format!("{}: {error}", file.path.display())),
                    }
                }
                next += 1;
            }
            if self.readers.is_empty() {
                continue;
            }
            let Some(event) = self.events.recv().await else { return };
            self.reader_event(event);
        }
    }

    fn reader_event(&mut self, event: TenancyEvent) {
        match event {
            TenancyEvent::Greeted { worker, walls } => {
                let missing: Vec<&str> = self.missing(&walls).into_iter().map(Wall::name).collect();
                if !missing.is_empty() {
                    let walls = missing.join(",");
                    if let Some(file) = self.readers.remove(&worker).and_then(|file| self.files.get_mut(file)) {
                        file.wrong = Some(format!(
                            "{}: it is not read: this kernel lacks {walls}; use a newer kernel, or give that up with `--allow-weak={walls}`",
                            file.path.display()
                        ));
                    }
                    return self.end(worker);
                }
                let file = self.readers.get(&worker).and_then(|file| self.files.get_mut(*file));
                if let Some(read) = file.and_then(|file| file.waiting.take()) {
                    self.send(worker, read);
                }
            }
            TenancyEvent::Frame { worker, frame } => match frame.take() {
                FromWorker::Needs { request, tenant, variables } => {
                    let Some(file) = self.readers.get(&worker).and_then(|file| self.files.get_mut(*file)) else {
                        return;
                    };
                    match file.grant(request, tenant.as_deref(), &variables, &self.limits) {
                        Ok(grant) => self.send(worker, grant),
                        Err(error) => file.wrong = Some(format!("{}: {error}", file.path.display())),
                    }
                }
                FromWorker::Draft { draft, problems, .. } => {
                    if let Some(file) = self.readers.remove(&worker).and_then(|file| self.files.get_mut(file)) {
                        file.drafted(draft, &problems);
                    }
                    self.end(worker);
                }
                frame => self.log(worker, frame),
            },
            TenancyEvent::Ended { worker, cause, last_words, next, .. } => {
                // It is not tried again: a file that ends its reader would end the next one too.
                if let Some(file) = self.readers.remove(&worker).and_then(|file| self.files.get_mut(file)) {
                    let words = last_words.line();
                    let words = if words.is_empty() { words } else { format!(" (it wrote: {words})") };
                    file.wrong = Some(format!("{}: the process that read it {cause}{words}", file.path.display()));
                }
                if matches!(next, AfterEnd::Restart { .. }) {
                    self.end(worker);
                }
            }
            TenancyEvent::Line { line, .. } => say(&*line),
            _ => {}
        }
    }

    /// Starts a worker for each tenant, and has it resolve the tenant's queries.
    pub(super) async fn resolve(&mut self) {
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
        let spec = start::of_tenant(tenant, &limits, &paths, window.clone(), &self.given_up);
        let of_functions = limits.limits.clone();
        let started = self.supervisor.start(spec).map_err(|error| error.to_string());
        let started =
            started.and_then(|worker| Ok((worker, limits_to_bytes(&limits).map_err(|error| error.to_string())?)));
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

    /// The walls that tenants must not run without, that the kernel does not have, and that the operator has not given up.
    fn missing(&self, walls: &[WallReport]) -> Vec<Wall> {
        let is_missing = |wall: &Wall| {
            let report = walls.iter().find(|report| report.name == wall.name());
            report.is_none_or(|report| report.state == WallState::Missing) && !self.given_up.contains(wall)
        };
        Wall::ALL.into_iter().filter(|wall| wall.required()).filter(is_missing).collect()
    }

    /// Holds the queries' claims against each other. The later of two that are in each other's way is not run.
    pub(super) fn compare(&mut self) {
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
    pub(super) fn remote_queries(&mut self) -> Vec<(Arc<dyn RunningQuery>, Option<Duration>)> {
        let mut all: Vec<(Arc<dyn RunningQuery>, Option<Duration>)> = Vec::new();
        for (id, query) in &mut self.queries {
            let (Phase::Resolved, Some(name)) = (&query.phase, query.name()) else { continue };
            let process = self.workers.get(&query.worker).map(|worker| Arc::clone(&worker.process)).unwrap_or_default();
            let line = Arc::new(Line {
                supervisor: Arc::downgrade(&self.supervisor),
                worker: query.worker,
                query: *id,
                process,
                stopped: AtomicBool::new(false),
                paused: AtomicBool::new(false),
            });
            let remote = Arc::new(RemoteQuery::new(name.query, name.tenant, Arc::clone(&line) as Arc<dyn QueryLine>));
            query.line = Some(line);
            query.remote = Some(Arc::clone(&remote));
            all.push((remote, query.commit_every));
        }
        all
    }

    /// Says what is wrong with the files, runs the queries that may run, and says how each ended.
    pub(super) async fn run(&mut self, run: &mut Run<'_>, screen: &Screen) {
        for file in &self.files {
            if let Some(text) = &file.wrong {
                run.refuse(wrong(anyhow::anyhow!("{text}")), None);
            }
        }
        let ids: Vec<QueryId> = self.queries.keys().copied().collect();
        for id in ids {
            let Some(query) = self.queries.get_mut(&id) else { continue };
            match &query.phase {
                Phase::Over(Some(text)) => run.refuse(wrong(anyhow::anyhow!("{text}")), None),
                Phase::Resolved => {
                    query.phase = Phase::Going;
                    let worker = query.worker;
                    if let Some(remote) = &query.remote {
                        let watch = screen.watch(Arc::clone(remote) as Arc<dyn RunningQuery>, run.shown(query.name()));
                        self.watches.insert(id, watch);
                    }
                    self.send(worker, ToWorker::Go { query: id });
                }
                _ => {}
            }
        }
        while self.queries.values().any(|query| !query.is_over()) {
            let Some(event) = self.events.recv().await else { break };
            self.event(event, Some((&mut *run, screen)));
        }
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        workers.into_iter().for_each(|worker| self.end(worker));
    }

    fn event(&mut self, event: TenancyEvent, mut run: Option<(&mut Run<'_>, &Screen)>) {
        match event {
            TenancyEvent::Spawned { worker, pid, .. } => {
                if let Some(hosted) = self.workers.get(&worker) {
                    hosted.process.store(pid, Ordering::Relaxed);
                }
            }
            TenancyEvent::Greeted { worker, walls } => {
                let missing: Vec<&str> = self.missing(&walls).into_iter().map(Wall::name).collect();
                if missing.is_empty() {
                    return;
                }
                let walls = missing.join(",");
                let text = format!(
                    "the worker of tenant {} is not confined: this kernel lacks {walls}; use a newer kernel, or give that up with `--allow-weak={walls}`",
                    self.tenant(worker)
                );
                let of_worker = self.queries.iter().filter(|(_, query)| query.worker == worker && !query.is_over());
                let of_worker: Vec<QueryId> = of_worker.map(|(id, _)| *id).collect();
                of_worker.into_iter().for_each(|query| self.lost(query, &text, &mut run));
                self.end(worker);
            }
            TenancyEvent::Frame { worker, frame } => {
                let frame = frame.take();
                if let FromWorker::Compile { request, module_bytes, chunk, .. } = &frame {
                    let Some(hosted) = self.workers.get(&worker) else { return };
                    let Ok(tenant) = hosted.tenant.parse() else { return };
                    let of = (tenant, hosted.limits.clone(), hosted.window.clone());
                    return self.code.piece(worker, of, *request, *module_bytes, chunk);
                }
                if let ControlFlow::Continue(frame) = self.query_frame(worker, frame, &mut run) {
                    self.log(worker, frame);
                }
            }
            TenancyEvent::Line { line, .. } => say(&*line),
            TenancyEvent::LinesDropped { worker, lines } => {
                tracing::warn!(
                    tenant = self.tenant(worker),
                    "{lines} lines of the worker were dropped: it writes too much"
                );
            }
            TenancyEvent::Waits { worker, reason } => {
                tracing::warn!(tenant = self.tenant(worker), "the worker waits: {reason}");
            }
            TenancyEvent::Ended { worker, cause, last_words, held, next, .. } => {
                self.code.forget(worker);
                if let Some(hosted) = self.workers.get(&worker) {
                    hosted.process.store(0, Ordering::Relaxed);
                }
                if held.is_empty() {
                    return;
                }
                let words = last_words.line();
                let words = if words.is_empty() { words } else { format!("; it wrote: {words}") };
                let tenant = self.tenant(worker);
                match next {
                    AfterEnd::Restart { .. } if held.iter().all(|query| self.is_stopped(*query)) => {
                        tracing::warn!(tenant, "the worker {cause}{words}, while its queries were stopping");
                        for query in held {
                            self.ended(query, QueryAccount::new(Ending::Stopped, None, None, false), &mut run);
                        }
                        self.end(worker);
                    }
                    AfterEnd::Restart { in_ms } => {
                        tracing::warn!(
                            tenant,
                            "the worker {cause}{words}; its queries continue from their last commits in {in_ms} ms"
                        );
                        for query in held {
                            if let Some(remote) = self.queries.get(&query).and_then(|query| query.remote.as_ref()) {
                                remote.is_now(QueryState::Retrying);
                            }
                        }
                    }
                    _ => {
                        let text = format!("the worker of tenant {tenant} {cause}{words}");
                        held.into_iter().for_each(|query| self.lost(query, &text, &mut run));
                    }
                }
            }
            _ => {}
        }
    }

    /// Takes a frame about a query of this worker; gives others back.
    fn query_frame(
        &mut self,
        worker: WorkerId,
        frame: FromWorker,
        run: &mut Option<(&mut Run<'_>, &Screen)>,
    ) -> ControlFlow<(), FromWorker> {
        let id = match &frame {
            FromWorker::Resolved { query, .. }
            | FromWorker::Refused { query, .. }
            | FromWorker::Started { query }
            | FromWorker::Progress { query, .. }
            | FromWorker::Ended { query, .. } => *query,
            _ => return ControlFlow::Continue(frame),
        };
        // A worker speaks of its own queries only.
        let Some(query) = self.queries.get_mut(&id).filter(|query| query.worker == worker) else {
            return ControlFlow::Break(());
        };
        match frame {
            FromWorker::Resolved { commit_ms, claims, warnings, .. } => {
                let path = self.files.get(query.file).map_or(Path::new(""), |file| &file.path);
                let claims = claims_from_bytes(&claims).map_err(|error| error.to_string()).and_then(|claims| {
                    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                    let is_name = (1..=NAME_BYTES_MAX).contains(&claims.name.len()) && claims.name.bytes().all(legal);
                    if is_name { Ok(claims) } else { Err("a query without a name".to_owned()) }
                });
                match (&query.phase, claims) {
                    (Phase::Asked, Ok(claims)) => {
                        for warning in &warnings {
                            tracing::warn!("{}", escape_to(&said(path, std::slice::from_ref(warning)), LINE_CHARS_MAX));
                        }
                        query.claims = Some(claims.of(query.tenant.clone()));
                        query.commit_every = commit_ms.map(Duration::from_millis);
                        query.phase = Phase::Resolved;
                    }
                    // Its worker was started again after it was asked to stop: it stays where its last commit left it.
                    (Phase::Going, Ok(_)) if query.is_stopped() => {
                        self.send(worker, ToWorker::Steer { query: id, steering: Steering::Stop });
                        self.ended(id, QueryAccount::new(Ending::Stopped, None, None, false), run);
                    }
                    // Its worker was started again.
                    (Phase::Going, Ok(_)) => self.send(worker, ToWorker::Go { query: id }),
                    (_, Err(error)) => {
                        let text = format!("the worker of tenant {} sent {error}", query.tenant);
                        self.lost(id, &text, run);
                        self.end(worker);
                    }
                    _ => {}
                }
            }
            FromWorker::Refused { text, .. } => {
                // The worker knows the file by its absolute path.
                let path = self.files.get(query.file).map(|file| file.path.clone()).unwrap_or_default();
                let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
                let (absolute, shown) = (format!("{}:", absolute.display()), format!("{}:", path.display()));
                let lines = text.lines().map(|line| match line.strip_prefix(&absolute) {
                    Some(rest) => format!("{shown}{rest}"),
                    None => line.to_owned(),
                });
                let text = weir_text::escape_lines(&lines.collect::<Vec<_>>().join("\n")).to_string();
                self.lost(id, &text, run);
            }
            FromWorker::Started { .. } => {
                if !query.goes
                    && let Some((run, _)) = run
                {
                    run.begin();
                }
                query.goes = true;
                if query.is_paused() {
                    self.send(worker, ToWorker::Steer { query: id, steering: Steering::Pause });
                }
            }
            FromWorker::Progress { bytes, .. } => match QueryReport::from_bytes(&bytes) {
                Ok(report) => query.remote.iter().for_each(|remote| remote.reported(report.clone())),
                Err(error) => tracing::warn!(tenant = query.tenant, "the worker sent {error}"),
            },
            FromWorker::Ended { summary, .. } => match QueryAccount::from_bytes(&summary) {
                Ok(account) => self.ended(id, account, run),
                Err(error) => {
                    let text = format!("the worker of tenant {} sent {error}", query.tenant);
                    self.lost(id, &text, run);
                }
            },
            _ => {}
        }
        ControlFlow::Break(())
    }

    fn is_stopped(&self, query: QueryId) -> bool {
        self.queries.get(&query).is_some_and(Hosted::is_stopped)
    }

    /// A query has ended, and its worker says how.
    fn ended(&mut self, id: QueryId, account: QueryAccount, run: &mut Option<(&mut Run<'_>, &Screen)>) {
        drop(self.watches.remove(&id));
        let Some(query) = self.queries.get_mut(&id).filter(|query| !query.is_over()) else { return };
        query.phase = Phase::Over(account.failure.clone());
        let Some(name) = query.name() else { return };
        if let Some(remote) = &query.remote {
            remote.ended(&account);
        }
        let Some((run, screen)) = run else { return };
        let shown = run.shown(Some(name.clone()));
        if let Some(mut summary) = account.summary {
            // Whose it is says this process, not the worker.
            (summary.query, summary.tenant) = (name.query.clone(), name.tenant.clone());
            screen.suspend(|| tell(&summary, shown.as_ref(), self.quiet, self.json));
        }
        if let Some(text) = &account.failure {
            let failure = WorkerFailure { text: escape_to(text, LINE_CHARS_MAX), forced: account.forced };
            run.refuse(failure.into(), shown.as_ref());
        }
        run.over(&name, account.ending, account.failure);
    }

    /// A query could not be run, or its worker is gone for good.
    fn lost(&mut self, id: QueryId, text: &str, run: &mut Option<(&mut Run<'_>, &Screen)>) {
        drop(self.watches.remove(&id));
        let Some(query) = self.queries.get_mut(&id).filter(|query| !query.is_over()) else { return };
        let ran = query.goes;
        query.phase = Phase::Over(Some(text.to_owned()));
        query.remote.iter().for_each(|remote| remote.is_now(QueryState::Failed));
        let (Some((run, _)), Some(name)) = (run, query.name()) else { return };
        let shown = run.shown(Some(name.clone()));
        let error = anyhow::Error::from(WorkerFailure { text: text.to_owned(), forced: false });
        run.refuse(if ran { error } else { wrong(error) }, shown.as_ref());
        run.over(&name, Ending::Failed, Some(text.to_owned()));
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
