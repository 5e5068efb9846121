//! Connections that workers ask for and the connector makes. What goes through here is numbers and descriptors.

use std::os::fd::OwnedFd;
use std::time::Instant;

use weir_frame::{RequestId, ToWorker};

use crate::asked::{Asked, Outcome, Wanted};
use crate::keeper::Keeper;
use crate::worker::{Stage, Worker};

impl Keeper {
    /// Hands a question on, within the worker's rate.
    pub(crate) fn want(&mut self, number: u64, wanted: Wanted, now: Instant) {
        let Wanted { request, host, port } = wanted;
        let bytes_max = self.settings.frames_out_bytes_max;
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
        let reach = ToWorker::Reach { request: own, tenant, host, port, allowed };
        let connector = self.connector.and_then(|number| self.workers.get_mut(&number));
        let sent = connector.filter(|connector| connector.is_ready()).and_then(|connector| {
            let id = connector.id;
            let process = connector.process()?;
            process.send(id, &reach, Vec::new(), bytes_max, now).ok()?;
            process.flush(now);
            process.watch(&self.set);
            Some(())
        });
        match sent {
            Some(()) => {
                self.next_reach = self.next_reach.saturating_add(1);
                self.reaches.insert(own, asked);
            }
            None => {
                let text = "the connector is not running; try again later".to_owned();
                self.answer(asked, Err(("unavailable".to_owned(), text)), now);
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
            let text = "the connector has ended; try again later".to_owned();
            self.answer(asked, Err(("unavailable".to_owned(), text)), now);
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

impl Worker {
    /// Whether its process has said hello and is not ending.
    fn is_ready(&self) -> bool {
        matches!(&self.stage, Stage::Process { process, is_ending: false } if process.turns.has_greeted() && process.cause.is_none())
    }
}
