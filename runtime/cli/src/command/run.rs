//! `weir run`.

use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use weir_admin::Board;
use weir_plan::Plan;
use weir_query::{Query, RunningQuery, Starting};
use weir_sinks::SinkConfig;
use weir_sources::FileSource;

use super::files::{Loaded, WrongFiles, load_each};
use super::running::{Run, within_instances};
use crate::args;
use crate::control::{Control, Doors};
use crate::engine::{config_for, engine};
use crate::exit::{Exit, say, say_json, wrong};
use crate::live::{Screen, Show};
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
        let engine = engine(config_for(plans.iter().map(|(_, plan)| plan)))?;
        // From here on a signal stops the queries: those that start, and drains those that run.
        let signals = Signals::catch(grace)?;
        let (queries, refused) = within_instances(plans.into_iter().map(|(_, plan)| plan), &engine);
        let queries: Vec<Starting> =
            queries.into_iter().map(|plan| otlp.watch(Query::starting(plan).within(soft(grace)))).collect();
        let handle = |query: &Starting| -> Arc<dyn RunningQuery> { Arc::new(query.handle()) };
        let handles: Vec<_> = queries.iter().map(handle).collect();
        let board = queries.iter().map(|query| (handle(query), query.plan().delivery.commit_every));
        let board = Arc::new(Board::new(board));
        let mut doors = Control::doors();
        if let Some(address) = args.metrics_listen {
            open_metrics(&mut doors, address, args, json)?;
        }
        otlp.measure(handles.clone(), None);
        let control = doors.open(Arc::clone(&board), !args.no_control)?;
        signals.drain(handles, control.socket());
        let mut run = Run::new(&screen, &board, several, args.quiet, json);
        for error in wrong_files {
            run.refuse(wrong(WrongFiles(vec![error])), None);
        }
        for (name, why) in refused {
            run.refuse(wrong(why), several.then_some(&name));
        }
        run.all(queries, &engine).await;
        let exit = run.exit();
        drop(control);
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

/// Binds the address of the metrics. It was asked for: without it nothing is run.
pub(super) fn open_metrics(doors: &mut Doors, address: SocketAddr, args: &args::Run, json: bool) -> anyhow::Result<()> {
    let address = doors.tcp(address, args.allow_steering).map_err(wrong)?;
    let url = format!("http://{address}/metrics");
    if json {
        say_json(&json!({ "metrics": url }));
    } else if !args.quiet {
        say(format_args!("metrics at {url}"));
    }
    Ok(())
}
