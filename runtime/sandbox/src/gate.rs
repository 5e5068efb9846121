//! Who of the tenants runs next.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::Limits;

/// A tenant's share of so much time is its to spend at once.
const PERIOD: Duration = Duration::from_millis(100);

/// A tenant that asked for nothing for so long is new to those that did: it has nothing to make up for, and neither do they.
const ABSENT_AFTER: Duration = Duration::from_millis(20);

/// Shares the cores between tenants. A guest runs in slices, each no longer than the engine's tick and a little; for
/// each slice it needs one of a few seats. A free seat is taken at once; where there is none, the seat that becomes
/// free goes to the tenant that has had the least so far, whatever the number of its functions that wait.
///
/// There have to be more threads that poll calls than seats: a call that cannot be polled cannot queue.
pub(crate) struct Gate {
    shared: Mutex<Shared>,
    // Whether anybody waits for a seat, to be looked at without the lock: guests do, at every tick.
    wanted: AtomicBool,
}

struct Shared {
    seats_free: usize,
    // A tenant's account is at the index that its `Account` holds; `None` where the account was closed.
    accounts: Vec<Option<Ledger>>,
    // Tickets that were given a seat and have not sat down yet.
    granted: HashSet<u64>,
    ticket_next: u64,
}

/// What a tenant has had, and who of it waits.
struct Ledger {
    weight: u64,
    // Time on seats, in nanoseconds, divided by the weight: 100 is par.
    virtual_nanos: u64,
    allowance: Option<Allowance>,
    seated: usize,
    seen_at: Instant,
    waiting: VecDeque<(u64, Waker)>,
}

/// A share of the cores that is not to be exceeded.
struct Allowance {
    // Nanoseconds on seats for each 100 that pass.
    percent: u64,
    // What may be spent now; negative after a slice that was longer.
    balance_nanos: i64,
    filled_at: Instant,
}

/// A tenant's account at the gate. Closed when it is dropped.
pub(crate) struct Account {
    gate: Arc<Gate>,
    index: usize,
}

impl Gate {
    pub(crate) fn new(seats: usize) -> Gate {
        let shared = Shared { seats_free: seats.max(1), accounts: Vec::new(), granted: HashSet::new(), ticket_next: 0 };
        Gate { shared: Mutex::new(shared), wanted: AtomicBool::new(false) }
    }

    /// Opens an account under these limits.
    pub(crate) fn open(self: &Arc<Gate>, limits: &Limits) -> Account {
        let now = Instant::now();
        let mut shared = self.lock();
        let mut ledger = Ledger {
            weight: 1,
            virtual_nanos: 0,
            allowance: None,
            seated: 0,
            seen_at: now.checked_sub(ABSENT_AFTER).unwrap_or(now),
            waiting: VecDeque::new(),
        };
        ledger.adopt(limits, now);
        let index = match shared.accounts.iter().position(Option::is_none) {
            Some(index) => index,
            None => {
                shared.accounts.push(None);
                shared.accounts.len() - 1
            }
        };
        if let Some(account) = shared.accounts.get_mut(index) {
            *account = Some(ledger);
        }
        Account { gate: Arc::clone(self), index }
    }

    /// Lets those go on whose share has grown enough in the meantime. Called at every tick.
    pub(crate) fn tick(&self) {
        let mut shared = self.lock();
        if shared.accounts.iter().flatten().any(|ledger| ledger.allowance.is_some() && !ledger.waiting.is_empty()) {
            let woken = shared.seat_waiting(Instant::now());
            self.note(&shared);
            drop(shared);
            woken.into_iter().for_each(Waker::wake);
        }
    }

