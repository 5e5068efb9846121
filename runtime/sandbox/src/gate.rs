//! Who of the tenants, and of their queries, runs next.

mod ledger;
mod party;
mod seats;
#[cfg(test)]
mod simulation;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

pub(crate) use self::seats::Departure;
use self::seats::{Place, Seating, Seats};
use crate::Limits;

/// Shares the cores between tenants by their weights, and between the queries of a tenant equally. A guest runs in slices,
/// each no longer than the engine's tick and a little; for each slice it needs one of a few seats, which [`Seats`] gives.
///
/// CPU time is the thread's (`CLOCK_THREAD_CPUTIME_ID`) where guests compete, and the wall's, as far as ticks vouch for it,
/// of a slice that ends within a tick and has no competitor. Work of the host for a tenant counts where an instance charges it:
/// what it makes of a guest's answer.
///
/// There have to be more threads that poll calls than seats: a call that cannot be polled cannot queue.
pub(crate) struct Gate {
    seats: Mutex<Seats>,
    // Whether anybody waits for a seat, to be looked at without the lock.
    wanted: AtomicBool,
}

/// A tenant's account at the gate. Closed when it is dropped.
pub(crate) struct Account {
    gate: Arc<Gate>,
    tenant: usize,
}

/// A query's part of its tenant's share, equal to that of each other query that competes. Closed when it is dropped.
pub(crate) struct Share {
    account: Arc<Account>,
    place: Place,
}

impl Gate {
    pub(crate) fn new(seats: usize, tick: Duration) -> Gate {
        Gate { seats: Mutex::new(Seats::new(seats, tick)), wanted: AtomicBool::new(false) }
    }

    /// Opens an account under these limits.
    pub(crate) fn open(self: &Arc<Gate>, limits: &Limits) -> Account {
        let tenant = self.lock().open_tenant(limits, Instant::now());
        Account { gate: Arc::clone(self), tenant }
    }

    /// Lets those go on whose share has grown enough in the meantime, or who wait for a seat that was kept in vain. Called
    /// at every tick.
    pub(crate) fn tick(&self) {
        if self.wanted.load(Ordering::Relaxed) {
            self.change(|seats| ((), seats.seat_waiting(Instant::now())));
        }
    }

    /// Changes something, and wakes those who get a seat by that.
    fn change<T>(&self, change: impl FnOnce(&mut Seats) -> (T, Vec<Waker>)) -> T {
        let mut seats = self.lock();
        let (changed, woken) = change(&mut seats);
        self.wanted.store(seats.anybody_waits(), Ordering::Relaxed);
        drop(seats);
        woken.into_iter().for_each(Waker::wake);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        // Nothing under the lock panics half way through a change.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    /// Takes over what the limits say of weight and share: the last limits that were given count.
    pub(crate) fn adopt(&self, limits: &Limits) {
        if let Some(ledger) = self.gate.lock().ledger(self.tenant) {
            ledger.adopt(limits, Instant::now());
        }
    }

    /// Opens a share in it.
    pub(crate) fn share(self: &Arc<Account>) -> Share {
        let party = self.gate.lock().open_party(self.tenant);
        Share { account: Arc::clone(self), place: Place { tenant: self.tenant, party } }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Shares hold the account: nobody of it waits or sits.
        self.gate.lock().close_tenant(self.tenant);
    }
}

impl Share {
    /// Whether it is a share in this account.
    pub(crate) fn is_of(&self, account: &Arc<Account>) -> bool {
        Arc::ptr_eq(&self.account, account)
    }

    /// Counts time that was spent for the query without a seat.
    pub(crate) fn charge(&self, spent: Duration) {
        self.account.gate.lock().spend(self.place, spent);
    }

    /// At a tick, after so much on its seat that was not counted yet: whether a guest should give its seat up now, since one
    /// that had less waits for it, or its tenant's share is used up.
    pub(crate) fn should_leave(&self, spent: Duration, is_lent: bool) -> bool {
        let seating = if is_lent { Seating::Lent } else { Seating::Own };
        let now = Instant::now();
        self.account.gate.change(|seats| (seats.at_tick(self.place, spent, seating, now), seats.seat_waiting(now)))
    }

    /// A place in its queue, for one call.
    pub(crate) fn queue(self: &Arc<Share>) -> Queue {
        Queue { share: Arc::clone(self), ticket: None }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Calls hold the share: nobody of it waits or sits.
        self.account.gate.change(|seats| ((), seats.close_party(self.place, Instant::now())));
    }
}

/// A call's place in its query's queue.
pub(crate) struct Queue {
    share: Arc<Share>,
    // Set while it waits, or has been given a seat that it has not taken.
    ticket: Option<u64>,
}

/// A seat. Given back when it is dropped.
pub(crate) struct Seat<'q> {
    share: &'q Share,
    since: Instant,
    seating: Seating,
    is_contended: bool,
}

impl Queue {
    /// Takes a seat, or waits for one.
    pub(crate) fn poll_seat(&mut self, context: &mut Context<'_>) -> Poll<Seat<'_>> {
        let now = Instant::now();
        let Share { account, place } = &*self.share;
        let mut seats = account.gate.lock();
        let seating = match self.ticket {
            Some(ticket) => seats.is_granted(*place, ticket, context.waker()).then_some(Seating::Own),
            None => seats.ask(*place, now),
        };
        if let Some(seating) = seating {
            self.ticket = None;
            return Poll::Ready(Seat { share: &self.share, since: now, seating, is_contended: seats.is_contended() });
        }
        drop(seats);
        if self.ticket.is_none() {
            let queued = account.gate.change(|seats| {
                let ticket = seats.queue(*place, context.waker().clone());
                // A seat may have been kept in vain, or have become free in between.
                (ticket, seats.seat_waiting(now))
            });
            self.ticket = Some(queued);
        }
        Poll::Pending
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let Share { account, place } = &*self.share;
        account.gate.change(|seats| ((), seats.cancel(*place, ticket, Instant::now())));
    }
}

impl Seat<'_> {
    /// When it was taken.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Whether it is one beyond their number, until the next tick.
    pub(crate) fn is_lent(&self) -> bool {
        self.seating == Seating::Lent
    }

