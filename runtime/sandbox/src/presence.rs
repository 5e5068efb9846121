//! What the engine knows of a tenant while something of it is there.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::gate::{Account, Gate};
use crate::{LimitExceeded, Limits, TenantId};

/// Modules of a tenant that may be refused in a row before the next one waits.
const REFUSALS_FREE: u32 = 32;

/// A tenant that hands nothing in for so long begins anew.
const REFUSALS_FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Pauses double from 1 ms so often: up to 128 ms.
const UPLOAD_PAUSE_DOUBLINGS_MAX: u32 = 7;

/// A tenant of which a module is there: its account at the gate, and how many of its instances live.
pub(crate) struct Presence {
    account: Arc<Account>,
    instances: AtomicUsize,
    // Modules refused in a row.
    refusals: AtomicU32,
    quarantined: AtomicBool,
    // Why, where it is quarantined.
    reason: Mutex<String>,
}

/// An instance that is counted as its tenant's. Counted off when it is dropped.
pub(crate) struct Counted {
    presence: Arc<Presence>,
}

/// All tenants that are there.
pub(crate) struct Presences {
    gate: Arc<Gate>,
    known: Mutex<HashMap<TenantId, Weak<Presence>>>,
    // Kept until they are released, whether anything of them is there or not.
    quarantined: Mutex<HashMap<TenantId, Arc<Presence>>>,
    // Those whose last module was refused, of which nothing else need be there, and when that was.
    refused: Mutex<HashMap<TenantId, (Arc<Presence>, Instant)>>,
}

impl Presences {
    pub(crate) fn new(gate: Arc<Gate>) -> Presences {
        Presences { gate, known: Mutex::default(), quarantined: Mutex::default(), refused: Mutex::default() }
    }

    /// The tenant's, opened under these limits where there is none yet.
    pub(crate) fn of(&self, tenant: &TenantId, limits: &Limits) -> Arc<Presence> {
        let mut known = lock(&self.known);
        if let Some(presence) = known.get(tenant).and_then(Weak::upgrade) {
            return presence;
        }
        // Tenants come and go: those that went are forgotten here.
        known.retain(|_, presence| presence.strong_count() > 0);
        let presence = Arc::new(Presence {
            account: Arc::new(self.gate.open(limits)),
            instances: AtomicUsize::new(0),
            refusals: AtomicU32::new(0),
            quarantined: AtomicBool::new(false),
            reason: Mutex::default(),
        });
        known.insert(tenant.clone(), Arc::downgrade(&presence));
        presence
    }

    /// Remembers what became of a module.
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

    /// Ends a quarantine; whether there was one.
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

    /// Why the tenant is quarantined, if it is.
    pub(crate) fn quarantined(&self) -> Option<String> {
        self.quarantined.load(Ordering::Acquire).then(|| lock(&self.reason).clone())
    }

    /// How long the tenant's next module waits: the first so many that are refused in a row wait for nothing, as an author
    /// who tries does; a flood of them is slowed down to what costs nobody anything.
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
    // Nothing under these locks panics half way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