    /// Remembers whether anybody waits.
    fn note(&self, shared: &Shared) {
        let wanted = shared.accounts.iter().flatten().any(|ledger| !ledger.waiting.is_empty());
        self.wanted.store(wanted, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing under the lock panics half way through a change.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// Takes over what the limits say of weight and share: the last limits that were given count.
    pub(crate) fn adopt(&self, limits: &Limits) {
        if let Some(ledger) = self.gate.lock().ledger(self.index) {
            ledger.adopt(limits, Instant::now());
        }
    }

    /// Counts time that was spent for the tenant without a seat.
    pub(crate) fn charge(&self, spent: Duration) {
        if let Some(ledger) = self.gate.lock().ledger(self.index) {
            ledger.spend(spent);
        }
    }

    /// Whether the tenant should give its seat up now: somebody waits for one, or its share is used up.
    pub(crate) fn should_leave(&self, sat: Duration) -> bool {
        if self.gate.wanted.load(Ordering::Relaxed) {
            return true;
        }
        let mut shared = self.gate.lock();
        let ledger = shared.ledger(self.index).and_then(|ledger| ledger.allowance.as_ref());
        ledger.is_some_and(|allowance| allowance.balance_nanos < i64::try_from(sat.as_nanos()).unwrap_or(i64::MAX))
    }

    /// A place in the tenant's queue, for one call.
    pub(crate) fn queue(self: &Arc<Account>) -> Queue {
        Queue { account: Arc::clone(self), ticket: None }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Calls hold the account: nobody of it waits or sits.
        if let Some(account) = self.gate.lock().accounts.get_mut(self.index) {
            *account = None;
        }
    }
}

/// A call's place in its tenant's queue.
pub(crate) struct Queue {
    account: Arc<Account>,
    // Set while it waits, or has been given a seat that it has not taken.
    ticket: Option<u64>,
}

/// A seat. Given back, and the time on it counted, when it is dropped.
pub(crate) struct Seat<'q> {
    account: &'q Account,
    since: Instant,
}

impl Queue {
    /// Takes a seat, or waits for one.
    pub(crate) fn poll_seat(&mut self, context: &mut Context<'_>) -> Poll<Seat<'_>> {
        let now = Instant::now();
        let mut shared = self.account.gate.lock();
        let seated = match self.ticket {
            Some(ticket) if shared.granted.remove(&ticket) => true,
            Some(ticket) => {
                let waiting = shared.ledger(self.account.index).map(|ledger| &mut ledger.waiting);
                if let Some((_, waker)) = waiting.into_iter().flatten().find(|(other, _)| *other == ticket) {
                    waker.clone_from(context.waker());
                }
                return Poll::Pending;
            }
            None => shared.take(self.account.index, now),
        };
        if seated {
            self.ticket = None;
            return Poll::Ready(Seat { account: &self.account, since: now });
        }
        let ticket = shared.ticket_next;
        shared.ticket_next = ticket.wrapping_add(1);
        if let Some(ledger) = shared.ledger(self.account.index) {
            ledger.waiting.push_back((ticket, context.waker().clone()));
        }
        self.account.gate.wanted.store(true, Ordering::Relaxed);
        self.ticket = Some(ticket);
        Poll::Pending
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut shared = self.account.gate.lock();
        if shared.granted.remove(&ticket) {
            let woken = shared.leave(self.account.index, Duration::ZERO);
            self.account.gate.note(&shared);
            drop(shared);
            woken.into_iter().for_each(Waker::wake);
        } else if let Some(ledger) = shared.ledger(self.account.index) {
            ledger.waiting.retain(|(other, _)| *other != ticket);
        }
    }
}

impl Seat<'_> {
    /// When it was taken.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Gives it back after so much CPU time on it, which is what its tenant has had.
    pub(crate) fn leave(self, spent: Duration) {
        self.give_back(spent);
        std::mem::forget(self);
    }

    fn give_back(&self, spent: Duration) {
        let gate = &self.account.gate;
        let mut shared = gate.lock();
        let woken = shared.leave(self.account.index, spent);
        if gate.wanted.load(Ordering::Relaxed) {
            gate.note(&shared);
        }
        drop(shared);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.give_back(self.since.elapsed());
    }
}

impl Shared {
    fn ledger(&mut self, index: usize) -> Option<&mut Ledger> {
        self.accounts.get_mut(index)?.as_mut()
    }

    /// Takes a free seat, where there is one and the tenant's share allows. A seat is free only while nobody waits who
    /// may have it.
    fn take(&mut self, index: usize, now: Instant) -> bool {
        self.welcome(index, now);
        let seats_free = self.seats_free;
        let Some(ledger) = self.ledger(index) else { return false };
        if seats_free == 0 || !ledger.allowed(now) {
            return false;
        }
        ledger.seated += 1;
        self.seats_free -= 1;
        true
    }

