//! Runs the queries of one tenant.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::Runtime;
use weir_confine::{CodePlace, MappedWindow};
use weir_frame::{QueryId, Steering, ToWorker};
use weir_sandbox::{CpuPace, TrustedWindow};
use weir_sources::Buffers;

use crate::code::Questions;
use crate::lazy_engine::LazyEngine;
use crate::network::{Connections, NotConnected};
use crate::query_task::{Given, QueryTask};
use crate::socket::{Receiver, Sender};
use crate::{WorkerError, WorkerSettings, claims, log};

/// The window of code, mapped before the process is confined.
#[expect(unsafe_code, reason = "whoever maps a code window answers for who writes to it")]
pub(crate) fn window(window: &OwnedFd) -> Result<TrustedWindow, WorkerError> {
    let mapped = MappedWindow::map(window.as_fd())?;
    // SAFETY: the descriptor came from the supervisor of this process, in the first frame on its socket. A supervisor makes windows by
    // `CodeWindow`, writes only code of its compile workers to them, which it authenticates, and names the places of code only.
    Ok(unsafe { TrustedWindow::new(mapped) })
}

/// Does what the supervisor says until it says to end, or goes away.
pub(crate) fn serve(
    settings: WorkerSettings,
    window: Option<TrustedWindow>,
    (questions, connections): (&Questions, &Connections),
    sender: Sender,
    mut receiver: Receiver,
) -> Result<(), WorkerError> {
    log::to_supervisor(sender.clone(), &settings.log_filter);
    let engine = LazyEngine::new(&settings, window, questions);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(usize::try_from(settings.cores).unwrap_or(1).max(1).saturating_add(1))
        .max_blocking_threads(usize::try_from(settings.blocking_threads_max).unwrap_or(1).max(1))
        .enable_all()
        .build()
        .map_err(|source| WorkerError::System { what: "threads for queries", source })?;
    let sampler = settings.sampler;
    let stop_within = settings.stop_ms_max.map(Duration::from_millis);
    let buffers = Buffers::new(settings.buffer_bytes_max);
    let pace = settings.cpu_percent_max.map(|percent| CpuPace::new(percent, settings.cpu_debt, cpu_time));
    let mut queries: BTreeMap<QueryId, QueryTask> = BTreeMap::new();
    while let Some((frame, descriptors)) = receiver.receive()? {
        match frame {
            ToWorker::Run { query, draft, limits, base_folder } => {
                queries.retain(|_, task| !task.is_over());
                let path =
                    PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(base_folder));
                // What cannot be read is refused by the query itself.
                if let Ok(granted) = claims::limits_from_bytes(&limits) {
                    engine.expect(&granted.tenant, &granted.limits.limits);
                }
                let connections = connections.clone();
                let (buffers, pace) = (buffers.clone(), pace.clone());
                let given = Given { draft, limits, path, stop_within, sampler, connections, buffers, pace };
                queries.insert(query, QueryTask::start(query, given, engine.clone(), sender.clone(), &runtime));
            }
            ToWorker::Hand { query, handed } => {
                if let (Some(task), Some(descriptor)) = (queries.get(&query), descriptors.into_iter().next()) {
                    task.hand(handed, descriptor)
                        .map_err(|source| WorkerError::System { what: "a descriptor that was handed over", source })?;
                }
            }
            ToWorker::Go { query } => {
                if let Some(task) = queries.get_mut(&query) {
                    task.go();
                }
            }
            ToWorker::Steer { query, steering } => {
                if let Some(task) = queries.get_mut(&query) {
                    task.steer(steering);
                }
            }
            ToWorker::Look { query } => {
                if let Some(task) = queries.get(&query) {
                    task.report(&sender)?;
                }
            }
            ToWorker::Code { request, window_offset, code_bytes, more, about } => {
                let place = CodePlace { offset: window_offset, bytes: code_bytes };
                questions.code(request, place, more, &about)?;
            }
            ToWorker::CodeRefused { request, code, text, .. } => questions.refused(request, &code, text),
            ToWorker::Connected { request } => {
                let socket = descriptors.into_iter().next().ok_or(WorkerError::Unexpected { expected: "Connected" })?;
                connections.answer(request, Ok(socket));
            }
            ToWorker::ConnectRefused { request, code, text } => {
                connections.answer(request, Err(NotConnected { code, text }));
            }
            ToWorker::End { grace_ms } => return end(queries, runtime, Duration::from_millis(grace_ms)),
            // Frames of other roles, and answers that nobody asked for.
            _ => {}
        }
    }
    // The supervisor is gone, and with it whoever would take the output's account: the next run goes on from the last commit.
    std::process::exit(1)
}

/// CPU time of all threads of this process.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

/// Stops every query at a commit, and waits for them, but not beyond the time after which the supervisor kills this process.
fn end(mut queries: BTreeMap<QueryId, QueryTask>, runtime: Runtime, grace: Duration) -> Result<(), WorkerError> {
    queries.values_mut().for_each(|task| task.steer(Steering::Stop));
    let tasks: Vec<_> = queries.into_values().map(QueryTask::into_ended).collect();
    runtime.block_on(async {
        let all = async {
            for task in tasks {
                // A task that panicked has ended as well.
                drop(task.await);
            }
        };
        // What has not ended is ended with the process.
        drop(tokio::time::timeout(grace, all).await);
    });
    runtime.shutdown_timeout(Duration::from_millis(100));
    Ok(())
}
