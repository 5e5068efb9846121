//! Standard output with cancellable writes.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags};

/// The process's standard output. A write waits for the reader without limit, until [`Cancel`] is dropped.
pub(crate) struct StandardOutput {
    file: File,
    waits: Waits,
    cancelled: Arc<AtomicBool>,
}

/// What happens if the reader does not read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Writes never wait: a regular file.
    Never,
    /// A write returns at once if there is no room.
    Answers,
    /// A write blocks. Therefore wait for room before each write, and write no more than fits.
    Blocks,
}

/// When dropped, makes the writes of its [`StandardOutput`] fail, including one that is waiting.
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Cancel {
    pub(crate) fn new(cancelled: Arc<AtomicBool>) -> Cancel {
        Cancel(cancelled)
    }
}

/// The error of a write that was cancelled.
pub(crate) fn cancelled() -> io::Error {
    io::Error::other("writing was cancelled because nobody reads standard output")
}

/// The number of bytes that a pipe with room takes completely without blocking (POSIX, `PIPE_BUF`).
const ROOM_BYTES: usize = 4096;

/// How often a waiting write checks whether it was cancelled.
pub(crate) const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

impl StandardOutput {
    /// The standard output with which this process was started.
    pub(crate) fn open() -> io::Result<(StandardOutput, Cancel)> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        StandardOutput::over(file, "/proc/self/fd/1")
    }

    /// This file, which also has a path.
    fn over(file: File, path: &str) -> io::Result<(StandardOutput, Cancel)> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        let (file, waits) = match kind {
            FileType::RegularFile | FileType::Directory | FileType::BlockDevice => (file, Waits::Never),
            FileType::Fifo | FileType::CharacterDevice => match answering(path) {
                Ok(own) => (own, Waits::Answers),
                // For a pipe without a reader, the first write fails.
                Err(_) => (file, Waits::Blocks),
            },
            _ => (file, Waits::Blocks),
        };
        let cancelled = Arc::new(AtomicBool::new(false));
        Ok((StandardOutput { file, waits, cancelled: Arc::clone(&cancelled) }, Cancel(cancelled)))
    }

    /// Waits until there is room, or writing is cancelled.
    fn wait(&self) -> io::Result<()> {
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(cancelled());
            }
            match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], Some(&LOOK_EVERY)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Opens a non-blocking file description of its own. The one of standard output is shared with other processes, and stays
/// unchanged.
fn answering(path: &str) -> io::Result<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    OpenOptions::new().write(true).custom_flags(flags).open(path)
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if self.cancelled.load(Ordering::Relaxed) || self.waits == Waits::Blocks {
                self.wait()?;
            }
            let most = if self.waits == Waits::Blocks { ROOM_BYTES } else { usize::MAX };
            match self.file.write(bytes.get(..most).unwrap_or(bytes)) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::time::{Duration, Instant};

    use super::*;

    /// A write that fills the pipe because nobody reads, and is cancelled.
    fn check(reader: impl AsFd, writer: File, path: Option<&str>) {
        let own = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let (mut output, cancel) = StandardOutput::over(writer, path.unwrap_or(&own)).unwrap();
        let writes = std::thread::spawn(move || output.write_all(&[b'x'; 1 << 22]));
        // The writer waits once the pipe is full and stays full.
        let mut polled = [PollFd::new(&reader, PollFlags::IN)];
        poll(&mut polled, None).unwrap();
        assert!(!writes.is_finished());
        let started = Instant::now();
        drop(cancel);
        let error = writes.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("cancelled"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }

    #[test]
    fn a_write_that_nobody_reads_can_be_called_off() {
        let (reader, writer) = io::pipe().unwrap();
        check(&reader, File::from(std::os::fd::OwnedFd::from(writer)), None);
        // Without a path it cannot be opened again.
        let (reader, writer) = io::pipe().unwrap();
        check(&reader, File::from(std::os::fd::OwnedFd::from(writer)), Some("/proc/none"));
        let (reader, writer) = std::os::unix::net::UnixStream::pair().unwrap();
        check(&reader, File::from(std::os::fd::OwnedFd::from(writer)), None);
    }

    #[test]
    fn the_description_that_others_share_still_blocks() {
        let (_reader, writer) = io::pipe().unwrap();
        let shared = writer.try_clone().unwrap();
        let writer = File::from(std::os::fd::OwnedFd::from(writer));
        let path = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let (output, _cancel) = StandardOutput::over(writer, &path).unwrap();
        assert!(output.waits == Waits::Answers);
        assert!(!rustix::fs::fcntl_getfl(&shared).unwrap().contains(OFlags::NONBLOCK));
    }
}
