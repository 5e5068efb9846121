//! What a decoder reads: a file, or a pipe's or terminal's bytes as they come.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Feed;

/// What a decoder is opened over.
#[derive(Debug)]
pub enum DecoderInput {
    /// A file from where it stands. Every format can be read from a regular one.
    File(File),
    /// Bytes that arrive over time. JSON lines and CSV can be read from it.
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
    /// The file, for a format that has to seek in it or that waits for its bytes.
    pub(super) fn file(self) -> io::Result<File> {
        match self {
            DecoderInput::File(file) => Ok(file),
            DecoderInput::Feed(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}

/// A reader whose caller can choose how long it waits for bytes. Where it waits no longer, it answers
/// [`io::ErrorKind::WouldBlock`], and loses nothing. One over a [`Feed`] never waits: whoever reads gives that error
/// back, in a state in which it can be asked again.
pub(super) trait Patient: Read {
    /// Reads on at this byte. Only a file can.
    fn seek_to(&mut self, _byte: u64) -> io::Result<()> {
        Err(io::ErrorKind::NotSeekable.into())
    }

    /// The file, where it is one.
    fn as_file(&self) -> Option<&File> {
        None
    }

    /// From now on every read waits as long as it takes.
    fn wait_for_ever(&mut self) {}

    /// From now on reads wait until the delay of a batch has passed.
    fn wait_a_while(&mut self) {}
}

/// Bytes that are all there.
impl Patient for &[u8] {}

/// A file, and how long the first record of a batch may wait for others.
pub(super) struct Input {
    bytes: DecoderInput,
    // `None` for a regular file, whose bytes are there, and where nothing was said of a delay.
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
