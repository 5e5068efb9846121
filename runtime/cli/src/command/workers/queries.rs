//! The queries of one run, each in a worker.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use weir_frame::WorkerId;
use weir_plan::Claims;
use weir_worker::RemoteQuery;

use super::line::Line;
use crate::name::Name;

/// A query that a worker was given.
pub(super) struct Hosted {
    /// The file's number.
    pub(super) file: usize,
    pub(super) worker: WorkerId,
    pub(super) tenant: String,
    pub(super) phase: Phase,
    /// What it claims, once it is resolved.
    pub(super) claims: Option<Claims>,
    pub(super) commit_every: Option<Duration>,
    /// As others see it, once it has a name.
    pub(super) remote: Option<Arc<RemoteQuery>>,
    /// How its worker is reached, since then.
    pub(super) line: Option<Arc<Line>>,
    /// Whether it has begun.
    pub(super) goes: bool,
}

/// Where a query is.
#[derive(Debug)]
pub(super) enum Phase {
    /// Its worker resolves it.
    Asked,
    /// It waits for the others.
    Resolved,
    /// It may run.
    Going,
    /// It has ended, or never began; what is wrong, where something is.
    Over(Option<String>),
}

impl Hosted {
    /// Whether somebody asked it to stop.
    pub(super) fn is_stopped(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.stopped.load(Ordering::Relaxed))
    }

    /// Whether somebody asked it to pause, and not to continue since.
    pub(super) fn is_paused(&self) -> bool {
        self.line.as_ref().is_some_and(|line| line.paused.load(Ordering::Relaxed))
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over(_))
    }

    /// Its name, as far as it is known.
    pub(super) fn name(&self) -> Option<Name> {
        let claims = self.claims.as_ref()?;
        Some(Name { query: claims.name.clone(), tenant: self.tenant.clone() })
    }
}
