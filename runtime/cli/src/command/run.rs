//! `weir run`.

use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use weir_query::{Plan, Query, QueryHandle};
use weir_sinks::SinkConfig;

use crate::args;
use crate::engine::{config, engine};
use crate::exit::{Exit, report, say, wrong};
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
        let engine = engine(config())?;
        // From here on a signal waits for the query to be ready, and then drains it.
        let signals = Signals::new()?;
        let query = Query::build(plan, &engine).await.map_err(wrong)?;
        let signals = tokio::spawn(signals.stop(query.handle()));
        let progress = tokio::spawn(show(query.handle(), progress));
        let ended = query.run().await;
        progress.abort();
        signals.abort();
        let (summary, failure) = match ended {
            Ok(summary) => (summary, None),
            Err(error) => ((*error.summary).clone(), Some(error)),
        };
        if json {
            say(json!({ "summary": summary }));
        } else if !args.quiet {
            say(summary.to_string().trim_end());
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

/// SIGINT and SIGTERM, caught since this was made.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// The first signal drains the query; a second ends the process at once.
    async fn stop(mut self, query: QueryHandle) {
        let mut asked = false;
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
            if asked {
                std::process::exit(130);
            }
            asked = true;
            query.stop();
            tracing::warn!("stopping: finishing what was read; once more ends at once");
        }
    }
}