    /// Whether guests compete, so that CPU time has to be measured.
    pub(crate) fn is_contended(&self) -> bool {
        self.is_contended
    }

    /// Gives it back after so much CPU time on it that was not counted at a tick.
    pub(crate) fn leave(self, spent: Duration, why: Departure) {
        self.give_back(spent, why);
        std::mem::forget(self);
    }

    fn give_back(&self, spent: Duration, why: Departure) {
        let Share { account, place } = self.share;
        account.gate.change(|seats| ((), seats.leave(*place, spent, why, Instant::now())));
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.give_back(self.since.elapsed(), Departure::MadeWay);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(2);

    struct Caller {
        queue: Queue,
        slices: u32,
    }

    impl Caller {
        /// Asks for a seat, and gives it back after so long.
        fn ask(&mut self, slice: Duration) -> bool {
            let Poll::Ready(seat) = self.queue.poll_seat(&mut Context::from_waker(Waker::noop())) else {
                return false;
            };
            // Time passes by the ledger, so that the test does not wait for it.
            seat.leave(slice, Departure::MadeWay);
            self.slices += 1;
            true
        }
    }

    fn share(gate: &Arc<Gate>, limits: &Limits) -> Arc<Share> {
        Arc::new(Arc::new(gate.open(limits)).share())
    }

    fn tenant(gate: &Arc<Gate>, weight: u32, callers: usize) -> Vec<Caller> {
        let share = share(gate, &Limits::default().with(|it| it.cpu_weight = weight));
        (0..callers).map(|_| Caller { queue: share.queue(), slices: 0 }).collect()
    }

    /// All callers ask for the one seat again and again, for so many turns: how many each tenant got.
    fn contend(tenants: &mut [Vec<Caller>], turns: usize) -> Vec<u32> {
        let gate = Arc::clone(&tenants[0][0].queue.share.account.gate);
        let mut holder = share(&gate, &Limits::default()).queue();
        let held = holder.poll_seat(&mut Context::from_waker(Waker::noop()));
        assert!(held.is_ready());
        for caller in tenants.iter_mut().flatten() {
            assert!(!caller.ask(Duration::ZERO), "nobody gets a seat that is held");
        }
        drop(held);
        for _ in 0..turns {
            let given =
                |caller: &&mut Caller| caller.queue.ticket.is_some_and(|ticket| gate.lock().has_granted(ticket));
            let next = tenants.iter_mut().flatten().find(given).expect("the seat goes to one that waits");
            assert!(next.ask(Duration::from_millis(2)));
            assert!(!next.ask(Duration::ZERO), "another has it now");
        }
        tenants.iter().map(|callers| callers.iter().map(|caller| caller.slices).sum()).collect()
    }

    #[test]
    fn tenants_get_the_same_whatever_the_number_of_their_calls() {
        let gate = Arc::new(Gate::new(1, TICK));
        let mut tenants = [tenant(&gate, 100, 1), tenant(&gate, 100, 20)];
        let slices = contend(&mut tenants, 100);
        assert!(slices[0].abs_diff(slices[1]) <= 2, "{slices:?}");
    }

    #[test]
    fn a_tenant_of_twice_the_weight_gets_twice_as_much() {
        let gate = Arc::new(Gate::new(1, TICK));
        let mut tenants = [tenant(&gate, 200, 3), tenant(&gate, 100, 3)];
        let slices = contend(&mut tenants, 90);
        assert!(slices[0].abs_diff(2 * slices[1]) <= 4, "{slices:?}");
    }

    #[test]
    fn a_free_seat_is_taken_at_once_and_a_dropped_call_leaves_none_behind() {
        let gate = Arc::new(Gate::new(1, TICK));
        let account = share(&gate, &Limits::default());
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
        assert!(gate.lock().is_empty());
    }

    #[test]
    fn a_tenant_at_its_share_waits_and_goes_on_as_time_passes() {
        let gate = Arc::new(Gate::new(2, TICK));
        let limits = Limits::default().with(|it| it.cpu_percent_max = Some(50));
        let mut capped = Caller { queue: share(&gate, &limits).queue(), slices: 0 };
        // 50 ms of the first 100 are there at once; a slice that is longer than what is left is finished.
        while capped.ask(Duration::from_secs(7)) {}
        assert_eq!(capped.slices, 1);
        let other = &mut tenant(&gate, 100, 1)[0];
        assert!(other.ask(Duration::from_millis(10)), "others do not wait");
        gate.tick();
        assert!(!capped.ask(Duration::ZERO));
        let place = capped.queue.share.place;
        // As if a minute had passed.
        gate.lock().ledger(place.tenant).unwrap().refill(Duration::from_secs(60));
        gate.tick();
        assert!(capped.ask(Duration::ZERO), "the tick gave it a seat");
    }

    #[test]
    fn who_was_absent_has_nothing_to_make_up_for() {
        let gate = Arc::new(Gate::new(1, TICK));
        let mut busy = tenant(&gate, 100, 1);
        assert!(busy[0].ask(Duration::from_secs(100)));
        let mut new = tenant(&gate, 100, 1);
        let mut tenants = [std::mem::take(&mut busy), std::mem::take(&mut new)];
        let slices = contend(&mut tenants, 50);
        assert!(slices[1] < 30, "a newcomer does not get a hundred seconds first: {slices:?}");
    }
}
