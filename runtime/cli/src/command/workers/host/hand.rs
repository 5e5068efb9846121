//! Standard input and output, handed to the one query that uses them.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, channel};

use weir_files::{FileError, FileKind, STANDARD_INPUT};
use weir_frame::{Handed, QueryId, Steering, ToWorker, WorkerId};
use weir_sinks::HandedOutput;
use weir_tenancy::AfterEnd;

use super::Host;
use crate::command::running::Run;
use crate::live::Screen;

impl Host {
    /// Whether a query writes rows to the standard output.
    pub(in crate::command::workers) fn has_rows_on_stdout(&self) -> bool {
        let mut claims =
            self.queries.values().filter(|query| !query.is_over()).filter_map(|query| query.claims.as_ref());
        claims.any(weir_plan::Claims::writes_standard_output)
    }

    /// Lets a query run that its worker has resolved, with what it uses of this process. A worker's next process gets it anew.
    pub(super) fn go(&mut self, id: QueryId, run: &mut Option<(&mut Run<'_>, &Screen)>) {
        let Some(worker) = self.queries.get(&id).map(|query| query.worker) else { return };
        match self.hand(id, worker) {
            Ok(()) => self.send(worker, ToWorker::Go { query: id }),
            Err(text) => {
                self.send(worker, ToWorker::Steer { query: id, steering: Steering::Stop });
                self.lost(id, &text, run);
            }
        }
    }

    /// No two queries of a run use the same one: their claims were held against each other.
    fn hand(&mut self, id: QueryId, worker: WorkerId) -> Result<(), String> {
        let Some(query) = self.queries.get(&id) else { return Ok(()) };
        let Some(claims) = &query.claims else { return Ok(()) };
        let (writes, reads, tenant) =
            (claims.writes_standard_output(), claims.reads_standard_input(), query.tenant.clone());
        if reads {
            let limits = tenant.parse().ok().and_then(|tenant| self.limits.of(&tenant));
            // Its own worker would have refused it: this one was taken over.
            if !limits.is_some_and(|limits| limits.folders.allow_standard_input()) {
                return Err(format!(
                    "the worker of tenant {tenant} asked for the standard input, which it may not read"
                ));
            }
            let input = input().map_err(|error| format!("`{STANDARD_INPUT}` cannot be read: {error}"))?;
            self.hand_over(id, worker, Handed::Input, input)?;
        }
        if writes {
            let (ours, theirs) = HandedOutput::pair().map_err(|error| format!("no socket for rows: {error}"))?;
            self.serve_rows(ours).map_err(|error| format!("rows cannot be written: {error}"))?;
            self.hand_over(id, worker, Handed::Output, theirs)?;
        }
        Ok(())
    }

    fn hand_over(&self, query: QueryId, worker: WorkerId, handed: Handed, descriptor: OwnedFd) -> Result<(), String> {
        let hand = ToWorker::Hand { query, handed };
        self.supervisor.send_with(worker, hand, vec![descriptor]).map_err(|error| error.to_string())
    }

    /// Writes what comes over this socket to the standard output, after what came over earlier ones.
    fn serve_rows(&mut self, socket: UnixStream) -> std::io::Result<()> {
        if self.rows.is_none() {
            let (send, sockets) = channel();
            std::thread::Builder::new().name("stdout".to_owned()).spawn(move || serve(&sockets))?;
            self.rows = Some(send);
        }
        match self.rows.as_ref().map(|rows| rows.send(socket)) {
            Some(Ok(())) => Ok(()),
            _ => Err(std::io::Error::other("the thread that writes rows has ended")),
        }
    }

    /// After the end of a process: queries that read what cannot be read again are not started again, because what they had read and not
    /// committed is lost. Gives the others.
    pub(super) fn give_up_what_reads_once(
        &mut self,
        worker: WorkerId,
        held: Vec<QueryId>,
        next: AfterEnd,
        why: &str,
        run: &mut Option<(&mut Run<'_>, &Screen)>,
    ) -> Vec<QueryId> {
        if !matches!(next, AfterEnd::Restart { .. }) {
            return held;
        }
        let reads_once = |id: &QueryId| {
            let query = self.queries.get(id).filter(|query| query.goes && !query.is_stopped());
            query.and_then(|query| query.claims.as_ref()).is_some_and(weir_plan::Claims::reads_once)
        };
        let (lost, rest): (Vec<QueryId>, Vec<QueryId>) = held.into_iter().partition(reads_once);
        for id in lost {
            self.send(worker, ToWorker::Steer { query: id, steering: Steering::Stop });
            let text = format!(
                "the worker of tenant {} {why}; the query is not started again because its input, a pipe, a terminal or the standard input, cannot be read again: records that it had read and not committed are lost",
                self.tenant(worker)
            );
            self.lost(id, &text, run);
        }
        if rest.is_empty() && self.queries.values().all(|query| query.worker != worker || query.is_over()) {
            self.end(worker);
        }
        rest
    }
}

fn serve(sockets: &Receiver<UnixStream>) {
    for socket in sockets {
        if let Err(error) = weir_sinks::serve_output(socket) {
            tracing::error!("the standard output cannot be used: {error}");
        }
    }
}

/// The standard input as a file of its own: what a worker does to it, nobody else notices.
fn input() -> Result<OwnedFd, FileError> {
    match weir_files::open(STANDARD_INPUT)? {
        (file, kind) if kind == FileKind::Regular || kind == FileKind::Null || kind.arrives() => Ok(file.into()),
        (_, kind) => Err(FileError::NotRegular { kind }),
    }
}
