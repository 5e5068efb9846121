//! The engine's pulse.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::gate::Gate;
use crate::pulse::Pulse;

/// Moves epochs on at a steady pace and lets the gate look at who may go on, until it is dropped.
pub(crate) struct Ticker {
    engines: Arc<Mutex<Vec<wasmtime::Engine>>>,
    // Dropping the sender wakes the thread and ends it.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    pub(crate) fn start(tick: Duration, pulse: Arc<Pulse>, gate: Arc<Gate>) -> Result<Ticker, std::io::Error> {
        let (stop, stopped) = mpsc::channel();
        let engines = Arc::new(Mutex::new(Vec::<wasmtime::Engine>::new()));
        let ticked = Arc::clone(&engines);
        let run = move || {
            while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                pulse.beat();
                for engine in ticked.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                    engine.increment_epoch();
                }
                gate.tick();
            }
        };
        let thread = thread::Builder::new().name("weir-epoch".to_owned()).spawn(run)?;
        Ok(Ticker { engines, stop: Some(stop), thread: Some(thread) })
    }

    /// Moves this engine's epoch on too.
    pub(crate) fn add(&self, engine: &wasmtime::Engine) {
        self.engines.lock().unwrap_or_else(PoisonError::into_inner).push(engine.clone());
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take()
            // The last holder of the engine may be dropped on the ticker's own thread's behalf, which cannot wait for itself.
            && thread.thread().id() != thread::current().id()
        {
            drop(thread.join());
        }
    }
}
