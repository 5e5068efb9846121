//! The thread that ticks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::gate::Gate;
use crate::pulse::{Pulse, Quiet};

/// While calls are under way: moves epochs on at a steady pace and lets the gate look at who may go on. Its thread sleeps
/// while there are none. Ends when it is dropped.
pub(crate) struct Ticker {
    engines: Arc<Mutex<Vec<wasmtime::Engine>>>,
    pulse: Arc<Pulse>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(tick: Duration, pulse: Arc<Pulse>, gate: Arc<Gate>) -> Result<Ticker, std::io::Error> {
        let engines = Arc::new(Mutex::new(Vec::<wasmtime::Engine>::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (ticked, beaten, ends) = (Arc::clone(&engines), Arc::clone(&pulse), Arc::clone(&stopped));
        let run = move || {
            let mut quiet = Quiet::default();
            while sleep(tick, &ends) {
                beaten.beat();
                for engine in ticked.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    engine.increment_epoch();
                }
                gate.tick();
                beaten.rest(&mut quiet, &ends);
            }
        };
        let thread = thread::Builder::new().name("weir-epoch".to_owned()).spawn(run)?;
        Ok(Ticker { engines, pulse, stopped, thread: Some(thread) })
    }

    /// Moves this engine's epoch on too.
    pub(crate) fn add(&self, engine: &wasmtime::Engine) {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.clone());
    }
}

/// Sleeps for a tick; false where the ticker is to end. A wake-up that came too late for its rest does not shorten a tick.
fn sleep(tick: Duration, stopped: &AtomicBool) -> bool {
    let began = Instant::now();
    while !stopped.load(Ordering::SeqCst) {
        match tick.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
            Some(left) => thread::park_timeout(left),
            None => return true,
        }
    }
    false
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.pulse.wake();
        if let Some(thread) = self.thread.take()
            // The last holder of the engine may be dropped on the ticker's own thread's behalf, which cannot wait for itself.
            && thread.thread().id() != thread::current().id()
        {
            thread.thread().unpark();
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(tick: Duration) -> (Arc<Pulse>, Ticker) {
        let pulse = Arc::new(Pulse::new(tick));
        let ticker = Ticker::start(tick, Arc::clone(&pulse), Arc::new(Gate::new(1, tick))).unwrap();
        (pulse, ticker)
    }

    /// Waits until this is so; a wake-up that was lost does not come in a minute either.
    fn wait_until(what: &str, is_so: impl Fn() -> bool) {
        let began = Instant::now();
        while !is_so() {
            assert!(began.elapsed() < Duration::from_secs(60), "{what} did not happen");
            thread::yield_now();
        }
    }

    #[test]
    fn it_rests_while_no_call_is_under_way_and_ticks_while_one_is() {
        let (pulse, ticker) = started(Duration::from_millis(1));
        wait_until("a rest", || pulse.is_resting());
        let before = pulse.ticks();
        let call = pulse.beating();
        assert!(!pulse.is_resting(), "a call wakes it at once");
        // A rest would come after five quiet ticks.
        wait_until("ticks", || pulse.ticks() > before + 20);
        let another = pulse.beating();
        drop(call);
        let before = pulse.ticks();
        wait_until("ticks for the other", || pulse.ticks() > before + 20);
        drop(another);
        wait_until("a second rest", || pulse.is_resting());
        drop(ticker);
    }

    #[test]
    fn many_short_calls_keep_it_going() {
        let pulse = Arc::new(Pulse::new(Duration::from_millis(1)));
        let (mut quiet, stopped) = (Quiet::default(), AtomicBool::new(false));
        // On this thread, which would park for good if it rested.
        for _ in 0..100 {
            drop(pulse.beating());
            pulse.rest(&mut quiet, &stopped);
        }
    }

    #[test]
    fn no_wake_up_is_lost() {
        let (pulse, ticker) = started(Duration::from_micros(50));
        let calls = || {
            for pause in 0..400_u64 {
                let call = pulse.beating();
                let before = pulse.ticks();
                wait_until("a tick", || pulse.ticks() != before);
                drop(call);
                // Around the moment at which it rests.
                let until = Instant::now() + Duration::from_micros(pause * 37 % 1_000);
                wait_until("the next call", || Instant::now() >= until);
            }
        };
        thread::scope(|scope| {
            scope.spawn(calls);
            scope.spawn(calls);
        });
        wait_until("a rest", || pulse.is_resting());
        drop(ticker);
    }
}
