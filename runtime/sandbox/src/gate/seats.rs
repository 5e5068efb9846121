//! Who has a seat, who waits for one, and who is next. Time is an argument: a test can simulate it.

use std::collections::HashSet;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::ledger::{LAG_MAX_NANOS, Ledger};
use super::party::{Habit, Party};
use crate::Limits;

/// Nobody competes where nobody has waited for so long: longer than those who compete pause.
const CALM_AFTER: Duration = Duration::from_millis(10);

/// A query's place in the books: its tenant's index, and its own among those of its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) tenant: usize,
    pub(super) party: usize,
}

/// How a call came to its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seating {
    /// It has one of the seats.
    Own,
    /// All were taken, and it has one beside them until the next tick.
    Lent,
}

/// Why a call leaves its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Departure {
    /// It is over.
    Ended,
    /// It was to leave, at a tick, and asks for a seat again.
    MadeWay,
    /// It moves to another thread, and asks for a seat there.
    Moves,
}

/// The scheduler. Each query has had some CPU time of its tenant, and each tenant some of the machine, divided by its weight:
/// its virtual time. Where there are fewer seats than calls, who has had least is next.
///
/// Guests that run for long give their seats up at a tick. A query of short calls leaves its seat after each of them, and
/// would wait for a tick for each. So a seat is kept for a query over the pause between two calls, where that is short,
/// while it is the query's turn: until it has had a tick's time and more than others that wait. And a query of short calls with
/// longer pauses is lent a seat, beyond their number, when it returns and has had less than one that sits; that one gives its
/// own up at the next tick, if the query is one that keeps its seat.
pub(super) struct Seats {
    most: usize,
    tick: Duration,
    tenants: Vec<Option<Ledger>>,
    /// One element for each call on a seat, or that was given one and has not sat down yet, and since when its time is not
    /// counted. May be more than `most` where seats are lent.
    seated: Vec<(Place, Instant)>,
    /// Of those, the ones that are to leave, which they do in a moment.
    leaving: Vec<Place>,
    /// Seats that are kept, and since when.
    kept: Vec<(Place, Instant)>,
    /// Queries that were lent a seat in the last tick, and when.
    lent: Vec<(Place, Instant)>,
    /// Tenants of which a call waits.
    waiting: Vec<usize>,
    /// Tickets that were given a seat and have not sat down yet.
    granted: HashSet<u64>,
    ticket_next: u64,
    /// The highest level of virtual time that tenants have had who competed.
    horizon: u64,
    /// When somebody waited last.
    waited_at: Option<Instant>,
}

impl Seats {
    pub(super) fn new(most: usize, tick: Duration) -> Seats {
        Seats {
            most: most.max(1),
            tick,
            tenants: Vec::new(),
            seated: Vec::new(),
            leaving: Vec::new(),
            kept: Vec::new(),
            lent: Vec::new(),
            waiting: Vec::new(),
            granted: HashSet::new(),
            ticket_next: 0,
            horizon: 0,
            waited_at: None,
        }
    }

    pub(super) fn open_tenant(&mut self, limits: &Limits, now: Instant) -> usize {
        insert(&mut self.tenants, Ledger::new(limits, now))
    }

    pub(super) fn open_party(&mut self, tenant: usize) -> usize {
        self.ledger(tenant).map_or(0, |ledger| insert(&mut ledger.parties, Party::default()))
    }

    /// Nobody of the tenant waits or sits any more.
    pub(super) fn close_tenant(&mut self, tenant: usize) {
        if let Some(ledger) = self.tenants.get_mut(tenant) {
            *ledger = None;
        }
    }

    /// Nobody of the query waits or sits any more. Who gets a seat by that.
    pub(super) fn close_party(&mut self, place: Place, now: Instant) -> Vec<Waker> {
        self.kept.retain(|(keeper, _)| *keeper != place);
        self.lent.retain(|(borrower, _)| *borrower != place);
        if let Some(party) = self.ledger(place.tenant).and_then(|ledger| ledger.parties.get_mut(place.party)) {
            *party = None;
        }
        self.seat_waiting(now)
    }

