//! Guest code, run in slices, by whoever asks for it while it is short, and apart from it when it is long.

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
use crate::gate::Account;
use crate::state::StoreData;

/// A call that ran so long starts apart the next time: what that costs is a hundredth of it.
const LONG: Duration = Duration::from_millis(1);

/// How long a guest holds a thread of the engine's at most while nobody waits for its seat.
const SLICE_MAX: Duration = Duration::from_millis(20);

/// Guest code in the making, on a store.
pub(crate) type Guest<'s, T> = Pin<Box<dyn Future<Output = wasmtime::Result<T>> + Send + 's>>;

/// How a guest ended without an answer.
pub(crate) enum GuestEnd {
    Error(wasmtime::Error),
    /// A host function panicked. The guest must not be run on after it.
    Panic(String),
}

/// Threads for guests that take longer than a tick: none of the caller's is held by one, whose other work cannot always
/// be taken over by another thread. Started with the first of them.
pub(crate) struct GuestThreads {
    threads: usize,
    runtime: OnceLock<Option<Runtime>>,
}

impl GuestThreads {
    /// As many as there are seats, and as many again for those that queue.
    pub(crate) fn new(seats: usize) -> GuestThreads {
        GuestThreads { threads: seats.saturating_mul(2), runtime: OnceLock::new() }
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
        // The last holder may be one of these threads, which cannot wait for itself.
        if let Some(runtime) = self.runtime.take().flatten() {
            runtime.shutdown_background();
        }
    }
}

/// What a call needs to run guest code, and what it has waited.
pub(crate) struct Runner {
    threads: Arc<GuestThreads>,
    account: Arc<Account>,
    clock: Arc<Clock>,
    started: Instant,
    waited: Duration,
    apart: bool,
}

impl Runner {
    /// For one call, made at `started`; `apart` if its guest is known to be long.
    pub(crate) fn new(
        threads: &Arc<GuestThreads>,
        account: &Arc<Account>,
        clock: &Arc<Clock>,
        started: Instant,
        apart: bool,
    ) -> Runner {
        let (threads, account, clock) = (Arc::clone(threads), Arc::clone(account), Arc::clone(clock));
        Runner { threads, account, clock, started, waited: Duration::ZERO, apart }
    }

    /// Since the call was made.
    pub(crate) fn time(&self) -> Duration {
        self.started.elapsed()
    }

    /// What of it the call waited for a seat or a thread.
    pub(crate) fn waited(&self) -> Duration {
        self.waited
    }

    /// Whether the guest that ran last should start apart the next time.
    pub(crate) fn was_long(&self) -> bool {
        self.clock.spent() >= LONG
    }

    /// Runs guest code on a store, which comes back with what came of it. A future that is dropped before its end ends
    /// the guest, at its next tick at the latest, and drops the store.
    pub(crate) async fn run<T, G>(
        &mut self,
        store: Store<StoreData>,
        guest: G,
    ) -> Result<(Store<StoreData>, Result<T, GuestEnd>), TrapCause>
    where
        T: Send + 'static,
        G: for<'s> FnOnce(&'s mut Store<StoreData>) -> Guest<'s, T> + Send + 'static,
    {
        let (account, clock) = (Arc::clone(&self.account), Arc::clone(&self.clock));
        clock.set_apart(self.apart);
        let mut task: Pin<Box<dyn Future<Output = Ran<T>> + Send>> = Box::pin(slices(account, clock, store, guest));
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
        (ran.store, ran.ended)
    }
}

/// Guest code that runs apart; ended when whoever waits for it goes away.
struct Apart<T> {
    handle: JoinHandle<T>,
    clock: Arc<Clock>,
}

impl<T> Drop for Apart<T> {
    fn drop(&mut self) {
        self.handle.abort();
        // It makes way at its next tick, at which it is ended.
        self.clock.set_apart(false);
    }
}

/// A store that has been through guest code.
struct Ran<T> {
    store: Store<StoreData>,
    ended: Result<T, GuestEnd>,
    waited: Duration,
}

/// Runs guest code in slices, each on a seat of the gate, and keeps a panic of a host function from going further.
async fn slices<T, G>(account: Arc<Account>, clock: Arc<Clock>, mut store: Store<StoreData>, guest: G) -> Ran<T>
where
    G: for<'s> FnOnce(&'s mut Store<StoreData>) -> Guest<'s, T>,
{
    let asked = Instant::now();
    let mut ran = Duration::ZERO;
    let mut turn = account.queue();
    let mut guest = guest(&mut store);
    let polled = poll_fn(|context| {
        let Poll::Ready(seat) = turn.poll_seat(context) else { return Poll::Pending };
        clock.begin_slice(seat.since());
        let polled = catch_unwind(AssertUnwindSafe(|| guest.as_mut().poll(context)));
        let slice = clock.end_slice();
        seat.leave(slice);
        // What the thread was off its core counts as waiting.
        ran = ran.saturating_add(slice);
        match polled {
            Ok(Poll::Ready(ended)) => Poll::Ready(Ok(ended)),
            Ok(Poll::Pending) => {
                // A guest is pending after a tick only, and has asked to be polled again.
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
    Ran { store, ended, waited: asked.elapsed().saturating_sub(ran) }
}

/// What a guest does at a tick: it ends if its time is up, makes way, or goes on.
pub(crate) fn at_tick(state: &mut StoreData) -> wasmtime::Result<UpdateDeadline> {
    if let Some(cause) = state.clock.overdue() {
        state.ended = Some(cause);
        return Err(crate::host::Ended.into());
    }
    // On a thread of the engine's, a guest that makes way for nobody would only move to another.
    let slice = state.clock.slice();
    let stay = state.clock.is_apart() && slice < SLICE_MAX && !state.account.should_leave(slice);
    Ok(if stay { UpdateDeadline::Continue(1) } else { UpdateDeadline::Yield(1) })
}

/// Keeps a panic over a guest's answer to the call, as one of a host function: that is as hostile as their arguments.
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
