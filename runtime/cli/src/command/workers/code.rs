//! Modules of workers, compiled by compile workers, and put into the windows of those who asked.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use weir_admission::{Cache, CodeSettings, CompileService, Refusal};
use weir_confine::{CodeWindow, WindowError};
use weir_frame::{RequestId, ToWorker, WorkerId};
use weir_sandbox::{Limits, TenantId};
use weir_tenancy::Supervisor;
use weir_worker::CodeAbout;

use crate::engine;

/// What a window holds. It takes memory as code is written to it.
const WINDOW_BYTES: u64 = 256 << 20;

/// Modules that are compiled at once, of different tenants.
const AT_ONCE: usize = 2;

/// The longest module that is taken, whatever a tenant's limits say.
const MODULE_BYTES_MAX: usize = 128 << 20;

/// The window of a worker's process: a new one for each process.
#[derive(Clone, Default)]
pub(super) struct Window(Arc<Mutex<Option<CodeWindow>>>);

impl Window {
    /// Makes a window for a process that is about to start.
    pub(super) fn make(&self) -> Result<std::os::fd::OwnedFd, WindowError> {
        let window = CodeWindow::create(WINDOW_BYTES)?;
        let descriptor = std::os::fd::AsFd::as_fd(&window)
            .try_clone_to_owned()
            .map_err(|source| WindowError::Step { step: "hand over a code window", source })?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(window);
        Ok(descriptor)
    }

    fn write(&self, code: &[u8]) -> Result<weir_confine::CodePlace, String> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = window.as_mut().ok_or_else(|| "the worker has no code window".to_owned())?;
        window.write(code).map_err(|error| error.to_string())
    }
}

/// Modules of one worker that are compiled at the same time. The others wait without a thread.
const AT_ONCE_OF_WORKER: usize = 4;

/// Bytes of modules of one worker that wait for compilation, or are compiled.
const WAITING_BYTES_MAX: usize = 256 << 20;

/// Has modules compiled for workers.
pub(super) struct Code {
    service: Arc<CompileService>,
    supervisor: Weak<Supervisor>,
    /// Modules that come in pieces. One at a time of each worker.
    pieces: BTreeMap<WorkerId, Vec<u8>>,
    queues: Arc<Mutex<BTreeMap<WorkerId, Queue>>>,
}

/// Modules of one worker.
#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    /// Bytes of those that wait and those that are compiled.
    bytes: usize,
    running: usize,
}

/// A module to be compiled.
struct Job {
    request: RequestId,
    tenant: TenantId,
    limits: Limits,
    window: Window,
    module: Vec<u8>,
}

impl Code {
    pub(super) fn new(supervisor: &Arc<Supervisor>) -> Code {
        let config = engine::config();
        let cache = config.cache.as_ref().and_then(|config| match Cache::open(config) {
            Ok(cache) => Some(cache),
            Err(error) => {
                tracing::warn!("modules are compiled on each run because the code cache is not available: {error}");
                None
            }
        });
        // The running program, whatever has taken its name in the meantime.
        let program = PathBuf::from("/proc/self/exe");
        let service = CompileService::new(program, vec![engine::COMPILE_WORKER.to_owned()], cache, AT_ONCE);
        Code {
            service: Arc::new(service),
            supervisor: Arc::downgrade(supervisor),
            pieces: BTreeMap::new(),
            queues: Arc::default(),
        }
    }

    /// A worker's process has ended: what it had not sent to the end is nobody's, and what waits is asked for again.
    pub(super) fn forget(&mut self, worker: WorkerId) {
        self.pieces.remove(&worker);
        if let Some(queue) = lock(&self.queues).get_mut(&worker) {
            let waiting: usize = queue.waiting.drain(..).map(|job| job.module.len()).sum();
            queue.bytes = queue.bytes.saturating_sub(waiting);
        }
    }