    pub(super) fn ledger(&mut self, tenant: usize) -> Option<&mut Ledger> {
        self.tenants.get_mut(tenant)?.as_mut()
    }

    fn party(&mut self, place: Place) -> Option<&mut Party> {
        self.ledger(place.tenant)?.party(place.party)
    }

    /// Whether anybody waits.
    pub(super) fn anybody_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether guests compete, so that it matters what exactly each of them takes.
    pub(super) fn is_contended(&self) -> bool {
        self.anybody_waits() || self.taken() > self.most
    }

    fn taken(&self) -> usize {
        self.seated.len().saturating_sub(self.leaving.len()).saturating_add(self.kept.len())
    }

    /// A call asks for a seat. It gets one at once, or is to queue.
    pub(super) fn ask(&mut self, place: Place, now: Instant) -> Option<Seating> {
        self.keep_up(place, now);
        self.party(place)?.habit.begins(now);
        if !self.ledger(place.tenant)?.allowed(now) {
            return None;
        }
        self.drop_kept(now);
        if self.is_held(place) {
            return None;
        }
        let seating = if let Some(index) = self.kept.iter().position(|(keeper, _)| *keeper == place) {
            self.kept.swap_remove(index);
            Seating::Own
        } else if self.taken() < self.most && self.next(now).is_none_or(|next| !self.is_ahead(place, next)) {
            self.party(place)?.turn_nanos = 0;
            Seating::Own
        } else if self.may_borrow(place, now) {
            self.lent.retain(|(borrower, _)| *borrower != place);
            self.lent.push((place, now));
            Seating::Lent
        } else {
            return None;
        };
        self.seated.push((place, now));
        Some(seating)
    }

    /// A call that got none queues; its ticket.
    pub(super) fn queue(&mut self, place: Place, waker: Waker) -> u64 {
        let ticket = self.ticket_next;
        self.ticket_next = ticket.wrapping_add(1);
        if let Some(ledger) = self.ledger(place.tenant)
            && let Some(party) = ledger.party(place.party)
        {
            party.waiting.push_back((ticket, waker));
            note(&mut ledger.waiting, place.party);
            note(&mut self.waiting, place.tenant);
        }
        ticket
    }

    /// Whether a call that queues was given a seat; it is to be woken by this waker if not.
    pub(super) fn is_granted(&mut self, place: Place, ticket: u64, waker: &Waker) -> bool {
        if self.granted.remove(&ticket) {
            return true;
        }
        let waiting = self.party(place).map(|party| &mut party.waiting);
        if let Some((_, other)) = waiting.into_iter().flatten().find(|(other, _)| *other == ticket) {
            other.clone_from(waker);
        }
        false
    }

    /// A call that queues goes away. Who gets a seat by that.
    pub(super) fn cancel(&mut self, place: Place, ticket: u64, now: Instant) -> Vec<Waker> {
        if self.granted.remove(&ticket) {
            return self.leave(place, Duration::ZERO, Departure::MadeWay, now);
        }
        if let Some(party) = self.party(place) {
            party.waiting.retain(|(other, _)| *other != ticket);
        }
        self.forget_idle(place);
        Vec::new()
    }

    /// A guest sits at a tick, and has had so much since it sat down or since the last tick. Whether it is to leave, at once.
    pub(super) fn at_tick(&mut self, place: Place, spent: Duration, seating: Seating, now: Instant) -> bool {
        if let Some((_, since)) = self.seated.iter_mut().find(|(seated, _)| *seated == place) {
            let passed = now.saturating_duration_since(std::mem::replace(since, now));
            self.pace(place, spent, passed);
        }
        self.spend(place, spent);
        let leaves = self.is_to_leave(place, spent, seating, now);
        if leaves {
            self.leaving.push(place);
        }
        leaves
    }

