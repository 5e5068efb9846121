//! A pipe or terminal, waited for without a thread.

use std::fs::File;
use std::io;
use std::time::Duration;

use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;
use weir_formats::{Feed, Fill};

/// The near end of a pipe or terminal. While nothing arrives it holds a descriptor and no thread, and can be dropped at
/// any time. What arrives goes to a [`Feed`], which a decoder reads.
#[derive(Debug)]
pub(super) struct Pipe {
    // Does not block: opened so, by a path, which made a description of its own. That of a standard input which other
    // processes share stays as it was.
    receiver: Receiver,
    feed: Feed,
    // Line ends that arrived since the decoder last asked for more, and when its first byte did. Not every record ends
    // with a line: after the delay the decoder is asked in any case.
    lines: usize,
    since: Option<Instant>,
    // The decoder may have whole records left.
    more: bool,
    ended: bool,
    // Whether the decoder is open.
    settled: bool,
    // Bytes that the decoder was not content with when it was last asked.
    asked_with: usize,
}

/// How much is read at once: what a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that wait for the decoder at most: then it is asked, however few records they are.
const PENDING_BYTES_MAX: usize = 1024 * 1024;

impl Pipe {
    /// Watches a file that was opened without blocking. Called within the async runtime.
    pub(super) fn new(file: File) -> io::Result<Pipe> {
        // What it is was looked at. A terminal is read as a pipe is.
        let receiver = Receiver::from_file_unchecked(file)?;
        let (lines, since, more, ended) = (0, None, false, false);
        Ok(Pipe { receiver, feed: Feed::new(), lines, since, more, ended, settled: false, asked_with: 0 })
    }

    /// The bytes.
    pub(super) fn feed(&self) -> Feed {
        self.feed.clone()
    }

    /// The decoder is open.
    pub(super) fn settle(&mut self) {
        self.settled = true;
        self.feed.settle();
    }

    /// The decoder gave records, and may have more.
    pub(super) fn gave(&mut self) {
        self.more = true;
    }

    /// The decoder has to wait.
    pub(super) fn wants_more(&mut self) {
        (self.more, self.lines, self.since) = (false, 0, None);
        self.asked_with = self.feed.pending();
    }

    /// Waits until it is worth asking the decoder: there is a batch, what there is has waited for long enough,
    /// or the end is there. Dropped, it loses nothing.
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
            // A header is enough to open a decoder. It begins with the first byte each time: a header in many small
            // pieces is tried a few times, not with each piece.
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

/// Where no delay is set, a batch waits until it is full.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// What there is, once there is something; nothing at the end.
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