    /// Takes a piece of a module; with the last one the module is compiled, within the limits of the worker's tenant. The frame
    /// protocol has made sure that pieces follow each other.
    pub(super) fn piece(
        &mut self,
        worker: WorkerId,
        (tenant, limits, window): (TenantId, Limits, Window),
        request: RequestId,
        module_bytes: u32,
        chunk: &[u8],
    ) {
        // Its tenant's own worker would have refused it: this one was taken over, or is of another version.
        let bytes_max = limits.module.module_file_bytes_max.min(MODULE_BYTES_MAX);
        if module_bytes as usize > bytes_max {
            let text = format!("the module has {module_bytes} bytes: the maximum is {bytes_max}");
            return refuse(&self.supervisor, worker, request, &Refusal::Worker(text));
        }
        let piece = self.pieces.entry(worker).or_default();
        piece.extend_from_slice(chunk);
        if piece.len() < module_bytes as usize {
            return;
        }
        let module = self.pieces.remove(&worker).unwrap_or_default();
        let mut queues = lock(&self.queues);
        let queue = queues.entry(worker).or_default();
        let bytes = queue.bytes.saturating_add(module.len());
        if bytes > WAITING_BYTES_MAX {
            let text = format!(
                "the tenant's modules that wait for compilation have {bytes} bytes: the maximum is {WAITING_BYTES_MAX}; start fewer queries at once"
            );
            drop(queues);
            return refuse(&self.supervisor, worker, request, &Refusal::Worker(text));
        }
        queue.bytes = bytes;
        queue.waiting.push_back(Job { request, tenant, limits, window, module });
        if queue.running < AT_ONCE_OF_WORKER {
            queue.running += 1;
            let (service, supervisor) = (Arc::clone(&self.service), Weak::clone(&self.supervisor));
            let queues = Arc::clone(&self.queues);
            tokio::task::spawn_blocking(move || work_off(&service, &supervisor, &queues, worker));
        }
    }
}

fn lock(queues: &Mutex<BTreeMap<WorkerId, Queue>>) -> MutexGuard<'_, BTreeMap<WorkerId, Queue>> {
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compiles a worker's modules one after the other, until none waits.
fn work_off(
    service: &CompileService,
    supervisor: &Weak<Supervisor>,
    queues: &Mutex<BTreeMap<WorkerId, Queue>>,
    worker: WorkerId,
) {
    loop {
        let Some(job) = lock(queues).get_mut(&worker).and_then(|queue| {
            let job = queue.waiting.pop_front();
            queue.running -= usize::from(job.is_none());
            job
        }) else {
            return;
        };
        compile(service, supervisor, (worker, job.request), (&job.tenant, &job.limits, &job.window), &job.module);
        if let Some(queue) = lock(queues).get_mut(&worker) {
            queue.bytes = queue.bytes.saturating_sub(job.module.len());
        }
    }
}

fn compile(
    service: &CompileService,
    supervisor: &Weak<Supervisor>,
    (worker, request): (WorkerId, RequestId),
    (tenant, limits, window): (&TenantId, &Limits, &Window),
    module: &[u8],
) {
    let settings = CodeSettings { fuel: true, hardened: limits.hardened };
    let compiled = service.compile(tenant, module, limits, settings, |served| {
        let about = CodeAbout::new(served.tier, served.is_cached, served.cost);
        let placed = window.write(served.code.bytes());
        match placed.and_then(|place| Ok((place, about.to_bytes().map_err(|error| error.to_string())?))) {
            Ok((place, about)) => {
                let (window_offset, code_bytes, more) = (place.offset, place.bytes, served.better_follows);
                send(supervisor, worker, ToWorker::Code { request, window_offset, code_bytes, more, about });
            }
            Err(text) => refuse(supervisor, worker, request, &Refusal::Engine(text)),
        }
    });
    if let Err(refusal) = compiled {
        refuse(supervisor, worker, request, &refusal);
    }
}

fn refuse(supervisor: &Weak<Supervisor>, worker: WorkerId, request: RequestId, refusal: &Refusal) {
    let (code, text) = (refusal.code().to_owned(), refusal.to_string());
    send(supervisor, worker, ToWorker::CodeRefused { request, code, text, about: Vec::new() });
}

fn send(supervisor: &Weak<Supervisor>, worker: WorkerId, frame: ToWorker) {
    let Some(supervisor) = supervisor.upgrade() else { return };
    // The process that asked may have ended: the next one asks again.
    if let Err(error) = supervisor.send(worker, frame) {
        tracing::debug!("{worker} was not reached: {error}");
    }
}