    /// A tenant that was absent begins level with the one that had least of those present.
    fn welcome(&mut self, index: usize, now: Instant) {
        let present = |ledger: &Ledger| {
            ledger.seated > 0
                || !ledger.waiting.is_empty()
                || now.saturating_duration_since(ledger.seen_at) < ABSENT_AFTER
        };
        if self.accounts.get(index).is_some_and(|ledger| ledger.as_ref().is_some_and(|ledger| !present(ledger))) {
            let least = self
                .accounts
                .iter()
                .flatten()
                .filter(|ledger| present(ledger))
                .map(|ledger| ledger.virtual_nanos)
                .min();
            if let (Some(ledger), Some(least)) = (self.ledger(index), least) {
                ledger.virtual_nanos = least;
            }
        }
        if let Some(ledger) = self.ledger(index) {
            ledger.seen_at = now;
        }
    }

    /// Counts a seat's time and gives the seat to who is next.
    fn leave(&mut self, index: usize, spent: Duration) -> Vec<Waker> {
        let now = Instant::now();
        if let Some(ledger) = self.ledger(index) {
            ledger.seated = ledger.seated.saturating_sub(1);
            ledger.seen_at = now;
            ledger.spend(spent);
        }
        self.seats_free += 1;
        self.seat_waiting(now)
    }

