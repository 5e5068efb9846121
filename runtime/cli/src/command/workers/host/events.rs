//! What happens to workers while queries run.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use weir_confine::Wall;
use weir_frame::{FromWorker, QueryId, WorkerId};
use weir_query::{Ending, QueryState, RunningQuery};
use weir_tenancy::{AfterEnd, TenancyEvent};
use weir_worker::QueryAccount;

use super::super::ends::with_remedy;
use super::super::queries::Phase;
use super::{Hangups, Host};
use crate::command::running::Run;
use crate::exit::{say, wrong};
use crate::live::Screen;

impl Host {
    /// Says what is wrong with the files, runs the queries that may run, and says how each ended.
    pub(in crate::command::workers) async fn run(&mut self, run: &mut Run<'_>, screen: &Screen, hangups: &mut Hangups) {
        for file in &self.files {
            if let Some(text) = &file.wrong {
                run.refuse(wrong(anyhow::anyhow!("{text}")), None);
            }
        }
        let ids: Vec<QueryId> = self.queries.keys().copied().collect();
        for id in ids {
            let Some(query) = self.queries.get_mut(&id) else { continue };
            match &query.phase {
                Phase::Over(Some(text)) => run.refuse(wrong(anyhow::anyhow!("{text}")), None),
                Phase::Resolved => {
                    query.phase = Phase::Going;
                    if let Some(remote) = &query.remote {
                        let watch = screen.watch(Arc::clone(remote) as Arc<dyn RunningQuery>, run.shown(query.name()));
                        self.watches.insert(id, watch);
                    }
                    self.go(id, &mut Some((&mut *run, screen)));
                }
                _ => {}
            }
        }
        while self.queries.values().any(|query| !query.is_over()) {
            tokio::select! {
                // What has happened comes before what is wished.
                biased;
                event = self.events.recv() => {
                    let Some(event) = event else { break };
                    self.event(event, Some((&mut *run, screen)));
                }
                Some(query) = self.stops.1.recv() => self.stop_between(query, &mut Some((&mut *run, screen))),
                () = hangups.next() => self.reload(),
            }
        }
        let workers: Vec<WorkerId> = self.workers.keys().copied().collect();
        workers.into_iter().for_each(|worker| self.end(worker));
        self.connector.end(&self.supervisor);
    }

    pub(super) fn event(&mut self, event: TenancyEvent, mut run: Option<(&mut Run<'_>, &Screen)>) {
        match event {
            TenancyEvent::Spawned { worker, pid, .. } => {
                if let Some(hosted) = self.workers.get(&worker) {
                    hosted.process.store(pid, Ordering::Relaxed);
                }
            }
            TenancyEvent::Greeted { worker, walls } if self.connector.is(worker) => {
                self.connector.greeted(&self.supervisor, &self.missing(&walls));
            }
            TenancyEvent::Ended { worker, cause, last_words, next, .. } if self.connector.is(worker) => {
                self.connector.ended(&cause, &last_words, next);
            }
            TenancyEvent::Greeted { worker, walls } => {
                let missing: Vec<&str> = self.missing(&walls).into_iter().map(Wall::name).collect();
                if missing.is_empty() {
                    return;
                }
                let walls = missing.join(",");
                let text = format!(
                    "the worker of tenant {} is not confined: this kernel lacks {walls}; use a newer kernel, or give that up with `--allow-weak={walls}`",
                    self.tenant(worker)
                );
                let of_worker = self.queries.iter().filter(|(_, query)| query.worker == worker && !query.is_over());
                let of_worker: Vec<QueryId> = of_worker.map(|(id, _)| *id).collect();
                of_worker.into_iter().for_each(|query| self.lost(query, &text, &mut run));
                self.end(worker);
            }
            TenancyEvent::Frame { worker, frame } => {
                let frame = frame.take();
                if let FromWorker::Compile { request, tenant, module_bytes, chunk, .. } = &frame {
                    let Some(hosted) = self.workers.get(&worker) else { return };
                    let limits = hosted.limits.get(tenant).cloned();
                    let (Ok(tenant), Some(limits)) = (tenant.parse(), limits) else {
                        return self.speaks_for_others(worker, &mut run);
                    };
                    let of = (tenant, limits, hosted.window.clone());
                    return self.code.piece(worker, of, *request, *module_bytes, chunk);
                }
                if let ControlFlow::Continue(frame) = self.query_frame(worker, frame, &mut run) {
                    self.log(worker, frame);
                }
            }
            TenancyEvent::Line { line, .. } => say(&*line),
            TenancyEvent::LinesDropped { worker, lines } => {
                tracing::warn!(
                    tenant = self.tenant(worker),
                    "{lines} lines of the worker were dropped: it writes too much"
                );
            }
            TenancyEvent::Waits { worker, reason } => self.waits(worker, reason, &mut run),
            TenancyEvent::Ended { worker, cause, last_words, held, next, .. } => {
                self.code.forget(worker);
                let mut was_replaced = false;
                if let Some(hosted) = self.workers.get_mut(&worker) {
                    hosted.process.store(0, Ordering::Relaxed);
                    was_replaced = std::mem::take(&mut hosted.is_replaced);
                }
                if held.is_empty() {
                    return;
                }
                let cause = with_remedy(&cause, self.tenant(worker));
                let words = last_words.line();
                let words = if words.is_empty() { words } else { format!("; it wrote: {words}") };
                let held = self.give_up_what_reads_once(worker, held, next, &format!("{cause}{words}"), &mut run);
                if held.is_empty() {
                    return;
                }
                let tenant = self.tenant(worker);
                match next {
                    AfterEnd::Restart { .. } if held.iter().all(|query| self.is_stopped(*query)) => {
                        tracing::warn!(tenant, "the worker {cause}{words}, while its queries were stopping");
                        for query in held {
                            self.ended(query, QueryAccount::new(Ending::Stopped, None, None, false), &mut run);
                        }
                        self.end(worker);
                    }
                    AfterEnd::Restart { .. } if was_replaced => {
                        tracing::warn!(tenant, "the worker {cause}{words}; its queries continue with other limits");
                        for query in held {
                            if let Some(remote) = self.queries.get(&query).and_then(|query| query.remote.as_ref()) {
                                remote.is_now(QueryState::Retrying);
                            }
                        }
                    }
                    AfterEnd::Restart { in_ms } => {
                        tracing::warn!(
                            tenant,
                            "the worker {cause}{words}; its queries continue from their last commits in {in_ms} ms"
                        );
                        for query in held {
                            if let Some(remote) = self.queries.get(&query).and_then(|query| query.remote.as_ref()) {
                                remote.is_now(QueryState::Retrying);
                            }
                        }
                    }
                    _ => {
                        let text = format!("the worker of tenant {tenant} {cause}{words}");
                        held.into_iter().for_each(|query| self.lost(query, &text, &mut run));
                    }
                }
            }
            _ => {}
        }
    }
}
