//! The engine's state for each tenant that is in use.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::gate::{Account, Gate, Share};
use crate::{LimitExceeded, Limits, TenantId};

/// The number of consecutive refusals of a tenant's modules after which the next module waits.
const REFUSALS_FREE: u32 = 32;

/// After this time without uploads, a tenant's refusals are forgotten.
const REFUSALS_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Pauses double from 1 ms this many times: up to 128 ms.
const UPLOAD_PAUSE_DOUBLINGS_MAX: u32 = 7;

/// A tenant with at least one module: its account at the gate, and its number of live instances.
pub(crate) struct Presence {
    account: Arc<Account>,
    // The share of instances that do not belong to a query.
    share: Arc<Share>,
    instances: AtomicUsize,
    // The number of consecutive refusals.
    refusals: AtomicU32,
    quarantined: AtomicBool,
    // The reason for a quarantine.
    reason: Mutex<String>,
}

/// An instance that counts for its tenant until this is dropped.
pub(crate) struct Counted {
    presence: Arc<Presence>,
}

/// All tenants in use.
pub(crate) struct Presences {
    gate: Arc<Gate>,
    known: Mutex<HashMap<TenantId, Weak<Presence>>>,
    // Kept until they are released, whether they are in use or not.
    quarantined: Mutex<HashMap<TenantId, Arc<Presence>>>,
    // Tenants whose last module was refused, which may not be in use otherwise, and the time of the refusal.
    refused: Mutex<HashMap<TenantId, (Arc<Presence>, Instant)>>,
}

impl Presences {
    pub(crate) fn new(gate: Arc<Gate>) -> Presences {
        Presences { gate, known: Mutex::default(), quarantined: Mutex::default(), refused: Mutex::default() }
    }

    /// The tenant's state; created with these limits if it does not exist.
    pub(crate) fn of(&self, tenant: &TenantId, limits: &Limits) -> Arc<Presence> {
        let mut known = lock(&self.known);
        if let Some(presence) = known.get(tenant).and_then(Weak::upgrade) {
            return presence;
        }
        // Forgets tenants that are no longer in use.
        known.retain(|_, presence| presence.strong_count() > 0);
        let account = Arc::new(self.gate.open(limits));
        let presence = Arc::new(Presence {
            share: Arc::new(account.share()),
            account,
            instances: AtomicUsize::new(0),
            refusals: AtomicU32::new(0),
            quarantined: AtomicBool::new(false),
            reason: Mutex::default(),
        });
        known.insert(tenant.clone(), Arc::downgrade(&presence));
        presence
    }

    /// Records whether a module was refused.
    pub(crate) fn judge_upload(&self, tenant: &TenantId, presence: &Arc<Presence>, admitted: bool) {
        let mut refused = lock(&self.refused);
        if admitted {
            presence.refusals.store(0, Ordering::Relaxed);
            refused.remove(tenant);
            return;
        }
        presence.refusals.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        refused.retain(|_, (_, at)| now.saturating_duration_since(*at) < REFUSALS_FORGOTTEN_AFTER);
        refused.insert(tenant.clone(), (Arc::clone(presence), now));
    }

    /// Runs nothing more of the tenant until it is released.
    pub(crate) fn quarantine(&self, tenant: &TenantId, presence: &Arc<Presence>, reason: &str) {
        reason.clone_into(&mut lock(&presence.reason));
        presence.quarantined.store(true, Ordering::Release);
        lock(&self.quarantined).insert(tenant.clone(), Arc::clone(presence));
    }

    /// Ends a quarantine. Returns whether there was one.
    pub(crate) fn release(&self, tenant: &TenantId) -> bool {
        let presence = lock(&self.quarantined).remove(tenant);
        presence.is_some_and(|presence| presence.quarantined.swap(false, Ordering::AcqRel))
    }
}

impl Presence {
    /// The tenant's account at the gate.
    pub(crate) fn account(&self) -> &Arc<Account> {
        &self.account
    }

    /// The share of instances that do not belong to a query.
    pub(crate) fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// The reason for the tenant's quarantine, if there is one.
    pub(crate) fn quarantined(&self) -> Option<String> {
        self.quarantined.load(Ordering::Acquire).then(|| lock(&self.reason).clone())
    }

    /// How long the tenant's next module must wait: nothing after few refusals in a row, as with an author who experiments. A flood
    /// of them is slowed down until its cost does not matter.
    pub(crate) fn upload_pause(&self, limits: &Limits) -> Duration {
        let refusals = self.refusals.load(Ordering::Relaxed);
        let Some(doublings) = refusals.checked_sub(REFUSALS_FREE) else { return Duration::ZERO };
        let pause_ms = 1_u64 << doublings.min(UPLOAD_PAUSE_DOUBLINGS_MAX);
        Duration::from_millis(pause_ms.min(limits.trap_pause_ms_max))
    }

    /// Counts one more instance, within the tenant's limit.
    pub(crate) fn count(self: &Arc<Presence>, limits: &Limits) -> Result<Counted, LimitExceeded> {
        let limit = limits.instances_max;
        let more = |current: usize| (current < limit).then_some(current.saturating_add(1));
        match self.instances.fetch_update(Ordering::AcqRel, Ordering::Acquire, more) {
            Ok(_) => Ok(Counted { presence: Arc::clone(self) }),
            Err(current) => Err(LimitExceeded::count("instances", limit, current, 1)),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.presence.instances.fetch_sub(1, Ordering::AcqRel);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Changes under these locks do not panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
