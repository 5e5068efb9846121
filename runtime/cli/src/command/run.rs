//! `weir run`.

use std::time::Duration;

use serde_json::json;
use weir_query::{Plan, Query, QueryHandle};
use weir_sandbox::{Engine, EngineConfig};
use weir_sinks::SinkConfig;

use crate::args;
use crate::exit::{Exit, report, wrong};
use crate::live::{Show, show};

pub(crate) fn run(args: &args::Run, json: bool) -> anyhow::Result<Exit> {
    let plan = Plan::load(&args.query).map_err(wrong)?;
    for warning in &plan.warnings {
        tracing::warn!("{warning}");
    }
    let rows_on_stdout = plan.sinks.iter().any(|sink| matches!(sink.config, SinkConfig::Stdout { .. }));
    let progress = Show::choose(args.quiet, json, rows_on_stdout);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let engine = Engine::new(&EngineConfig::default())?;
        let query = Query::build(plan, &engine).await.map_err(wrong)?;
        let signals = tokio::spawn(stop_on_signal(query.handle())?);
        let progress = tokio::spawn(show(query.handle(), progress));
        let ended = query.run().await;
        progress.abort();
        signals.abort();
        let (summary, failure) = match ended {
            Ok(summary) => (summary, None),
            Err(error) => ((*error.summary).clone(), Some(error)),
        };
        if json {
            eprintln!("{}", json!({ "summary": summary }));
        } else if !args.quiet {
            eprint!("{summary}");
        }
        match failure {
            None => Ok(Exit::Done),
            Some(error) => {
                report(&error.into(), json);
                Ok(Exit::Failed)
            }
        }
    });
    // A read from a silent pipe cannot be called off; everything else on these threads is done in a moment.
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

/// The first SIGINT or SIGTERM drains the query; a second ends the process at once.
fn stop_on_signal(query: QueryHandle) -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked {
                std::process::exit(130);
            }
            asked = true;
            tracing::warn!("stopping: finishing what was read; once more ends at once");
            query.stop();
        }
    })
}
