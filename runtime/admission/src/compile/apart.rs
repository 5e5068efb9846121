//! A worker at work while its caller goes on.

use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread;

use super::job::{Artefact, Job};
use super::settings::CodeSettings;
use crate::{Limits, Refusal};

/// A worker at work on one module, seen to by a thread of its own: a worker is ended by the kernel with the thread that
/// started it.
pub struct Apart {
    first: mpsc::Receiver<Result<Artefact, Refusal>>,
    then: Sender<Then>,
}

type Then = Box<dyn FnOnce(Result<Artefact, Refusal>) + Send>;

impl Apart {
    /// Starts a worker and hands it the module.
    ///
    /// # Errors
    ///
    /// No thread to be had. What else goes wrong is the answer of [`Apart::first`].
    pub fn start(
        program: &Path,
        arguments: &[String],
        settings: CodeSettings,
        bytes: &[u8],
        limits: &Limits,
        optimise: bool,
    ) -> Result<Apart, Refusal> {
        let (send, first) = mpsc::channel();
        let (then, next) = mpsc::channel::<Then>();
        let (program, arguments) = (program.to_owned(), arguments.to_vec());
        let (bytes, limits) = (bytes.to_vec(), limits.clone());
        let run = move || {
            let mut job = match Job::start(&program, &arguments, settings, &bytes, &limits, optimise) {
                Ok(job) => job,
                // Nobody listens where the caller has gone.
                Err(refusal) => return drop(send.send(Err(refusal))),
            };
            drop(bytes);
            let baseline = job.next();
            let failed = baseline.is_err();
            if send.send(baseline).is_err() || failed {
                return;
            }
            if let Ok(then) = next.recv() {
                then(job.next());
            }
        };
        let thread = thread::Builder::new().name("weir-compile".to_owned()).spawn(run);
        thread.map_err(|error| Refusal::Worker(error.to_string()))?;
        Ok(Apart { first, then })
    }

    /// The first code that the worker makes: that of [`Tier::Baseline`](super::Tier).
    ///
    /// # Errors
    ///
    /// A worker that could not be started, a module that it refuses, or one on which it ended.
    pub fn first(&self) -> Result<Artefact, Refusal> {
        self.first.recv().unwrap_or_else(|_| Err(Refusal::Worker("its thread ended".to_owned())))
    }

    /// What to do with the optimised code, or with the reason why it could not be made.
    pub fn then(self, then: impl FnOnce(Result<Artefact, Refusal>) + Send + 'static) {
        // Without the thread there is no better code, and nobody to say so.
        drop(self.then.send(Box::new(then)));
    }
}
