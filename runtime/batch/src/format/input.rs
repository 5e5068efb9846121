//! Reading a file that may still be written to: a pipe, a terminal.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A reader whose caller can choose how long it waits for bytes. Where it waits no longer, it answers
/// [`io::ErrorKind::WouldBlock`], and loses nothing.
pub(super) trait Patient: Read {
    /// From now on every read waits as long as it takes.
    fn wait_for_ever(&mut self) {}

    /// From now on reads wait until the delay of a batch has passed.
    fn wait_a_while(&mut self) {}
}

/// Bytes that are all there.
impl Patient for &[u8] {}

/// A file, and how long the first record of a batch may wait for others.
pub(super) struct Input {
    file: File,
    // `None` for a regular file, whose bytes are there, and where nothing was said of a delay.
    delay_max: Option<Duration>,
    deadline: Option<Instant>,
}

impl Input {
    pub(super) fn new(file: File, delay_max: Option<Duration>) -> Input {
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        Input { file, delay_max: delay_max.filter(|_| !regular), deadline: None }
    }
}

impl Patient for Input {
    fn wait_for_ever(&mut self) {
        self.deadline = None;
    }

    fn wait_a_while(&mut self) {
        self.deadline = self.delay_max.and_then(|delay| Instant::now().checked_add(delay));
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.delay_max.is_some() {
            let left = self.deadline.map(|deadline| {
                let left = deadline.saturating_duration_since(Instant::now());
                Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
            });
            let mut files = [PollFd::new(&self.file, PollFlags::IN)];
            if poll(&mut files, left.as_ref())? == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        self.file.read(buffer)
    }
}
