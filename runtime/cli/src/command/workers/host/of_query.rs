//! What workers say of their queries.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Duration;

use weir_frame::{FromWorker, QueryEnd, QueryId, Steering, ToWorker, WorkerId};
use weir_query::{Ending, QueryState};
use weir_text::escape_to;
use weir_worker::{QueryAccount, QueryReport, claims_from_bytes};

use super::super::files::said;
use super::super::queries::{Hosted, Phase};
use super::{Host, LINE_CHARS_MAX};
use crate::command::running::Run;
use crate::command::summary::tell;
use crate::exit::{WorkerFailure, wrong};
use crate::live::Screen;

/// The longest name of a query that a worker may send.
const NAME_BYTES_MAX: usize = 256;

/// Warnings of a query file that are shown.
const WARNINGS_MAX: usize = 100;

impl Host {
    /// Takes a frame about a query of this worker; gives others back.
    pub(super) fn query_frame(
        &mut self,
        worker: WorkerId,
        frame: FromWorker,
        run: &mut Option<(&mut Run<'_>, &Screen)>,
    ) -> ControlFlow<(), FromWorker> {
        let id = match &frame {
            FromWorker::Resolved { query, .. }
            | FromWorker::Refused { query, .. }
            | FromWorker::Started { query }
            | FromWorker::Progress { query, .. }
            | FromWorker::Telemetry { query, .. }
            | FromWorker::Ended { query, .. } => *query,
            _ => return ControlFlow::Continue(frame),
        };
        let goes_on = self.goes_on(worker, id);
        // A worker speaks of its own queries only.
        let Some(query) = self.queries.get_mut(&id).filter(|query| query.worker == worker) else {
            return ControlFlow::Break(());
        };
        match frame {
            FromWorker::Resolved { commit_ms, claims, warnings, .. } => {
                let path = self.files.get(query.file).map_or(Path::new(""), |file| &file.path);
                let claims = claims_from_bytes(&claims).map_err(|error| error.to_string()).and_then(|claims| {
                    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
                    let is_name = (1..=NAME_BYTES_MAX).contains(&claims.name.len()) && claims.name.bytes().all(legal);
                    if !is_name {
                        return Err("a query without a name".to_owned());
                    }
                    // It claims what its tenant may have, whatever it says.
                    let limits = query.tenant.parse().ok().and_then(|tenant| self.limits.of(&tenant));
                    let claims = claims.of(query.tenant.clone());
                    let claims = limits.and_then(|limits| claims.within(&limits.folders));
                    claims.ok_or_else(|| "claims of more files than a query has".to_owned())
                });
                match (&query.phase, claims) {
                    (Phase::Asked, Ok(claims)) => {
                        for warning in warnings.iter().take(WARNINGS_MAX) {
                            tracing::warn!("{}", escape_to(&said(path, std::slice::from_ref(warning)), LINE_CHARS_MAX));
                        }
                        if claims.kafka_clients > 0 {
                            self.connector.needed(&self.supervisor, worker, claims.kafka_clients, &self.given_up);
                        }
                        query.claims = Some(claims);
                        query.commit_every = commit_ms.map(Duration::from_millis);
                        query.phase = Phase::Resolved;
                    }
                    // Its worker was started again after it was asked to stop: it stays where its last commit left it.
                    (Phase::Going, Ok(_)) if query.is_stopped() => {
                        self.send(worker, ToWorker::Steer { query: id, steering: Steering::Stop });
                        self.ended(id, QueryAccount::new(Ending::Stopped, None, None, false), run);
                    }
                    // Its worker was started again.
                    (Phase::Going, Ok(_)) => {
                        if query.is_paused() {
                            self.send(worker, ToWorker::Steer { query: id, steering: Steering::Pause });
                        }
                        self.go(id, run);
                    }
                    // It was stopped before its worker was started again.
                    (Phase::Over(_), Ok(_)) => {
                        self.send(worker, ToWorker::Steer { query: id, steering: Steering::Stop });
                    }
                    (_, Err(error)) => {
                        let text = format!("the worker of tenant {} sent {error}", query.tenant);
                        self.lost(id, &text, run);
                        self.end(worker);
                    }
                    _ => {}
                }
            }
            FromWorker::Refused { text, .. } => {
                // The worker knows the file by its absolute path.
                let path = self.files.get(query.file).map(|file| file.path.clone()).unwrap_or_default();
                let absolute = std::path::absolute(&path).unwrap_or_else(|_| path.clone());
                let (absolute, shown) = (format!("{}:", absolute.display()), format!("{}:", path.display()));
                let lines = text.lines().map(|line| match line.strip_prefix(&absolute) {
                    Some(rest) => format!("{shown}{rest}"),
                    None => line.to_owned(),
                });
                let text = weir_text::escape_lines(&lines.collect::<Vec<_>>().join("\n")).to_string();
                self.lost(id, &text, run);
            }
            FromWorker::Started { .. } => {
                if !query.goes
                    && let Some((run, _)) = run
                {
                    run.begin();
                }
                query.goes = true;
                if query.is_paused() {
                    self.send(worker, ToWorker::Steer { query: id, steering: Steering::Pause });
                }
            }
            FromWorker::Progress { bytes, .. } => match QueryReport::from_bytes(&bytes) {
                Ok(report) => query.remote.iter().for_each(|remote| remote.reported(report.clone())),
                // Its reader is of the same version: it was taken over.
                Err(error) => {
                    let text = format!("the worker of tenant {} sent {error}", query.tenant);
                    self.lost(id, &text, run);
                    self.end(worker);
                }
            },
            FromWorker::Telemetry { bytes, .. } => self.telemetry(id, &bytes),
            FromWorker::Ended { end: QueryEnd::Stopped, .. } if goes_on => {}
            FromWorker::Ended { summary, .. } => match QueryAccount::from_bytes(&summary) {
                Ok(account) => self.ended(id, account, run),
                Err(error) => {
                    let text = format!("the worker of tenant {} sent {error}", query.tenant);
                    self.lost(id, &text, run);
                }
            },
            _ => {}
        }
        ControlFlow::Break(())
    }

    pub(super) fn is_stopped(&self, query: QueryId) -> bool {
        self.queries.get(&query).is_some_and(Hosted::is_stopped)
    }

    /// A query has ended, and its worker says how.
    pub(super) fn ended(&mut self, id: QueryId, account: QueryAccount, run: &mut Option<(&mut Run<'_>, &Screen)>) {
        drop(self.watches.remove(&id));
        let Some(query) = self.queries.get_mut(&id).filter(|query| !query.is_over()) else { return };
        query.phase = Phase::Over(account.failure.clone());
        let Some(name) = query.name() else { return };
        if let Some(remote) = &query.remote {
            remote.ended(&account);
        }
        let Some((run, screen)) = run else { return };
        let shown = run.shown(Some(name.clone()));
        if let Some(mut summary) = account.summary {
            // Whose it is says this process, not the worker.
            (summary.query, summary.tenant) = (name.query.clone(), name.tenant.clone());
            screen.suspend(|| tell(&summary, shown.as_ref(), self.quiet, self.json));
        }
        if let Some(text) = &account.failure {
            let failure = WorkerFailure { text: escape_to(text, LINE_CHARS_MAX), forced: account.forced };
            run.refuse(failure.into(), shown.as_ref());
        }
        run.over(&name, account.ending, account.failure);
    }

    /// A query could not be run, or its worker is gone for good.
    pub(super) fn lost(&mut self, id: QueryId, text: &str, run: &mut Option<(&mut Run<'_>, &Screen)>) {
        drop(self.watches.remove(&id));
        let Some(query) = self.queries.get_mut(&id).filter(|query| !query.is_over()) else { return };
        let ran = query.goes;
        query.phase = Phase::Over(Some(text.to_owned()));
        query.remote.iter().for_each(|remote| remote.is_now(QueryState::Failed));
        let (Some((run, _)), Some(name)) = (run, query.name()) else { return };
        let shown = run.shown(Some(name.clone()));
        let error = anyhow::Error::from(WorkerFailure { text: text.to_owned(), forced: false });
        run.refuse(if ran { error } else { wrong(error) }, shown.as_ref());
        run.over(&name, Ending::Failed, Some(text.to_owned()));
    }
}
