//! Runs guest code in slices: short calls on the caller's thread, long calls on threads of the engine.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use wasmtime::{Store, UpdateDeadline};
use weir_text::escape_to;

use crate::TrapCause;
use crate::clock::Clock;
use crate::gate::{Departure, Share};
use crate::pulse::{Beating, Pulse};
use crate::state::StoreData;

/// After a call that took this long, the next one starts on a thread of the engine: switching costs a hundredth of that.
const LONG: Duration = Duration::from_millis(1);

/// The maximum time that a guest holds a thread of the engine while nobody waits for its seat.
const SLICE_MAX: Duration = Duration::from_millis(20);

/// Guest code that runs on a store.
pub(crate) type Guest<'s, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 's>>;

/// How a guest ended without a result.
pub(crate) enum GuestEnd {
    Error(wasmtime::Error),
    /// A host function panicked. The guest must not run after that.
    Panic(String),
}

/// Threads for guests that run longer than a tick, so that they do not block the caller's threads, whose other work cannot always
/// move to another thread. Started on first use.
pub(crate) struct GuestThreads {
    threads: usize,
    runtime: OnceLock<Option<Runtime>>,
}

impl GuestThreads {
    /// One thread per seat, and one that polls those that come meanwhile: a guest that waits for a seat holds none.
    pub(crate) fn new(seats: usize) -> GuestThreads {
        GuestThreads { threads: seats.saturating_add(1), runtime: OnceLock::new() }
    }

    fn runtime(&self) -> Option<&Runtime> {
        let start = || {
            let built = Builder::new_multi_thread().worker_threads(self.threads).thread_name("weir-guest").build();
            built
                .inspect_err(|error| {
                    tracing::warn!(
                        "could not start threads for long-running guests; they run on their callers' threads: {error}"
                    )
                })
                .ok()
        };
        self.runtime.get_or_init(start).as_ref()
    }
}

impl Drop for GuestThreads {
    fn drop(&mut self) {
        // The last owner may be one of these threads, which cannot wait for itself.
        if let Some(runtime) = self.runtime.take().flatten() {
            runtime.shutdown_background();
        }
    }
}

/// Everything for running the guest code of a call, and the time that the call waited.
pub(crate) struct Runner {
    threads: Arc<GuestThreads>,
    share: Arc<Share>,
    clock: Arc<Clock>,
    pulse: Arc<Pulse>,
    // What the host makes of an answer is timed by ticks as well.
    _beating: Beating,
    started: Instant,
    waited: Duration,
    cpu: Duration,
    apart: bool,
}

impl Runner {
    /// For one call, created at `started`; `apart` if its guest is known to take long.
    pub(crate) fn new(
        threads: &Arc<GuestThreads>,
        share: &Arc<Share>,
        clock: &Arc<Clock>,
        pulse: &Arc<Pulse>,
        started: Instant,
        apart: bool,
    ) -> Runner {
        let (threads, share, clock) = (Arc::clone(threads), Arc::clone(share), Arc::clone(clock));
        let _beating = pulse.beating();
        let pulse = Arc::clone(pulse);
        Runner { threads, share, clock, pulse, _beating, started, waited: Duration::ZERO, cpu: Duration::ZERO, apart }
    }

    /// The time since the call was created.
    pub(crate) fn time(&self) -> Duration {
        self.started.elapsed()
    }

    /// The part of it in which the call waited for a seat or a thread.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// The CPU time that counts against its share.
    pub(crate) fn cpu(&self) -> Duration {
        self.cpu
    }

    /// Counts CPU time of the host for it.
    pub(crate) fn charge(&mut self, spent: Duration) {
        self.cpu = self.cpu.saturating_add(spent);
    }

    /// Whether the guest that ran last should start apart the next time.
    pub(crate) fn was_long(&self) -> bool {
        self.clock.spent() >= LONG
    }

    /// Runs guest code on a store, and returns the store with the result. If the future is dropped before its end, the guest ends
    /// at its next tick at the latest, and the store is dropped.
    pub(crate) async fn run<T, G>(
        &mut self,
        store: Store<StoreData>,
        guest: G,
    ) -> Result<(Store<StoreData>, Result<T, GuestEnd>), TrapCause>
    where
        T: Send + 'static,
        G: for<'s> FnOnce(&'s mut Store<StoreData>) -> Guest<'s, T> + Send + 'static,
    {
        let (share, clock) = (Arc::clone(&self.share), Arc::clone(&self.clock));
        clock.set_apart(self.apart);
        // A guest that nobody waits for any more ends at a tick.
        let beating = self.pulse.beating();
        let mut task: Pin<Box<dyn Future<Output = Ran<T>> + Send>> =
            Box::pin(slices(share, clock, beating, store, guest));
        if !self.apart {
            let clock = &self.clock;
            let here = poll_fn(|context| match task.as_mut().poll(context) {
                Poll::Ready(ran) => Poll::Ready(Some(ran)),
                Poll::Pending if clock.is_long() => Poll::Ready(None),
                // It waits for its first seat.
                Poll::Pending => Poll::Pending,
            });
            if let Some(ran) = here.await {
                return Ok(self.done(ran));
            }
        }
        let ran = match self.threads.runtime() {
            None => task.await,
            Some(runtime) => {
                self.clock.set_apart(true);
                self.apart = true;
                let mut apart = Apart { handle: runtime.spawn(task), clock: Arc::clone(&self.clock) };
                (&mut apart.handle).await.map_err(|error| TrapCause::Engine(escape_to(&error.to_string(), 400)))?
            }
        };
        Ok(self.done(ran))
    }

    fn done<T>(&mut self, ran: Ran<T>) -> (Store<StoreData>, Result<T, GuestEnd>) {
        self.waited = self.waited.saturating_add(ran.waited);
        self.cpu = self.cpu.saturating_add(ran.cpu);
        (ran.store, ran.ended)
    }
}

