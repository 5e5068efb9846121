//! `weir run`.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use weir_query::{FileSource, Plan, Query, QueryHandle, Starting, Summary};
use weir_sinks::SinkConfig;
use weir_telemetry::{Endpoint, Health, exposition};

use super::files::{Loaded, WrongFiles, load_each};
use super::running::{Run, within_instances};
use crate::args;
use crate::control::{Board, Control};
use crate::engine::{config, engine};
use crate::exit::{Exit, say, wrong};
use crate::live::{Name, Screen, Show, named};
use crate::otlp::Otlp;
use crate::signals::{Signals, soft};

/// Runs each of these queries, whatever becomes of the others. The exit code is 0 where all have ended well, 1 where one
/// could not start or failed, and 2 where nothing ran: every file, or the limits file, is wrong, or no query could start.
pub(crate) fn run(args: &args::Run, json: bool) -> anyhow::Result<Exit> {
    let args::Files { queries, limits } = &args.files;
    let several = queries.len() > 1;
    let Loaded { plans, wrong: wrong_files } = load_each(queries, limits.as_deref()).map_err(wrong)?;
    for (path, plan) in &plans {
        for warning in &plan.warnings {
            if several {
                tracing::warn!("{}:{}: {warning}", path.display(), warning.line);
            } else {
                tracing::warn!("{warning}");
            }
        }
    }
    let sinks = plans.iter().flat_map(|(_, plan)| &plan.sinks);
    let rows_on_stdout = sinks.map(|sink| &sink.config).any(|config| matches!(config, SinkConfig::Stdout { .. }));
    let screen = Screen::new(Show::choose(args.quiet, json, rows_on_stdout));
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    // Guests hold as many of these as there are cores, at most: the others keep sources and sinks going.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2 * cores)
        .max_blocking_threads(blocking_threads(plans.iter().map(|(_, plan)| plan)))
        .enable_all()
        .build()?;
    let grace = Duration::from_millis(args.grace_ms);
    let mut otlp = Otlp::from_environment();
    let done = runtime.block_on(async {
        let engine = engine(config())?;
        // From here on a signal stops the queries: those that start, and drains those that run.
        let signals = Signals::catch(grace)?;
        let (queries, refused) = within_instances(plans.into_iter().map(|(_, plan)| plan), &engine);
        let queries: Vec<Starting> =
            queries.into_iter().map(|plan| otlp.watch(Query::starting(plan).within(soft(grace)))).collect();
        let handles: Vec<_> = queries.iter().map(Starting::handle).collect();
        let metrics = args.metrics_listen.map(|address| open_metrics(address, handles.clone(), args.quiet, json));
        let metrics = metrics.transpose()?;
        otlp.measure(handles.clone());
        let board = Arc::new(Board::new(queries.iter().map(|query| (query.handle(), query.plan()))));
        let control = if args.no_control { None } else { open_control(&board) };
        signals.drain(handles, control.as_ref().map(Control::socket));
        let mut run = Run::new(&screen, &board, several, args.quiet, json);
        for error in wrong_files {
            run.refuse(wrong(WrongFiles(vec![error])), None);
        }
        for (name, why) in refused {
            run.refuse(wrong(why), several.then_some(&name));
        }
        run.all(queries, &engine).await;
        let exit = run.exit();
        drop((control, metrics));
        Ok(exit)
    });
    // A read from a network file system that is away cannot be called off; everything else on these threads is done in a
    // moment.
    runtime.shutdown_timeout(Duration::from_secs(1));
    otlp.close();
    done
}

/// Threads for what blocks: each query can have all that it may use at once, so that none waits for another one's.
fn blocking_threads<'a>(plans: impl Iterator<Item = &'a Plan>) -> usize {
    // Sinks, sources, dead letters and state, and what the process does beside them.
    let of_query = |plan: &Plan| plan.sinks.len() + FileSource::THREADS_MAX + 2;
    plans.map(of_query).sum::<usize>() + 64
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
    let watched = queries.clone();
    let endpoint =
        Endpoint::open(address, move || exposition(&queries), move || Health::of(&watched)).map_err(wrong)?;
    let url = format!("http://{}/metrics", endpoint.address());
    if json {
        say(json!({ "metrics": url }));
    } else if !quiet {
        say(format_args!("metrics at {url}"));
    }
    Ok(endpoint)
}

pub(super) fn tell(summary: &Summary, name: Option<&Name>, quiet: bool, json: bool) {
    if json {
        say(named(name, json!({ "summary": summary })));
    } else if !quiet {
        say(summary.to_string().trim_end());
    }
}