    /// Gives free seats to those who wait, the tenant that had least first.
    fn seat_waiting(&mut self, now: Instant) -> Vec<Waker> {
        let mut woken = Vec::new();
        while self.seats_free > 0 {
            let waiting = self.accounts.iter_mut().flatten().filter(|ledger| !ledger.waiting.is_empty());
            let next = waiting.filter_map(|ledger| ledger.allowed(now).then_some(ledger));
            let Some(ledger) = next.min_by_key(|ledger| ledger.virtual_nanos) else { break };
            let Some((ticket, waker)) = ledger.waiting.pop_front() else { break };
            ledger.seated += 1;
            self.seats_free -= 1;
            self.granted.insert(ticket);
            woken.push(waker);
        }
        woken
    }
}

impl Ledger {
    fn adopt(&mut self, limits: &Limits, now: Instant) {
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

    fn spend(&mut self, spent: Duration) {
        let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
        self.virtual_nanos = self.virtual_nanos.saturating_add(nanos.saturating_mul(100) / self.weight);
        if let Some(allowance) = &mut self.allowance {
            let nanos = i64::try_from(nanos).unwrap_or(i64::MAX);
            allowance.balance_nanos = allowance.balance_nanos.saturating_sub(nanos);
        }
    }

    /// Whether the tenant's share allows another slice now.
    fn allowed(&mut self, now: Instant) -> bool {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Caller {
        queue: Queue,
        slices: u32,
    }

    impl Caller {
        /// Asks for a seat, and gives it back after so long.
        fn ask(&mut self, slice: Duration) -> bool {
            let account = Arc::clone(&self.queue.account);
            let Poll::Ready(seat) = self.queue.poll_seat(&mut Context::from_waker(Waker::noop())) else {
                return false;
            };
            // Time passes by the ledger, so that the test does not wait for it.
            account.charge(slice);
            drop(seat);
            self.slices += 1;
            true
        }
    }

    fn tenant(gate: &Arc<Gate>, weight: u32, callers: usize) -> Vec<Caller> {
        let account = Arc::new(gate.open(&Limits::default().with(|it| it.cpu_weight = weight)));
        (0..callers).map(|_| Caller { queue: account.queue(), slices: 0 }).collect()
    }

    /// All callers ask for the one seat again and again, for so many turns: how many each tenant got.
    fn contend(tenants: &mut [Vec<Caller>], turns: usize) -> Vec<u32> {
        let gate = Arc::clone(&tenants[0][0].queue.account.gate);
        let mut holder = Arc::new(gate.open(&Limits::default())).queue();
        let held = holder.poll_seat(&mut Context::from_waker(Waker::noop()));
        assert!(held.is_ready());
        for caller in tenants.iter_mut().flatten() {
            assert!(!caller.ask(Duration::ZERO), "nobody gets a seat that is held");
        }
        drop(held);
        for _ in 0..turns {
            let given =
                |caller: &&mut Caller| caller.queue.ticket.is_some_and(|ticket| gate.lock().granted.contains(&ticket));
            let next = tenants.iter_mut().flatten().find(given).expect("the seat goes to one that waits");
            assert!(next.ask(Duration::from_millis(2)));
            assert!(!next.ask(Duration::ZERO), "another has it now");
        }
        tenants.iter().map(|callers| callers.iter().map(|caller| caller.slices).sum()).collect()
    }

    #[test]
    fn tenants_get_the_same_whatever_the_number_of_their_calls() {
        let gate = Arc::new(Gate::new(1));
        let mut tenants = [tenant(&gate, 100, 1), tenant(&gate, 100, 20)];
        let slices = contend(&mut tenants, 100);
        assert!(slices[0].abs_diff(slices[1]) <= 2, "{slices:?}");
    }

    #[test]
    fn a_tenant_of_twice_the_weight_gets_twice_as_much() {
        let gate = Arc::new(Gate::new(1));
        let mut tenants = [tenant(&gate, 200, 3), tenant(&gate, 100, 3)];
        let slices = contend(&mut tenants, 90);
        assert!(slices[0].abs_diff(2 * slices[1]) <= 4, "{slices:?}");
    }

    #[test]
    fn a_free_seat_is_taken_at_once_and_a_dropped_call_leaves_none_behind() {
        let gate = Arc::new(Gate::new(1));
        let account = Arc::new(gate.open(&Limits::default()));
        let mut context = Context::from_waker(Waker::noop());
        let (mut one, mut two, mut three) = (account.queue(), account.queue(), account.queue());
        let Poll::Ready(seat) = one.poll_seat(&mut context) else { panic!("a seat was free") };
        assert!(two.poll_seat(&mut context).is_pending());
        assert!(three.poll_seat(&mut context).is_pending());
        drop(seat);
        // The seat was given to the second, which goes away without sitting down.
        drop(two);
        assert!(three.poll_seat(&mut context).is_ready());
        // One that waits no more is not given any.
        let Poll::Ready(seat) = one.poll_seat(&mut context) else { panic!("a seat was free") };
        assert!(three.poll_seat(&mut context).is_pending());
        drop(three);
        drop(seat);
        assert_eq!(gate.lock().seats_free, 1);
        assert!(gate.lock().granted.is_empty());
    }

    #[test]
    fn a_tenant_at_its_share_waits_and_goes_on_as_time_passes() {
        let gate = Arc::new(Gate::new(2));
        let limits = Limits::default().with(|it| it.cpu_percent_max = Some(50));
        let mut capped = Caller { queue: Arc::new(gate.open(&limits)).queue(), slices: 0 };
        // 50 ms of the first 100 are there at once; a slice that is longer than what is left is finished.
        while capped.ask(Duration::from_secs(7)) {}
        assert_eq!(capped.slices, 1);
        let other = &mut tenant(&gate, 100, 1)[0];
        assert!(other.ask(Duration::from_millis(10)), "others do not wait");
        gate.tick();
        assert!(!capped.ask(Duration::ZERO));
        let account = Arc::clone(&capped.queue.account);
        // As if a minute had passed.
        let mut shared = gate.lock();
        let allowance = shared.ledger(account.index).unwrap().allowance.as_mut().unwrap();
        allowance.filled_at = allowance.filled_at.checked_sub(Duration::from_secs(60)).unwrap();
        drop(shared);
        gate.tick();
        assert!(capped.ask(Duration::ZERO), "the tick gave it a seat");
    }

    #[test]
    fn who_was_absent_has_nothing_to_make_up_for() {
        let gate = Arc::new(Gate::new(1));
        let mut busy = tenant(&gate, 100, 1);
        assert!(busy[0].ask(Duration::from_secs(100)));
        let mut new = tenant(&gate, 100, 1);
        let mut tenants = [std::mem::take(&mut busy), std::mem::take(&mut new)];
        let slices = contend(&mut tenants, 50);
        assert!(slices[1] < 30, "a newcomer does not get a hundred seconds first: {slices:?}");
    }
}
