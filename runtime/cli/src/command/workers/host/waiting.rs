//! Workers that keep a run from beginning: those without room, and those that give no answer.

use std::time::{Duration, Instant};

use weir_frame::{QueryId, WorkerId};
use weir_tenancy::WaitReason;

use super::super::queries::Phase;
use super::Host;
use crate::command::running::Run;
use crate::live::Screen;

/// How long nothing may come of what workers were asked before the run begins. A tenant whose worker hangs, or was taken over, keeps
/// the others no longer.
pub(super) const ANSWER_MAX: Duration = Duration::from_secs(15);

/// Waits for answers as long as some come.
pub(super) struct Patience {
    left: usize,
    since: Instant,
}

impl Patience {
    /// For this many answers.
    pub(super) fn new(left: usize) -> Patience {
        Patience { left, since: Instant::now() }
    }

    /// How long the next answer may take, while this many are missing; `None` where it is overdue.
    pub(super) fn left(&mut self, left: usize) -> Option<Duration> {
        if left != self.left {
            *self = Patience::new(left);
        }
        ANSWER_MAX.checked_sub(self.since.elapsed()).filter(|left| !left.is_zero())
    }
}

impl Host {
    /// The queries whose workers have not said what they claim.
    pub(super) fn asked(&self) -> Vec<QueryId> {
        let asked = self.queries.iter().filter(|(_, query)| matches!(query.phase, Phase::Asked));
        asked.map(|(id, _)| *id).collect()
    }

    /// Runs the others without those that give no answer.
    pub(super) fn give_up(&mut self) {
        for id in self.asked() {
            let Some(query) = self.queries.get(&id) else { continue };
            let (worker, tenant) = (query.worker, query.tenant.clone());
            let seconds = ANSWER_MAX.as_secs();
            self.lost(id, &format!("the worker of tenant {tenant} gave no answer within {seconds} s"), &mut None);
            self.end(worker);
        }
    }

    /// A worker cannot be started now. While the run has not begun nobody waits for room: the others would have to wait too.
    pub(super) fn waits(&mut self, worker: WorkerId, reason: WaitReason, run: &mut Option<(&mut Run<'_>, &Screen)>) {
        let of_worker = |id: &QueryId| self.queries.get(id).is_some_and(|query| query.worker == worker);
        let asked: Vec<QueryId> = self.asked().into_iter().filter(of_worker).collect();
        let is_short = matches!(reason, WaitReason::Memory { .. } | WaitReason::Workers { .. });
        if asked.is_empty() || !is_short {
            tracing::warn!(tenant = self.tenant(worker), "the worker waits: {reason}");
            return;
        }
        let text = format!(
            "there is no room for the worker of tenant {}: {reason}; run fewer tenants together, or lower their limits in the limits file",
            self.tenant(worker)
        );
        asked.into_iter().for_each(|query| self.lost(query, &text, run));
        self.end(worker);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_come_give_time_to_the_others() {
        let mut patience = Patience::new(3);
        assert!(patience.left(3).is_some());
        patience.since = Instant::now().checked_sub(ANSWER_MAX).expect("the machine has run for a while");
        assert_eq!(patience.left(3), None);
        assert!(patience.left(2).is_some());
    }
}
