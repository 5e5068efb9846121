//! Traces, metrics and logs on their way out of the process: OTLP over HTTP, set up by the variables that OpenTelemetry
//! gives names to. One client sends all three; each has a bounded place to wait in, and what a receiver does not take is
//! counted, said once, and stops nothing.

mod client;
mod environment;
mod fate;
mod logs;
mod metrics;
mod outlet;
mod own_words;
mod settings;
mod traces;

use std::sync::Arc;
use std::time::Duration;

use weir_query::{RunningQuery, Starting};
use weir_telemetry::RunningWorkers;
use weir_trace::Sampler;
use weir_worker::QueryTelemetry;

use self::environment::Environment;
use self::logs::Logs;
use self::metrics::Metrics;
pub(crate) use self::own_words::OwnWords;
use self::settings::{LogSettings, MetricSettings, TraceSettings};
use self::traces::Traces;

/// How long the end of the process waits for receivers to take what is left.
const LAST_WITHIN: Duration = Duration::from_secs(3);

/// The exporters of a process.
pub(crate) struct Otlp {
    traces: Option<Traces>,
    logs: Option<Logs>,
    metrics: Option<MetricSettings>,
    measuring: Option<Metrics>,
}

impl Otlp {
    /// As the environment says. What is wrong with it is said, and what cannot be exported is not: that is no reason to
    /// keep a query from running.
    pub(crate) fn from_environment() -> Otlp {
        let environment = Environment::of(&|name| std::env::var(name).ok());
        let traces = TraceSettings::read(&environment);
        let logs = LogSettings::read(&environment);
        let metrics = MetricSettings::read(&environment);
        environment.problems().iter().for_each(|problem| tracing::warn!("{problem}"));
        Otlp {
            traces: traces.and_then(|settings| unless(Traces::open(&settings), "traces")),
            logs: logs.and_then(|settings| unless(Logs::open(&settings), "logs")),
            metrics,
            measuring: None,
        }
    }

    /// The query, traced and its guests heard where that is asked for.
    pub(crate) fn watch(&self, query: Starting) -> Starting {
        let query = match &self.traces {
            Some(traces) => query.traced(traces.tracing()),
            None => query,
        };
        match &self.logs {
            Some(logs) => query.logged(logs.exporter()),
            None => query,
        }
    }

    /// Which batches of queries in other processes are traced.
    pub(crate) fn sampler(&self) -> Option<Sampler> {
        self.traces.as_ref().map(Traces::sampler)
    }

    /// Exports what a query in another process has handed over.
    pub(crate) fn hand_on(&self, told: QueryTelemetry) {
        if let Some(traces) = &self.traces {
            let exporter = traces.exporter();
            told.spans.into_iter().for_each(|span| exporter.export(span));
            if told.spans_lost > 0 {
                traces.lose(told.spans_lost);
            }
        }
        if let Some(logs) = &self.logs {
            let exporter = logs.exporter();
            told.lines.into_iter().for_each(|line| exporter.export(line));
            if told.lines_lost > 0 {
                logs.lose(told.lines_lost);
            }
        }
    }

    /// Exports what these queries and the workers that they run in do from now on, where that is asked for.
    pub(crate) fn measure(&mut self, queries: Vec<Arc<dyn RunningQuery>>, workers: Option<Arc<dyn RunningWorkers>>) {
        if let Some(settings) = self.metrics.take() {
            self.measuring = unless(Metrics::start(&settings, queries, workers), "metrics");
        }
    }

    /// Sends what is left, all three at once and for a moment, and says what was lost.
    pub(crate) fn close(self) {
        let Otlp { traces, logs, measuring, .. } = self;
        std::thread::scope(|scope| {
            scope.spawn(|| traces.into_iter().for_each(|traces| traces.close(LAST_WITHIN)));
            scope.spawn(|| measuring.into_iter().for_each(|metrics| metrics.close(LAST_WITHIN)));
            logs.into_iter().for_each(|logs| logs.close(LAST_WITHIN));
        });
    }
}

fn unless<T>(opened: anyhow::Result<T>, signal: &str) -> Option<T> {
    opened.map_err(|error| tracing::warn!("{signal} are not exported: {error:#}")).ok()
}
