//! Waits for pipes and terminals without a thread.

use std::fs::File;
use std::io;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;
use weir_formats::{Feed, Fill};

/// The reading end of a pipe or terminal. While nothing arrives it holds only a file descriptor, and can be dropped at any time.
/// Bytes are added to a [`Feed`], from which a decoder reads.
#[derive(Debug)]
pub(super) struct Pipe {
    // Non-blocking: opened by a path, which created a new file description. A standard input that is shared with other processes
    // stays unchanged.
    receiver: Receiver,
    feed: Feed,
    // The number of line ends since the decoder last asked for more bytes, and the time of the first byte. Not every record ends
    // with a line, so after the delay the decoder is called in any case.
    lines: usize,
    since: Option<Instant>,
    // Whether the decoder may have complete records left.
    more: bool,
    ended: bool,
    // Whether the decoder is open.
    settled: bool,
    // The number of bytes with which the decoder last failed to open.
    asked_with: usize,
}

/// The size of a read: the capacity of a pipe.
const READ_BYTES: usize = 64 * 1024;

/// The maximum number of bytes that wait for the decoder: then it is called, however few records they are.
const PENDING_BYTES_MAX: usize = 1024 * 1024;

impl Pipe {
    /// Watches a file that was opened in non-blocking mode. Call this within the async runtime.
    pub(super) fn new(file: File) -> io::Result<Pipe> {
        // The caller has checked the kind. A terminal is read like a pipe.
        let receiver = Receiver::from_file_unchecked(file)?;
        let (lines, since, more, ended) = (0, None, false, false);
        Ok(Pipe { receiver, feed: Feed::new(), lines, since, more, ended, settled: false, asked_with: 0 })
    }

    /// The bytes.
    pub(super) fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// Call this when the decoder is open.
    pub(super) fn settle(&mut self) {
        self.settled = true;
        self.feed.settle();
    }

    /// Call this when the decoder has returned records, and may have more.
    pub(super) fn gave(&mut self) {
        self.more = true;
    }

    /// Call this when the decoder needs more bytes.
    pub(super) fn wants_more(&mut self) {
        (self.more, self.lines, self.since) = (false, 0, None);
        self.asked_with = self.feed.pending();
    }

    /// Waits until calling the decoder is useful: the bytes may fill a batch, have waited for the delay, or the input has ended.
    /// Cancelling loses nothing.
    pub(super) async fn ready(&mut self, fill: Fill) -> io::Result<()> {
        while !self.is_ready(fill) {
            let due = self.since.and_then(|since| since.checked_add(fill.delay_max.unwrap_or(FOR_EVER)));
            tokio::select! {
                biased;
                read = read(&self.receiver) => self.take(&read?),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => return Ok(()),
            }
        }
        Ok(())
    }

    fn is_ready(&self, fill: Fill) -> bool {
        let new = self.feed.pending().saturating_sub(self.asked_with);
        if self.more || self.ended || new >= PENDING_BYTES_MAX {
            return true;
        }
        match self.settled {
            true => self.lines >= fill.records_max,
            // A header is enough to open a decoder. Each attempt starts with the first byte, so a header that arrives in many small
            // parts is not tried after each of them.
            false => self.lines > 0 && new > self.asked_with / 8,
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            self.ended = true;
            self.feed.close();
            return;
        }
        self.lines += bytes.iter().filter(|&&byte| byte == b'\n').count();
        self.since.get_or_insert_with(Instant::now);
        self.feed.add(bytes);
    }
}

/// Without a delay, a batch waits until it is full.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// Reads the available bytes after waiting for them; empty at the end.
async fn read(receiver: &Receiver) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; READ_BYTES];
    loop {
        receiver.readable().await?;
        match receiver.try_read(&mut bytes) {
            Ok(read) => {
                bytes.truncate(read);
                return Ok(bytes);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
}