    fn is_to_leave(&mut self, place: Place, spent: Duration, seating: Seating, now: Instant) -> bool {
        if let Some(party) = self.party(place) {
            party.habit.ran(spent, false, now);
        }
        self.keep_up(place, now);
        if self.ledger(place.tenant).is_some_and(|ledger| !ledger.allowed(now)) {
            return true;
        }
        if seating == Seating::Lent && self.taken() > self.most {
            return true;
        }
        self.is_held(place)
            || self.makes_way(place, now)
            || self.next(now).is_some_and(|next| next == place || self.is_ahead(place, next))
    }

    /// Whether a guest gives its seat up for a query that had less and was lent one, which keeps it from now on.
    fn makes_way(&mut self, place: Place, now: Instant) -> bool {
        let recent = now.checked_sub(self.tick);
        self.lent.retain(|&(_, at)| recent.is_none_or(|recent| at >= recent));
        let borrower = (0..self.lent.len()).find(|&index| {
            let Some(&(borrower, _)) = self.lent.get(index) else { return false };
            self.is_ahead(place, borrower) && self.party(borrower).is_some_and(|party| party.habit.returns_soon())
        });
        let Some(borrower) = borrower.map(|index| self.lent.swap_remove(index).0) else { return false };
        if let Some(party) = self.party(borrower) {
            party.turn_nanos = 0;
        }
        if !self.seated.iter().any(|(seated, _)| *seated == borrower) {
            self.kept.push((borrower, now));
        }
        true
    }

    /// A call leaves its seat, after so much that was not counted at a tick. Who gets a seat by that.
    pub(super) fn leave(&mut self, place: Place, spent: Duration, why: Departure, now: Instant) -> Vec<Waker> {
        if let Some(index) = self.seated.iter().position(|(seated, _)| *seated == place) {
            let (_, since) = self.seated.swap_remove(index);
            self.pace(place, spent, now.saturating_duration_since(since));
        }
        if let Some(index) = self.leaving.iter().position(|leaving| *leaving == place) {
            self.leaving.swap_remove(index);
        }
        self.spend(place, spent);
        if let Some(party) = self.party(place) {
            party.habit.ran(spent, why == Departure::Ended, now);
        }
        let keeps = match why {
            Departure::Ended => self.may_keep(place, now),
            Departure::MadeWay => false,
            // A seat that was lent is not there any more.
            Departure::Moves => self.taken() < self.most,
        };
        if keeps {
            self.kept.push((place, now));
        }
        self.seat_waiting(now)
    }

    /// Counts CPU time of a query.
    pub(super) fn spend(&mut self, place: Place, spent: Duration) {
        if let Some(ledger) = self.ledger(place.tenant) {
            ledger.spend(place.party, spent);
        }
    }

    /// Gives free seats to those who wait, the one that had least first.
    pub(super) fn seat_waiting(&mut self, now: Instant) -> Vec<Waker> {
        let mut woken = Vec::new();
        if self.waiting.is_empty() {
            return woken;
        }
        self.drop_kept(now);
        while self.taken() < self.most {
            let Some(place) = self.next(now) else { break };
            let Some(party) = self.party(place) else { break };
            let Some((ticket, waker)) = party.waiting.pop_front() else { break };
            party.turn_nanos = 0;
            self.forget_idle(place);
            self.seated.push((place, now));
            self.granted.insert(ticket);
            woken.push(waker);
        }
        woken
    }

    /// Of those who wait and may have a seat, the one that had least. `None` also where that one is held back: those that had more
    /// are held back as well.
    fn next(&mut self, now: Instant) -> Option<Place> {
        let tenant = self.next_tenant(now)?;
        let party = self.ledger(tenant)?.least_party()?;
        let next = Place { tenant, party };
        (!self.is_held(next)).then_some(next)
    }

    /// Whether a query is to have nothing for now, since another one that has a seat, but gets too little of a core there, has fallen
    /// behind it: where the process has fewer cores than seats, the system divides them between threads, whatever their weights.
    fn is_held(&self, place: Place) -> bool {
        self.seated.iter().chain(&self.kept).any(|&(other, _)| other != place && self.holds_back(other, place))
    }

