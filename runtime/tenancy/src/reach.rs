//! Connections that workers ask for and the connector makes. What goes through here is numbers and descriptors.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use weir_frame::{RequestId, ToWorker};

use crate::asked::{Asked, Outcome, Waiting, Wanted};
use crate::keeper::Keeper;
use crate::worker::{Stage, Worker};

/// How long a question waits for a connector that starts. Then the worker is refused, and tries again.
const STARTS_WITHIN: Duration = Duration::from_secs(5);

impl Keeper {
    /// Hands a question on, within the worker's rate.
    pub(crate) fn want(&mut self, number: u64, wanted: Wanted, now: Instant) {
        let Wanted { request, host, port } = wanted;
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let (has_allowance, tenant) = (worker.connects.take(1, now), worker.spec.tenant.clone());
        let allowed = worker.spec.allowed_networks.clone();
        let Some(pid) = worker.process().map(|process| process.pid) else { return };
        let asked = Asked { worker: number, pid, request };
        if !has_allowance {
            let text =
                format!("{} connections a second are made for a worker; try again later", self.settings.connects_per_s);
            return self.answer(asked, Err(("too_many".to_owned(), text)), now);
        }
        let own = RequestId(self.next_reach);
        self.next_reach = self.next_reach.saturating_add(1);
        let reach = ToWorker::Reach { request: own, tenant, host, port, allowed };
        if self.ask_connector(asked, &reach, own, now) {
            return;
        }
        let is_coming = self.connector.and_then(|number| self.workers.get(&number)).is_some_and(Worker::is_coming);
        match now.checked_add(STARTS_WITHIN).filter(|_| is_coming) {
            Some(until) => self.reaches_waiting.push(Waiting { asked, reach, until }),
            None => self.answer(asked, unavailable("the connector is not running"), now),
        }
    }

    /// Whether the connector took the question.
    fn ask_connector(&mut self, asked: Asked, reach: &ToWorker, own: RequestId, now: Instant) -> bool {
        let bytes_max = self.settings.frames_out_bytes_max;
        let connector = self.connector.and_then(|number| self.workers.get_mut(&number));
        let Some(connector) = connector.filter(|connector| connector.is_ready()) else { return false };
        let id = connector.id;
        let Some(process) = connector.process() else { return false };
        if process.send(id, reach, Vec::new(), bytes_max, now).is_err() {
            return false;
        }
        process.flush(now);
        process.watch(&self.set);
        self.reaches.insert(own, asked);
        true
    }

    /// Hands on what waited for the connector to start, and refuses what waited too long.
    pub(crate) fn ask_waiting(&mut self, now: Instant) {
        for Waiting { asked, reach, until } in std::mem::take(&mut self.reaches_waiting) {
            let ToWorker::Reach { request, .. } = &reach else { continue };
            if self.ask_connector(asked, &reach, *request, now) {
            } else if until <= now {
                self.answer(asked, unavailable("the connector does not start"), now);
            } else {
                self.reaches_waiting.push(Waiting { asked, reach, until });
            }
        }
    }

    /// Hands an outcome of the connector's to the worker that asked, where its process still lives.
    pub(crate) fn reached(&mut self, (request, outcome): Outcome, now: Instant) {
        if let Some(asked) = self.reaches.remove(&request) {
            self.answer(asked, outcome, now);
        }
    }

    /// The connector's process has ended: refuses all connections that are being waited for.
    pub(crate) fn connector_ended(&mut self, number: u64, now: Instant) {
        if self.connector != Some(number) {
            return;
        }
        for asked in std::mem::take(&mut self.reaches).into_values() {
            self.answer(asked, unavailable("the connector has ended"), now);
        }
    }

    fn answer(&mut self, asked: Asked, outcome: Result<OwnedFd, (String, String)>, now: Instant) {
        let bytes_max = self.settings.frames_out_bytes_max;
        let Some(worker) = self.workers.get_mut(&asked.worker) else { return };
        let id = worker.id;
        let Some(process) = worker.process().filter(|process| process.pid == asked.pid) else { return };
        let request = asked.request;
        let (frame, descriptors) = match outcome {
            Ok(socket) => (ToWorker::Connected { request }, vec![socket]),
            Err((code, text)) => {
                let code = weir_text::escape_to(&code, 32);
                let text = weir_text::escape_to(&text, 500);
                (ToWorker::ConnectRefused { request, code, text }, Vec::new())
            }
        };
        if let Err(error) = process.send(id, &frame, descriptors, bytes_max, now) {
            tracing::debug!("{id} is not told of a connection: {error}");
        }
        process.flush(now);
        process.watch(&self.set);
    }
}

fn unavailable(why: &str) -> Result<OwnedFd, (String, String)> {
    Err(("unavailable".to_owned(), format!("{why}; try again later")))
}

impl Worker {
    /// Whether it starts, or is to be started: then a question can wait for it.
    fn is_coming(&self) -> bool {
        match &self.stage {
            Stage::Process { process, is_ending } => !is_ending && !process.turns.has_greeted(),
            Stage::Due { .. } => true,
            Stage::Quarantined => false,
        }
    }

    /// Whether its process has said hello and is not ending.
    fn is_ready(&self) -> bool {
        matches!(&self.stage, Stage::Process { process, is_ending: false } if process.turns.has_greeted() && process.cause.is_none())
    }
}
