//! The victim's input: records that come during the whole attack.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use rustix::io::Errno;

/// The name of the pipe.
pub(super) const FIFO: &str = "in";

/// Records that come at once.
const BATCH: u64 = 500;

/// The time between them.
const EVERY: Duration = Duration::from_millis(20);

/// Writes records to the victim's pipe at a steady pace, and never waits for the victim.
pub(super) struct Feed {
    path: PathBuf,
    pipe: Option<File>,
    /// What the pipe has not taken yet.
    pending: Vec<u8>,
    next: Instant,
    /// The records so far: numbers from 0.
    pub(super) records: u64,
}

impl Feed {
    pub(super) fn new(path: PathBuf) -> Feed {
        Feed { path, pipe: None, pending: b"id\n".to_vec(), next: Instant::now(), records: 0 }
    }

    /// Whether the victim has opened its pipe.
    pub(super) fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// Writes what is due, as far as the pipe takes it.
    pub(super) fn go_on(&mut self) -> io::Result<()> {
        if self.pipe.is_none() {
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            match OpenOptions::new().write(true).custom_flags(flags).open(&self.path) {
                Ok(pipe) => self.pipe = Some(pipe),
                // Nobody reads it yet.
                Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        // A victim that does not read gets no more: what it was given is what must come out.
        if self.pending.is_empty() && Instant::now() >= self.next {
            self.next = Instant::now() + EVERY;
            for id in self.records..self.records + BATCH {
                writeln!(self.pending, "{id}")?;
            }
            self.records += BATCH;
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        while !self.pending.is_empty() {
            match pipe.write(&self.pending) {
                Ok(written) => drop(self.pending.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Writes what is pending, and closes the pipe once it is taken: the input has ended. Says whether it has.
    pub(super) fn end(&mut self) -> io::Result<bool> {
        self.flush()?;
        if self.pending.is_empty() {
            self.pipe = None;
        }
        Ok(self.pipe.is_none())
    }
}
