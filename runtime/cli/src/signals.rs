//! SIGINT and SIGTERM, and the time that a process has to end after them.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};
use weir_query::{QueryState, RunningQuery};

use crate::control::SocketFile;
use crate::exit::{Exit, say};
use crate::standard_error::StandardError;

/// Watches for signals on a thread of its own, so that nothing that a query does keeps it from its work.
///
/// The first signal drains the queries, a second ends the process at once. A query that has not drained shortly before the
/// grace time is over is ended by force, and says what it had not finished ([`soft`]). When the time is over the process
/// ends whatever is left.
pub(crate) struct Signals {
    told: oneshot::Sender<Running>,
    asked: watch::Receiver<bool>,
}

/// What runs.
struct Running {
    queries: Vec<Arc<dyn RunningQuery>>,
    socket: Option<Arc<SocketFile>>,
}

/// The grace time where none is given.
pub(crate) const GRACE: Duration = Duration::from_secs(10);

/// How long before the end of the grace time queries are ended by force: time for their last words, a tenth of it.
pub(crate) fn soft(grace: Duration) -> Duration {
    grace.saturating_sub((grace / 10).min(Duration::from_secs(1)))
}

impl Signals {
    /// Catches signals from here on. One that comes before [`Signals::drain`] starts the grace time, and drains the
    /// queries as soon as they are ready.
    pub(crate) fn catch(grace: Duration) -> io::Result<Signals> {
        let (told, running) = oneshot::channel();
        let (caught, catches) = sync_channel(1);
        let (is_asked, asked) = watch::channel(false);
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || serve(grace, running, &caught, &is_asked))?;
        catches.recv().map_err(|_| io::Error::other("the thread that catches signals has ended"))??;
        Ok(Signals { told, asked })
    }

    /// Comes back when a signal has come, or none can come any more.
    pub(crate) async fn asked(&self) {
        let mut asked = self.asked.clone();
        drop(asked.wait_for(|asked| *asked).await);
    }

    /// These are to be drained when a signal comes, or has come.
    pub(crate) fn drain(self, queries: Vec<Arc<dyn RunningQuery>>, socket: Option<Arc<SocketFile>>) {
        // The thread lives as long as the process.
        drop(self.told.send(Running { queries, socket }));
    }
}

fn serve(
    grace: Duration,
    running: oneshot::Receiver<Running>,
    caught: &SyncSender<io::Result<()>>,
    is_asked: &watch::Sender<bool>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(caught.send(Err(error))),
    };
    runtime.block_on(async {
        let (mut interrupt, mut terminate) = match both() {
            Ok(both) => both,
            Err(error) => return drop(caught.send(Err(error))),
        };
        drop(caught.send(Ok(())));
        let mut told = Some(running);
        let mut running = None;
        let mut asked: Option<Instant> = None;
        loop {
            let over = asked.map(|asked| tokio::time::Instant::from_std(asked + grace));
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                ready = until_ready(&mut told) => {
                    running = ready;
                    if asked.is_some() {
                        stop(running.as_ref());
                    }
                    continue;
                }
                () = tokio::time::sleep_until(over.unwrap_or_else(tokio::time::Instant::now)), if over.is_some() => {
                    end(running.as_ref(), grace);
                }
            }
            if asked.is_some() {
                remove_socket(running.as_ref());
                StandardError::drain(Duration::from_millis(100));
                std::process::exit(130);
            }
            asked = Some(Instant::now());
            is_asked.send_replace(true);
            stop(running.as_ref());
            tracing::warn!("stopping: finishing the records that were read; press ctrl-C again to end at once");
        }
    });
}

/// What runs, once it does; never where that was told already, or never will be.
async fn until_ready(told: &mut Option<oneshot::Receiver<Running>>) -> Option<Running> {
    let Some(waiting) = told else { return std::future::pending().await };
    let ready = waiting.await.ok();
    *told = None;
    ready
}

fn both() -> io::Result<(Signal, Signal)> {
    Ok((signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?))
}

fn stop(running: Option<&Running>) {
    running.iter().flat_map(|running| &running.queries).for_each(|query| query.stop());
}

fn remove_socket(running: Option<&Running>) {
    running.and_then(|running| running.socket.as_ref()).iter().for_each(|socket| socket.remove());
}

/// The grace time is over: says what was not finished, and ends the process.
fn end(running: Option<&Running>, grace: Duration) -> ! {
    remove_socket(running);
    let mut left = Vec::new();
    for query in running.iter().flat_map(|running| &running.queries) {
        let progress = query.progress();
        if !matches!(progress.state, QueryState::Ended | QueryState::Failed) {
            let (name, tenant, open) = (query.query(), query.tenant(), progress.uncommitted_records);
            left.push(format!("query {name} of tenant {tenant} ({open} records read but not committed)"));
        }
    }
    let what = match (running.is_some(), left.is_empty()) {
        (false, _) => "the queries had not started yet".to_owned(),
        (true, true) => "the queries did not release their resources".to_owned(),
        (true, false) => format!("not finished: {}", left.join(", ")),
    };
    say(format_args!("error: ended by force {} ms after the stop: {what}", grace.as_millis()));
    StandardError::drain(Duration::from_millis(200));
    std::process::exit(Exit::Forced.code().into());
}