    fn holds_back(&self, behind: Place, ahead: Place) -> bool {
        let of = |place: Place| {
            let ledger = self.tenants.get(place.tenant)?.as_ref()?;
            Some((ledger, ledger.parties.get(place.party)?.as_ref()?))
        };
        let (Some((behind_ledger, behind_party)), Some((ahead_ledger, ahead_party))) = (of(behind), of(ahead)) else {
            return false;
        };
        if !behind_party.habit.is_starved() {
            return false;
        }
        let (least, most, lag) = match behind.tenant == ahead.tenant {
            true => (behind_party.virtual_nanos, ahead_party.virtual_nanos, LAG_MAX_NANOS),
            false => {
                let lag = behind_ledger.lag_max(ahead_ledger, self.tick);
                (behind_ledger.virtual_nanos, ahead_ledger.virtual_nanos, lag)
            }
        };
        // At half of what it may catch up on: the other may go on to its next tick.
        most.saturating_sub(least) > lag / 2
    }

    /// Notes how much of the time on its seat a query had a core.
    fn pace(&mut self, place: Place, spent: Duration, passed: Duration) {
        if let Some(party) = self.party(place) {
            party.habit.paced(spent, passed);
        }
    }

    fn next_tenant(&mut self, now: Instant) -> Option<usize> {
        let Seats { waiting, tenants, .. } = self;
        let allowed = waiting.iter().filter_map(|&tenant| {
            let ledger = tenants.get_mut(tenant)?.as_mut()?;
            ledger.allowed(now).then_some((ledger.virtual_nanos, tenant))
        });
        allowed.min_by_key(|&(nanos, _)| nanos).map(|(_, tenant)| tenant)
    }

    fn nanos(&self, tenant: usize) -> u64 {
        self.tenants.get(tenant).and_then(Option::as_ref).map_or(0, |ledger| ledger.virtual_nanos)
    }

    fn party_nanos(&self, place: Place) -> u64 {
        let ledger = self.tenants.get(place.tenant).and_then(Option::as_ref);
        ledger.map_or(0, |ledger| ledger.party_nanos(place.party))
    }

    /// Whether one has had more than another.
    fn is_ahead(&self, one: Place, other: Place) -> bool {
        match one.tenant == other.tenant {
            true => self.party_nanos(one) > self.party_nanos(other),
            false => self.nanos(one.tenant) > self.nanos(other.tenant),
        }
    }

    /// Whether a query has had no more than those that competed with it last.
    fn is_behind(&self, place: Place) -> bool {
        let ledger = self.tenants.get(place.tenant).and_then(Option::as_ref);
        ledger.is_some_and(|ledger| ledger.virtual_nanos <= self.horizon && ledger.is_party_behind(place.party))
    }

    /// Whether nobody has waited for a while.
    fn is_calm(&self, now: Instant) -> bool {
        self.waited_at.is_none_or(|at| now.saturating_duration_since(at) >= CALM_AFTER)
    }

    /// Whether a call that returns runs beside those that sit: they make way for it at their next tick, for which a brief
    /// call need not wait.
    fn may_borrow(&mut self, place: Place, now: Instant) -> bool {
        let is_brief = self.party(place).is_some_and(|party| party.habit.is_brief());
        is_brief
            && self.taken() < self.most.saturating_mul(2)
            && self.next(now).is_none_or(|next| next != place && !self.is_ahead(place, next))
            && self.seated.iter().any(|&(seated, _)| self.is_ahead(seated, place))
    }

