//! Inputs of decoders: files, and bytes of pipes and terminals.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Feed;

/// The input of a decoder.
#[derive(Debug)]
pub enum DecoderInput {
    /// A file, from its current position. Every format can be read from a regular file.
    File(File),
    /// Bytes that arrive over time, for JSON lines and CSV.
    Feed(Feed),
}

impl From<File> for DecoderInput {
    fn from(file: File) -> DecoderInput {
        DecoderInput::File(file)
    }
}

impl From<Feed> for DecoderInput {
    fn from(feed: Feed) -> DecoderInput {
        DecoderInput::Feed(feed)
    }
}

impl DecoderInput {
    /// The file, for formats that seek, or that wait for bytes.
    pub(super) fn file(self) -> io::Result<File> {
        match self {
            DecoderInput::File(file) => Ok(file),
            DecoderInput::Feed(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}

/// A reader whose caller can limit how long it waits for bytes. When the time is over, it returns [`io::ErrorKind::WouldBlock`] and
/// loses nothing. A reader of a [`Feed`] never waits: the caller passes the error on, in a state in which it can be called again.
pub(super) trait Patient: Read {
    /// Continues at this byte. Only files support this.
    fn seek_to(&mut self, _byte: u64) -> io::Result<()> {
        Err(io::ErrorKind::NotSeekable.into())
    }

    /// The file, if this is one.
    fn as_file(&self) -> Option<&File> {
        None
    }

    /// From now on every read waits without limit.
    fn wait_for_ever(&mut self) {}

    /// From now on reads wait at most the delay of a batch.
    fn wait_a_while(&mut self) {}
}

/// Complete bytes.
impl Patient for &[u8] {}

/// A file, and the maximum time that the first record of a batch waits for others.
pub(super) struct Input {
    bytes: DecoderInput,
    // `None` for a regular file, whose bytes are all available, or if no delay was set.
    delay_max: Option<Duration>,
    deadline: Option<Instant>,
}

impl Input {
    pub(super) fn new(bytes: impl Into<DecoderInput>, delay_max: Option<Duration>) -> Input {
        let bytes = bytes.into();
        let waits = match &bytes {
            DecoderInput::File(file) => !file.metadata().is_ok_and(|metadata| metadata.is_file()),
            DecoderInput::Feed(_) => false,
        };
        Input { bytes, delay_max: delay_max.filter(|_| waits), deadline: None }
    }
}

impl Patient for Input {
    fn seek_to(&mut self, byte: u64) -> io::Result<()> {
        match &mut self.bytes {
            DecoderInput::File(file) => file.seek(SeekFrom::Start(byte)).map(drop),
            DecoderInput::Feed(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }

    fn as_file(&self) -> Option<&File> {
        match &self.bytes {
            DecoderInput::File(file) => Some(file),
            DecoderInput::Feed(_) => None,
        }
    }

    fn wait_for_ever(&mut self) {
        self.deadline = None;
    }

    fn wait_a_while(&mut self) {
        self.deadline = self.delay_max.and_then(|delay| Instant::now().checked_add(delay));
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let file = match &mut self.bytes {
            DecoderInput::File(file) => file,
            DecoderInput::Feed(feed) => return feed.read(buffer),
        };
        if self.delay_max.is_some() {
            let left = self.deadline.map(|deadline| {
                let left = deadline.saturating_duration_since(Instant::now());
                Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
            });
            let mut files = [PollFd::new(&*file, PollFlags::IN)];
            if poll(&mut files, left.as_ref())? == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        file.read(buffer)
    }
}
