//! The standard output, of which a write can be called off.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, OFlags};

/// The process's standard output. A write waits for the reader as long as it takes, until [`Cancel`] is dropped.
pub(crate) struct StandardOutput {
    file: File,
    waits: Waits,
    cancelled: Arc<AtomicBool>,
}

/// How a write behaves where nobody reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Never: a regular file.
    Never,
    /// It answers at once that there is no room.
    Answers,
    /// It blocks, unless it is asked first whether there is room, and no more is written than that.
    Blocks,
}

/// Dropped, it makes the writes of its [`StandardOutput`] fail, also the one that waits just then.
pub(crate) struct Cancel(Arc<AtomicBool>);

impl Drop for Cancel {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What a pipe that says it has room takes without blocking, and whole (POSIX, `PIPE_BUF`).
const ROOM_BYTES: usize = 4096;

/// How often a write that waits looks whether it was called off.
const LOOK_EVERY: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

impl StandardOutput {
    /// The standard output that this process was started with.
    pub(crate) fn open() -> io::Result<(StandardOutput, Cancel)> {
        let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        StandardOutput::over(file, "/proc/self/fd/1")
    }

    /// This file, which has the path as well.
    fn over(file: File, path: &str) -> io::Result<(StandardOutput, Cancel)> {
        let kind = FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        let (file, waits) = match kind {
            FileType::RegularFile | FileType::Directory | FileType::BlockDevice => (file, Waits::Never),
            FileType::Fifo | FileType::CharacterDevice => match answering(path) {
                Ok(own) => (own, Waits::Answers),
                // A pipe without a reader says so at the first write.
                Err(_) => (file, Waits::Blocks),
            },
            _ => (file, Waits::Blocks),
        };
        let cancelled = Arc::new(AtomicBool::new(false));
        Ok((StandardOutput { file, waits, cancelled: Arc::clone(&cancelled) }, Cancel(cancelled)))
    }

    /// Waits until there is room, or it is called off.
    fn wait(&self) -> io::Result<()> {
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(io::Error::other("writing was cancelled because nobody reads standard output"));
            }
            match poll(&mut [PollFd::new(&self.file, PollFlags::OUT)], Some(&LOOK_EVERY)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A description of its own, which does not block: that of the standard output is shared with other processes, and stays
/// as it was.
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

    /// A write that fills what nobody reads, and is called off.
    fn check(reader: impl AsFd, writer: File, path: Option<&str>) {
        let own = format!("/proc/self/fd/{}", writer.as_raw_fd());
        let (mut output, cancel) = StandardOutput::over(writer, path.unwrap_or(&own)).unwrap();
        let writes = std::thread::spawn(move || output.write_all(&[b'x'; 1 << 22]));
        // The writer waits when the reader's end is full and stays so.
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
        // Where it cannot be opened anew.
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
