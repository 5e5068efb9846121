//! Whose module is compiled next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::{Refusal, TenantId};

/// Modules of a tenant that may wait to be compiled; a further one is refused, to be handed in again.
const WAITING_MAX: usize = 16;

/// Lets so many modules be compiled at once, one of each tenant, and tenants in turn: a flood of one tenant's uploads
/// costs another at most the wait for a compilation that has begun.
pub struct Turnstile {
    shared: Mutex<Shared>,
    moved: Condvar,
}

struct Shared {
    free: usize,
    ticket_next: u64,
    // Tenants that wait or are within, and their tickets; who is within has none.
    tenants: BTreeMap<TenantId, Line>,
    // Tenants that wait and have none within, the next one first.
    turns: VecDeque<TenantId>,
}

#[derive(Default)]
struct Line {
    within: bool,
    waiting: VecDeque<u64>,
}

/// Leave to compile one module; given back when it is dropped.
pub struct Pass {
    turnstile: Arc<Turnstile>,
    tenant: TenantId,
}

impl Turnstile {
    /// For this number of modules at once.
    pub fn new(passes: usize) -> Arc<Turnstile> {
        let shared = Shared { free: passes.max(1), ticket_next: 0, tenants: BTreeMap::new(), turns: VecDeque::new() };
        Arc::new(Turnstile { shared: Mutex::new(shared), moved: Condvar::new() })
    }

    /// Waits for the tenant's turn.
    ///
    /// # Errors
    ///
    /// [`Refusal::CompilerBusy`] where sixteen modules of the tenant wait already.
    pub fn enter(self: &Arc<Turnstile>, tenant: &TenantId) -> Result<Pass, Refusal> {
        let mut shared = self.lock();
        let ticket = shared.ticket_next;
        let line = shared.tenants.entry(tenant.clone()).or_default();
        if line.waiting.len() >= WAITING_MAX {
            return Err(Refusal::CompilerBusy { waiting: line.waiting.len() });
        }
        line.waiting.push_back(ticket);
        let first = !line.within && line.waiting.len() == 1;
        shared.ticket_next = ticket.wrapping_add(1);
        if first {
            shared.turns.push_back(tenant.clone());
        }
        loop {
            if shared.admits(tenant, ticket) {
                // Others may go in too, where there is room.
                self.moved.notify_all();
                return Ok(Pass { turnstile: Arc::clone(self), tenant: tenant.clone() });
            }
            shared = self.moved.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Lets this ticket in, if it is the first of its tenant, which has its turn.
    fn admits(&mut self, tenant: &TenantId, ticket: u64) -> bool {
        if self.free == 0 || self.turns.front() != Some(tenant) {
            return false;
        }
        let Some(line) = self.tenants.get_mut(tenant) else { return false };
        if line.waiting.front() != Some(&ticket) {
            return false;
        }
        line.waiting.pop_front();
        line.within = true;
        self.turns.pop_front();
        self.free -= 1;
        true
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut shared = self.turnstile.lock();
        shared.free += 1;
        if let Some(line) = shared.tenants.get_mut(&self.tenant) {
            line.within = false;
            if line.waiting.is_empty() {
                shared.tenants.remove(&self.tenant);
            } else {
                shared.turns.push_back(self.tenant.clone());
            }
        }
        drop(shared);
        self.turnstile.moved.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn tenants_take_turns_whatever_one_of_them_hands_in() {
        let turnstile = Turnstile::new(1);
        let tenant = |name: &str| name.parse::<TenantId>().unwrap();
        let first = turnstile.enter(&tenant("flood")).unwrap();
        let (order, arrived) = mpsc::channel();
        thread::scope(|scope| {
            let enter = |name: &'static str| {
                let waiting = |shared: &Shared| shared.tenants.values().map(|line| line.waiting.len()).sum::<usize>();
                let before = waiting(&turnstile.lock());
                let (entered, order) = (Arc::clone(&turnstile), order.clone());
                scope.spawn(move || {
                    let pass = entered.enter(&name.parse().unwrap()).unwrap();
                    order.send(name).unwrap();
                    drop(pass);
                });
                while waiting(&turnstile.lock()) == before {
                    thread::sleep(Duration::from_millis(1));
                }
            };
            for _ in 0..WAITING_MAX {
                enter("flood");
            }
            let refused = turnstile.enter(&tenant("flood")).err().map(|refusal| refusal.code());
            assert_eq!(refused, Some("compile_busy"));
            enter("other");
            drop(first);
        });
        let order: Vec<_> = arrived.try_iter().collect();
        assert_eq!(order.len(), WAITING_MAX + 1);
        assert!(order.iter().position(|name| *name == "other") <= Some(1), "{order:?}");
        let shared = turnstile.lock();
        assert!(shared.free == 1 && shared.tenants.is_empty() && shared.turns.is_empty());
    }
}
