//! The run that is attacked.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::arena::Arena;
use super::way::HostWay;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Code(i32),
    Signal(i32),
    /// It had to be killed.
    Killed,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Code(code) => write!(f, "exit {code}"),
            Ended::Signal(signal) => write!(f, "signal {signal}"),
            Ended::Killed => f.write_str("killed"),
        }
    }
}

/// A started process. Dropped, it is killed.
pub(super) struct Child {
    process: std::process::Child,
    said: std::path::PathBuf,
}

impl Child {
    /// Starts the program with the arena's queries. What it says goes to a file; or into pipes that nobody reads.
    pub(super) fn start(arena: &Arena, way: HostWay, unread: bool) -> io::Result<Child> {
        arena.write_limits()?;
        let said = arena.root().join("said");
        let mut command = arena.command();
        command.current_dir(arena.root()).arg("run").arg("--limits").arg("limits.toml");
        command.args(way.option()).args(arena.queries()?).stdin(Stdio::null());
        if unread {
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
        } else {
            let file = fs::File::create(&said)?;
            command.stdout(file.try_clone()?).stderr(file);
        }
        Ok(Child { process: command.spawn()?, said })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> io::Result<Option<Ended>> {
        Ok(self.process.try_wait()?.map(of_status))
    }

    /// Asks it to end.
    pub(super) fn terminate(&self) -> io::Result<()> {
        match Pid::from_raw(i32::try_from(self.process.id()).map_err(io::Error::other)?) {
            Some(pid) => Ok(kill_process(pid, Signal::TERM)?),
            None => Err(io::Error::other("the process has no id")),
        }
    }

    /// Waits for its end, and kills it if that does not come in time.
    pub(super) fn wait(&mut self, until: Instant) -> io::Result<Ended> {
        loop {
            if let Some(ended) = self.ended()? {
                return Ok(ended);
            }
            if Instant::now() > until {
                self.process.kill()?;
                self.process.wait()?;
                return Ok(Ended::Killed);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it has said, where that went to a file.
    pub(super) fn said(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.said).unwrap_or_default()).into_owned()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

fn of_status(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Code(code),
        (None, signal) => Ended::Signal(signal.unwrap_or_default()),
    }
}
