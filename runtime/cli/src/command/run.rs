//! `weir run`.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{Id, JoinSet};
use tracing::Instrument;
use weir_query::{Ending, Plan, Query, QueryHandle, RunError, Summary};
use weir_sandbox::Engine;
use weir_sinks::SinkConfig;
use weir_telemetry::{Endpoint, exposition};

use super::files::load;
use crate::args;
use crate::control::{Board, Control, Outcome, SocketFile};
use crate::engine::{config, engine};
use crate::exit::{Exit, report, say, wrong};
use crate::live::{Name, Screen, Show, named};
use crate::otlp::Otlp;

pub(crate) fn run(args: &args::Run, json: bool) -> anyhow::Result<Exit> {
    let args::Files { queries, limits } = &args.files;
    let plans = load(queries, limits.as_deref()).map_err(wrong)?;
    let several = plans.len() > 1;
    for (plan, path) in plans.iter().zip(queries) {
        for warning in &plan.warnings {
            if several {
                tracing::warn!("{}:{}: {warning}", path.display(), warning.line);
            } else {
                tracing::warn!("{warning}");
            }
        }
    }
    let rows_on_stdout =
        plans.iter().flat_map(|plan| &plan.sinks).any(|sink| matches!(sink.config, SinkConfig::Stdout { .. }));
    let screen = Screen::new(Show::choose(args.quiet, json, rows_on_stdout));
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    // Guests hold as many of these as there are cores, at most: the others keep sources and sinks going.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2 * cores).enable_all().build()?;
    let mut otlp = Otlp::from_environment();
    let done = runtime.block_on(async {
        let engine = engine(config())?;
        // From here on a signal waits for the queries to be ready, and then drains them.
        let signals = Signals::new()?;
        let queries = build(plans, &engine, several, &otlp).await?;
        let handles: Vec<_> = queries.iter().map(|(_, query)| query.handle()).collect();
        let metrics = args.metrics_listen.map(|address| open_metrics(address, handles.clone(), args.quiet, json));
        let metrics = metrics.transpose()?;
        otlp.measure(handles.clone());
        let board = Arc::new(Board::new(queries.iter().map(|(_, query)| query)));
        let control = if args.no_control { None } else { open_control(&board) };
        let signals = tokio::spawn(signals.stop(handles, control.as_ref().map(Control::socket)));
        let exit = run_all(queries, &board, &screen, args.quiet, json).await;
        signals.abort();
        drop((control, metrics));
        Ok(exit)
    });
    // A read from a silent pipe cannot be called off; everything else on these threads is done in a moment.
    runtime.shutdown_timeout(Duration::from_secs(1));
    otlp.close();
    done
}

/// Opens the control socket, which is a convenience: a query is not kept from running by what is wrong with it.
pub(super) fn open_control(board: &Arc<Board>) -> Option<Control> {
    match Control::open(Arc::clone(board)) {
        Ok(control) => Some(control),
        Err(error) => {
            tracing::warn!("`weir status`, `pause`, `resume` and `stop` will not find this process: {error}");
            None
        }
    }
}

/// Opens the metrics endpoint. It was asked for: without it nothing is run.
fn open_metrics(address: SocketAddr, queries: Vec<QueryHandle>, quiet: bool, json: bool) -> anyhow::Result<Endpoint> {
    let endpoint = Endpoint::open(address, move || exposition(&queries)).map_err(wrong)?;
    let url = format!("http://{}/metrics", endpoint.address());
    if json {
        say(json!({ "metrics": url }));
    } else if !quiet {
        say(format_args!("metrics at {url}"));
    }
    Ok(endpoint)
}

/// Queries that could not be made ready, a line each.
#[derive(Debug)]
struct NotReady(Vec<String>);

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for NotReady {}

