//! A writer that counts bytes.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Buffers 64 KiB at a time, and counts the bytes.
pub(super) struct CountingWriter<W: Write> {
    inner: io::BufWriter<W>,
    written: Arc<AtomicU64>,
}

impl<W: Write> CountingWriter<W> {
    pub(super) fn new(writer: W) -> CountingWriter<W> {
        CountingWriter { inner: io::BufWriter::with_capacity(64 * 1024, writer), written: Arc::default() }
    }

    /// The counter, which stays readable when an encoder owns the writer.
    pub(super) fn counter(&self) -> ByteCounter {
        ByteCounter(Arc::clone(&self.written))
    }
}

impl<W: Write> Write for CountingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// The counter of a [`CountingWriter`] or of a counting reader.
#[derive(Clone, Default)]
pub(super) struct ByteCounter(pub(super) Arc<AtomicU64>);

impl ByteCounter {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