    /// Whether a query that leaves is likely to return at once, while it is still its turn.
    fn may_keep(&mut self, place: Place, now: Instant) -> bool {
        let tick = u64::try_from(self.tick.as_nanos()).unwrap_or(u64::MAX);
        let Some(party) = self.party(place) else { return false };
        let has_turn = party.turn_nanos < tick;
        party.habit.returns_soon()
            // A seat that was lent is not there any more.
            && self.taken() < self.most
            && match self.next(now) {
                Some(next) => next != place && (has_turn || !self.is_ahead(place, next)),
                // Those who compete may pause as well, or be on their way from one seat to the next.
                None => !self.is_calm(now) && (has_turn || self.is_behind(place)),
            }
            && self.ledger(place.tenant).is_some_and(|ledger| ledger.allowed(now))
    }

    fn drop_kept(&mut self, now: Instant) {
        while let Some(index) =
            self.kept.iter().position(|(_, since)| Habit::is_over(now.saturating_duration_since(*since)))
        {
            let (keeper, since) = self.kept.swap_remove(index);
            if let Some(party) = self.party(keeper) {
                party.habit.stayed_away(now.saturating_duration_since(since));
            }
        }
    }

    /// Keeps a tenant, and a query, from catching up on more than a little: on what the others had while it asked for nothing, or
    /// could not use its share. Others are at the level of the one that has had least; but where nobody has waited for a
    /// while nobody lacks anything, and they are at the level of the one that has had most.
    fn keep_up(&mut self, place: Place, now: Instant) {
        let Place { tenant, party } = place;
        // Who has used up what it may is not one that competes.
        let may_run = |other: usize| self.tenants.get(other).and_then(Option::as_ref).is_some_and(Ledger::may_run);
        let waiting = self.waiting.iter().copied().filter(|&other| may_run(other));
        if waiting.clone().next().is_some() {
            self.waited_at = Some(now);
        }
        let is_calm = self.is_calm(now);
        let level = |nanos: &mut dyn Iterator<Item = u64>| if is_calm { nanos.max() } else { nanos.min() };
        let present = self.seated.iter().chain(&self.kept).map(|&(other, _)| other);
        let others = present.clone().map(|other| other.tenant).chain(waiting).filter(|&other| other != tenant);
        let Some(ledger) = self.tenants.get(tenant).and_then(Option::as_ref) else { return };
        let lag = others.clone().filter_map(|other| self.tenants.get(other)?.as_ref());
        let lag = lag
            .map(|other| ledger.lag_max(other, self.tick))
            .max()
            .unwrap_or_else(|| ledger.lag_max(ledger, self.tick));
        let others = level(&mut others.map(|other| self.nanos(other)));
        let queries = present.filter(|other| other.tenant == tenant).map(|other| other.party);
        let queries = queries.chain(ledger.waiting.iter().copied());
        let queries = level(&mut queries.filter(|&other| other != party).map(|other| ledger.party_nanos(other)));
        self.horizon = self.horizon.max(others.unwrap_or(0));
        let horizon = self.horizon;
        if let Some(ledger) = self.ledger(tenant) {
            ledger.keep_up(horizon, lag);
            ledger.keep_party_up(party, queries);
        }
    }

    /// Takes a query, and its tenant, off the lists of those who wait where nobody of them does.
    fn forget_idle(&mut self, place: Place) {
        let Some(ledger) = self.ledger(place.tenant) else { return };
        if ledger.party(place.party).is_none_or(|party| party.waiting.is_empty()) {
            ledger.waiting.retain(|&party| party != place.party);
        }
        if ledger.waiting.is_empty() {
            self.waiting.retain(|&tenant| tenant != place.tenant);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.seated.is_empty() && self.kept.is_empty() && self.granted.is_empty() && self.waiting.is_empty()
    }

    #[cfg(test)]
    pub(super) fn has_granted(&self, ticket: u64) -> bool {
        self.granted.contains(&ticket)
    }
}

/// Adds to a list what is not on it.
fn note(list: &mut Vec<usize>, index: usize) {
    if !list.contains(&index) {
        list.push(index);
    }
}

/// Puts it in the first place that is free.
fn insert<T>(places: &mut Vec<Option<T>>, value: T) -> usize {
    let index = places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    });
    if let Some(place) = places.get_mut(index) {
        *place = Some(value);
    }
    index
}