/// Makes all of them ready before the first one runs.
async fn build(plans: Vec<Plan>, engine: &Engine, several: bool, otlp: &Otlp) -> anyhow::Result<Vec<(Name, Query)>> {
    // Stages keep their instances: queries that need more than there are would wait for each other for good.
    let (needed, most) = (plans.iter().map(Plan::instances_max).sum::<usize>(), engine.instances_max());
    if u32::try_from(needed).is_ok_and(|needed| needed <= most) {
        let mut queries = Vec::with_capacity(plans.len());
        let mut not_ready = Vec::new();
        for plan in plans {
            let name = Name { query: plan.name.clone(), tenant: plan.tenant.to_string() };
            match Query::build(plan, engine).await {
                Ok(query) => queries.push((name, otlp.watch(query))),
                Err(error) if several => not_ready.push(format!("{name}: {error}")),
                Err(error) => return Err(wrong(error)),
            }
        }
        if not_ready.is_empty() { Ok(queries) } else { Err(wrong(NotReady(not_ready))) }
    } else {
        let message = format!("{needed} instances are needed at once, and this machine has room for {most}: run less");
        Err(wrong(NotReady(vec![message])))
    }
}

/// Runs each query in a task of its own, and says how each ended. One that fails does not end the others.
async fn run_all(queries: Vec<(Name, Query)>, board: &Board, screen: &Screen, quiet: bool, json: bool) -> Exit {
    let several = queries.len() > 1;
    let mut running: JoinSet<Result<Summary, RunError>> = JoinSet::new();
    let mut watched: HashMap<Id, _> = HashMap::new();
    for (name, query) in queries {
        let whose = name.clone();
        let name = several.then_some(name);
        let progress = screen.watch(query.handle(), name.clone());
        let task = match &name {
            // What is logged on the way says whose it is, whatever is logged: hence the level.
            Some(name) => {
                let span = tracing::error_span!("query", query = %name.query, tenant = %name.tenant);
                running.spawn(query.run().instrument(span))
            }
            None => running.spawn(query.run()),
        };
        watched.insert(task.id(), (whose, name, progress));
    }
    let mut exit = Exit::Done;
    while let Some(ended) = running.join_next_with_id().await {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let (mut whose, mut name) = (None, None);
        if let Some((of, shown, progress)) = watched.remove(&id) {
            drop(progress);
            (whose, name) = (Some(of), shown);
        }
        let (summary, failure): (_, Option<anyhow::Error>) = match ended {
            Ok((_, Ok(summary))) => (Some(summary), None),
            Ok((_, Err(error))) => (Some((*error.summary).clone()), Some(error.into())),
            // A bug of this program: it ends one query, and is said.
            Err(error) => (None, Some(anyhow::anyhow!("the query's task ended without an account: {error}"))),
        };
        let said = failure.as_ref().map(ToString::to_string);
        screen.suspend(|| {
            if let Some(summary) = &summary {
                tell(summary, name.as_ref(), quiet, json);
            }
            if let Some(error) = failure {
                report(&error, name.as_ref(), json);
                exit = Exit::Failed;
            }
        });
        if let Some(whose) = whose {
            let ending = summary.map_or(Ending::Failed, |summary| summary.ending).to_string();
            board.ended(&whose.query, &whose.tenant, Outcome { ending, failure: said });
        }
    }
    exit
}

pub(super) fn tell(summary: &Summary, name: Option<&Name>, quiet: bool, json: bool) {
    if json {
        say(named(name, json!({ "summary": summary })));
    } else if !quiet {
        say(summary.to_string().trim_end());
    }
}

/// SIGINT and SIGTERM, caught since this was made.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Signals> {
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The first signal drains the queries; a second ends the process at once.
    pub(super) async fn stop(mut self, queries: Vec<QueryHandle>, socket: Option<Arc<SocketFile>>) {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            if asked {
                socket.iter().for_each(|socket| socket.remove());
                std::process::exit(130);
            }
            asked = true;
            queries.iter().for_each(QueryHandle::stop);
            tracing::warn!("stopping: finishing what was read; once more ends at once");
        }
    }
}
