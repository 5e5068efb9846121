//! What a tenant has had of the cores.

use std::time::{Duration, Instant};

use super::party::Party;
use crate::Limits;

/// A tenant's share of so much time is its to spend at once.
const PERIOD: Duration = Duration::from_millis(100);

/// How much CPU time a tenant, or a query, may catch up on at most: who asked for nothing meanwhile, or could not use its
/// whole share, has nothing more to make up for.
pub(super) const LAG_MAX_NANOS: u64 = 10_000_000;

/// A tenant's account.
pub(super) struct Ledger {
    weight: u64,
    /// CPU time on seats, in nanoseconds, divided by the weight: 100 is par.
    pub(super) virtual_nanos: u64,
    allowance: Option<Allowance>,
    /// The queries, by the index that each `Share` holds; `None` where it was closed.
    pub(super) parties: Vec<Option<Party>>,
    /// The queries of which a call waits.
    pub(super) waiting: Vec<usize>,
    /// The highest level that its queries have had.
    party_horizon: u64,
}

/// A share of the cores that is not to be exceeded.
struct Allowance {
    // Nanoseconds on seats for each 100 that pass.
    percent: u64,
    // What may be spent now; negative after a slice that was longer.
    balance_nanos: i64,
    filled_at: Instant,
}

impl Ledger {
    pub(super) fn new(limits: &Limits, now: Instant) -> Ledger {
        let mut ledger = Ledger {
            weight: 1,
            virtual_nanos: 0,
            allowance: None,
            parties: Vec::new(),
            waiting: Vec::new(),
            party_horizon: 0,
        };
        ledger.adopt(limits, now);
        ledger
    }

    /// Takes over what the limits say of weight and share.
    pub(super) fn adopt(&mut self, limits: &Limits, now: Instant) {
        self.weight = u64::from(limits.cpu_weight.max(1));
        match (limits.cpu_percent_max, &mut self.allowance) {
            (None, allowance) => *allowance = None,
            (Some(percent), Some(allowance)) => allowance.percent = u64::from(percent),
            (Some(percent), allowance @ None) => {
                // Begins with a whole period's share.
                let filled_at = now.checked_sub(PERIOD).unwrap_or(now);
                *allowance = Some(Allowance { percent: u64::from(percent), balance_nanos: 0, filled_at });
            }
        }
    }

    pub(super) fn party(&mut self, index: usize) -> Option<&mut Party> {
        self.parties.get_mut(index)?.as_mut()
    }

    pub(super) fn party_nanos(&self, index: usize) -> u64 {
        self.parties.get(index).and_then(Option::as_ref).map_or(0, |party| party.virtual_nanos)
    }

    /// Of the queries that wait, the one that has had least.
    pub(super) fn least_party(&self) -> Option<usize> {
        self.waiting.iter().copied().min_by_key(|&index| self.party_nanos(index))
    }

    /// Counts CPU time of a query.
    pub(super) fn spend(&mut self, party: usize, spent: Duration) {
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.virtual_nanos = self.virtual_nanos.saturating_add(nanos.saturating_mul(100) / self.weight);
        if let Some(party) = self.party(party) {
            party.virtual_nanos = party.virtual_nanos.saturating_add(nanos);
            party.turn_nanos = party.turn_nanos.saturating_add(nanos);
        }
        if let Some(allowance) = &mut self.allowance {
            let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
            allowance.balance_nanos = allowance.balance_nanos.saturating_sub(nanos);
        }
    }

    /// The virtual time that it may catch up on beside another tenant: [`LAG_MAX_NANOS`] of its own CPU time, and never less than the
    /// other has by two ticks. That one gives way at a tick only: with less, no weights could be kept that differ by more than a few
    /// times.
    pub(super) fn lag_max(&self, other: &Ledger, tick: Duration) -> u64 {
        let ticks = u64::try_from(tick.as_nanos()).unwrap_or(u64::MAX).saturating_mul(2);
        (LAG_MAX_NANOS.saturating_mul(100) / self.weight).max(ticks.saturating_mul(100) / other.weight)
    }

    /// Forgets what it would have to catch up on beyond so much, where the others are at this level.
    pub(super) fn keep_up(&mut self, level: u64, lag: u64) {
        self.virtual_nanos = self.virtual_nanos.max(level.saturating_sub(lag));
    }

    /// The same of a query, where the tenant's others are at this level, or were at a higher one.
    pub(super) fn keep_party_up(&mut self, index: usize, level: Option<u64>) {
        self.party_horizon = self.party_horizon.max(level.unwrap_or(0));
        let least = self.party_horizon.saturating_sub(LAG_MAX_NANOS);
        if let Some(party) = self.party(index) {
            party.virtual_nanos = party.virtual_nanos.max(least);
        }
    }

    /// Whether a query has had no more than others of the tenant that competed with it last.
    pub(super) fn is_party_behind(&self, index: usize) -> bool {
        self.party_horizon == 0 || self.party_nanos(index) <= self.party_horizon
    }

    /// Whether the tenant's share allowed another slice when that was looked at last.
    pub(super) fn may_run(&self) -> bool {
        self.allowance.as_ref().is_none_or(|allowance| allowance.balance_nanos > 0)
    }

    /// Whether the tenant's share allows another slice now.
    pub(super) fn allowed(&mut self, now: Instant) -> bool {
        let Some(allowance) = &mut self.allowance else { return true };
        let share = |passed: Duration| {
            let nanos = passed.as_nanos().saturating_mul(u128::from(allowance.percent)) / 100;
            i64::try_from(nanos).unwrap_or(i64::MAX)
        };
        let most = share(PERIOD);
        let grown = share(now.saturating_duration_since(allowance.filled_at));
        allowance.balance_nanos = allowance.balance_nanos.saturating_add(grown).min(most);
        allowance.filled_at = now;
        allowance.balance_nanos > 0
    }

    /// As if so much more time had passed.
    #[cfg(test)]
    pub(super) fn refill(&mut self, passed: Duration) {
        if let Some(allowance) = &mut self.allowance {
            allowance.filled_at = allowance.filled_at.checked_sub(passed).unwrap();
        }
    }
}