/// Guest code on a thread of the engine; ended when its caller stops waiting.
struct Apart<T> {
    handle: JoinHandle<T>,
    clock: Arc<Clock>,
}

impl<T> Drop for Apart<T> {
    fn drop(&mut self) {
        self.handle.abort();
        // The guest yields at its next tick, and is ended there.
        self.clock.set_apart(false);
    }
}

/// A store after running guest code.
struct Ran<T> {
    store: Store<StoreData>,
    ended: Result<T, GuestEnd>,
    waited: Duration,
    cpu: Duration,
}

/// Runs guest code in slices, each on a seat of the gate, and keeps a panic of a host function from going further.
async fn slices<T, G>(
    share: Arc<Share>,
    clock: Arc<Clock>,
    _beating: Beating,
    mut store: Store<StoreData>,
    guest: G,
) -> Ran<T>
where
    G: for<'s> FnOnce(&'s mut Store<StoreData>) -> Guest<'s, T>,
{
    let asked = Instant::now();
    let mut ran = Duration::ZERO;
    let mut turn = share.queue();
    let mut guest = guest(&mut store);
    let polled = poll_fn(|context| {
        let Poll::Ready(seat) = turn.poll_seat(context) else { return Poll::Pending };
        clock.begin_slice(seat.since(), seat.is_contended(), seat.is_lent());
        let polled = catch_unwind(AssertUnwindSafe(|| guest.as_mut().poll(context)));
        let slice = clock.end_slice();
        let why = match &polled {
            Ok(Poll::Pending) if clock.makes_way() => Departure::MadeWay,
            Ok(Poll::Pending) => Departure::Moves,
            Ok(Poll::Ready(_)) | Err(_) => Departure::Ended,
        };
        seat.leave(clock.untold(slice), why);
        // What the thread was off its core counts as waiting.
        ran = ran.saturating_add(slice);
        match polled {
            Ok(Poll::Ready(ended)) => Poll::Ready(Ok(ended)),
            Ok(Poll::Pending) => {
                // A guest is pending only after a tick, and has asked to be polled again.
                clock.set_long();
                Poll::Pending
            }
            Err(panic) => Poll::Ready(Err(panic)),
        }
    });
    let polled = polled.await;
    drop(guest);
    let ended = match polled {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(GuestEnd::Error(error)),
        Err(panic) => Err(GuestEnd::Panic(panic_message(&*panic))),
    };
    Ran { store, ended, waited: asked.elapsed().saturating_sub(ran), cpu: ran }
}

/// Decides what a guest does at a tick: it ends because its time is up, yields, or continues.
pub(crate) fn at_tick(state: &mut StoreData) -> wasmtime::Result<UpdateDeadline> {
    if let Some(cause) = state.clock.overdue() {
        state.ended = Some(cause);
        return Err(crate::host::Ended.into());
    }
    let slice = state.clock.slice();
    let leaves = state.share.should_leave(state.clock.untold(slice), state.clock.is_lent());
    state.clock.set_makes_way(leaves);
    // A call that is short and met a tick is soon over. On a thread of the engine's, a guest that makes way for nobody would
    // only move to another.
    let longest = if state.clock.is_apart() { SLICE_MAX } else { LONG };
    let stay = !leaves && slice < longest;
    Ok(if stay { UpdateDeadline::Continue(1) } else { UpdateDeadline::Yield(1) })
}

/// Catches a panic while processing a guest's result, as for host functions: results are as hostile as arguments.
pub(crate) fn contain_answer<T>(make: impl FnOnce() -> Result<T, TrapCause>) -> Result<T, TrapCause> {
    let made = catch_unwind(AssertUnwindSafe(make));
    made.unwrap_or_else(|panic| Err(TrapCause::HostPanic { message: panic_message(&*panic) }))
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let message = panic
        .downcast_ref::<&str>()
        .map(|message| (*message).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned());
    escape_to(&message.unwrap_or_else(|| "without a message".to_owned()), 400)
}
