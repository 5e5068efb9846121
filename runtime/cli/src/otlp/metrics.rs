//! Metrics on their way out of the process: from time to time, and once more at the end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use opentelemetry_http::Bytes;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use prost::Message;
use weir_query::RunningQuery;
use weir_telemetry::{ExportOrigin, RunningWorkers, otlp_requests};

use super::client::Client;
use super::environment::Signal;
use super::fate::Fate;
use super::settings::MetricSettings;

/// The exporter of metrics, on a thread of its own: also while guests hold every thread that queries run on.
pub(super) struct Metrics {
    // Dropped, it asks for the last export.
    stop: Sender<Infallible>,
    ended: Receiver<Infallible>,
    fate: Arc<Fate>,
}

struct Exporter {
    client: Client,
    queries: Vec<Arc<dyn RunningQuery>>,
    workers: Option<Arc<dyn RunningWorkers>>,
    origin: ExportOrigin,
    fate: Arc<Fate>,
}

impl Metrics {
    pub(super) fn start(
        settings: &MetricSettings,
        queries: Vec<Arc<dyn RunningQuery>>,
        workers: Option<Arc<dyn RunningWorkers>>,
    ) -> anyhow::Result<Metrics> {
        let resource = ResourceAttributesWithSchema::from(&settings.outlet.resource).attributes.0;
        let origin = ExportOrigin::new(resource, SystemTime::now());
        // An export waits for nobody: the next one has all of its figures, and newer ones.
        let fate = Arc::new(Fate::new(Signal::Metrics, 1));
        let client = Client::open(&settings.outlet, &fate)?;
        let exporter = Exporter { client, queries, workers, origin, fate: Arc::clone(&fate) };
        let ((stop, stopped), (end, ended)) = (channel(), channel());
        let every = settings.every;
        let run = move || {
            exporter.run(every, &stopped);
            drop(end);
        };
        std::thread::Builder::new().name("otlp-metrics".to_owned()).spawn(run)?;
        Ok(Metrics { stop, ended, fate })
    }

    /// Exports the final values, and waits for that at most this long.
    pub(super) fn close(self, within: Duration) {
        drop(self.stop);
        let in_time = !matches!(self.ended.recv_timeout(within), Err(RecvTimeoutError::Timeout));
        self.fate.close(in_time);
    }
}

impl Exporter {
    fn run(&self, every: Duration, stopped: &Receiver<Infallible>) {
        let mut next = Instant::now() + every;
        loop {
            let stop = stopped.recv_timeout(next.saturating_duration_since(Instant::now()));
            self.export();
            if !matches!(stop, Err(RecvTimeoutError::Timeout)) {
                return;
            }
            // Those that a slow receiver has made late are left out.
            while next <= Instant::now() {
                next += every;
            }
        }
    }

    /// Sends all figures as they are now. One request that is not taken loses the export: another would be as late.
    fn export(&self) {
        if !self.fate.enter() {
            return;
        }
        let mut sent = Ok(());
        let workers = self.workers.as_ref().map(|workers| workers.report());
        for request in otlp_requests(self.queries.iter().map(|query| &**query), workers.as_ref(), &self.origin) {
            if let Err(error) = self.client.post(Bytes::from(request.encode_to_vec())) {
                sent = Err(opentelemetry_sdk::error::OTelSdkError::InternalFailure(error.to_string()));
                break;
            }
        }
        self.fate.leave(1, &sent);
    }
}
