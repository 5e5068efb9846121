//! A broker's process, its port and its folder.

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::client;
use crate::process::{Launch, Process, tail};
use crate::wait_until;

/// Longer than a busy machine takes; both start in 20 ms.
const START_AT_MOST: Duration = Duration::from_secs(20);

/// Which program it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Program {
    Tansu,
    Noida,
}

/// A broker that this process started, or will start again.
#[derive(Debug)]
pub(super) struct Own {
    launch: Launch,
    port: u16,
    process: Mutex<Option<Process>>,
    folder: TempDir,
}

impl Own {
    /// Starts it on a free port. tansu can be told an address that it gives itself out for.
    pub(super) fn start_new(program: Program, path: PathBuf, advertised: Option<&str>) -> Result<Own, String> {
        // Another may take the port between the look and the start.
        let mut failures = Vec::new();
        for _ in 0..3 {
            let own = Own::new(program, path.clone(), free_port(), advertised);
            match own.try_start() {
                Ok(()) => return Ok(own),
                Err(failure) => failures.push(failure),
            }
        }
        Err(failures.join("\n"))
    }

    fn new(program: Program, path: PathBuf, port: u16, advertised: Option<&str>) -> Own {
        let folder = tempfile::tempdir().expect("a folder for a broker");
        let url = format!("tcp://127.0.0.1:{port}");
        let advertised = advertised.map_or(url.clone(), |address| format!("tcp://{address}"));
        let args: Vec<String> = match program {
            // Untold, it listens on all interfaces.
            Program::Tansu => ["broker", "--listener-url", &url, "--advertised-listener-url", &advertised]
                .into_iter()
                .chain(["--storage-engine", "memory://tansu/"])
                .map(str::to_owned)
                .collect(),
            Program::Noida => ["start", "--host", "127.0.0.1", "--only", "kafka", "--kafka-port", &port.to_string()]
                .into_iter()
                .chain(["--data-dir", &folder.path().join("data").to_string_lossy()])
                .map(str::to_owned)
                .collect(),
        };
        let args = args.into_iter().map(Into::into).collect();
        let launch = Launch { program: path, args, folder: folder.path().to_owned(), ..Launch::default() };
        Own { launch, port, process: Mutex::new(None), folder }
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it answers.
    pub(super) fn try_start(&self) -> Result<(), String> {
        let name = self.launch.program.display();
        let mut process = Process::start(&self.launch, self.folder.path())
            .map_err(|error| format!("cannot start {name}: {error}"))?;
        let mut ended = None;
        let mut answers = false;
        wait_until(&format!("{name} answers on port {}", self.port), START_AT_MOST, || {
            // In this order: an answer counts where the process was there after it, since it may be another's who has the port.
            answers = client::answers(&self.address());
            ended = process.status();
            answers || ended.is_some()
        });
        if let Some(status) = ended {
            let said = tail(&format!("{}{}", process.out(), process.err()));
            return Err(format!("{name} ended with {status} at its start on port {}:\n{said}", self.port));
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
            if process.wait(Duration::from_secs(5)).is_none() {
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A port below those that outgoing connections are given: none of them takes it while a broker is down between stop and start.
fn free_port() -> u16 {
    for _ in 0..1000 {
        let port = u16::try_from(15_000 + client::random() % 17_000).expect("below 32,000");
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no free port among a thousand");
}
