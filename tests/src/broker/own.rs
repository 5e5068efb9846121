//! A broker that one test has for itself, since it stops, kills or pauses it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::client;
use super::kafka::Kafka;
use crate::process::{Launch, Process, tail};
use crate::wait_until;

/// Longer than a busy machine takes; an idle one takes three seconds.
pub(super) const START_AT_MOST: Duration = Duration::from_secs(120);

/// A broker that this process started, or will start again.
#[derive(Debug)]
pub(super) struct Own {
    launch: Launch,
    address: String,
    process: Mutex<Option<Process>>,
    folder: TempDir,
}

impl Own {
    /// Starts it on free ports. It can be told an address that it gives itself out for.
    pub(super) fn start_new(advertised: Option<&str>) -> Result<Own, String> {
        // Another may take a port between the look and the start.
        let mut failures = Vec::new();
        for _ in 0..3 {
            let folder = tempfile::tempdir().expect("a folder for a broker");
            let kafka = Kafka::prepare(folder.path(), advertised)?;
            let address = kafka.address();
            let launch = Launch {
                program: kafka.program.into(),
                args: kafka.args,
                folder: folder.path().to_owned(),
                ..Launch::default()
            };
            let own = Own { launch, address, process: Mutex::new(None), folder };
            match own.try_start() {
                Ok(()) => return Ok(own),
                Err(failure) => failures.push(failure),
            }
        }
        Err(failures.join("\n"))
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Starts it and waits until it answers.
    pub(super) fn try_start(&self) -> Result<(), String> {
        let mut process = Process::start(&self.launch, self.folder.path())
            .map_err(|error| format!("cannot start Apache Kafka: {error}"))?;
        let mut ended = None;
        let mut answers = false;
        wait_until(&format!("Apache Kafka answers at {}", self.address), START_AT_MOST, || {
            // In this order: an answer counts where the process was there after it, since it may be another's who has the port.
            answers = client::answers(&self.address);
            ended = process.status();
            answers || ended.is_some()
        });
        if let Some(status) = ended {
            let said = tail(&format!("{}{}", process.out(), process.err()));
            return Err(format!("Apache Kafka ended with {status} at its start at {}:\n{said}", self.address));
        }
        *self.lock() = Some(process);
        Ok(())
    }

    /// Asks it to end, and kills it where it does not.
    pub(super) fn stop(&self) {
        if let Some(mut process) = self.lock().take() {
            // A stopped process would not see the request.
            process.signal(Signal::CONT);
            process.signal(Signal::TERM);
            if process.wait(Duration::from_secs(20)).is_none() {
                process.kill();
            }
        }
    }

    pub(super) fn kill(&self) {
        drop(self.lock().take());
    }

    pub(super) fn signal(&self, signal: Signal) {
        self.lock().as_mut().expect("a broker that is running").signal(signal);
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.lock().as_ref().map(Process::id)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
