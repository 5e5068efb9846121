//! Collect the results of a transform, window by window.

use weir_abi::WINDOW_ROWS;

use crate::builder::PENDING_BYTES_MAX;
use crate::bytes_window::array;
use crate::row::Row;
use crate::sys;

/// Collects the results of a batch and emits them.
pub trait Sink: 'static {
    /// An empty sink.
    fn new() -> Self;
    /// Begins the window that starts at row `row`.
    fn begin(&mut self, row: u32);
    /// The row in `slot` failed and has no result.
    fn skip(&mut self, slot: usize);
    /// The batch's row number for `slot`.
    fn row(&self, slot: usize) -> u32;
    /// Ends a window of `count` rows.
    fn end(&mut self, count: usize);
    /// Ends the batch.
    fn finish(&mut self);
}

/// The rows of a window that are kept: a byte per row, packed to bits at the end of the window.
///
/// Storing a byte per row needs no branch and does not depend on the previous row, so that the loop over rows can be vectorised.
pub struct FilterSink {
    start: u32,
    kept: Box<[u8; WINDOW_ROWS]>,
}

impl FilterSink {
    #[inline(always)]
    pub(crate) fn put(&mut self, keep: bool, slot: usize) {
        self.kept[slot] = u8::from(keep);
    }
}

impl Sink for FilterSink {
    fn new() -> Self {
        Self { start: 0, kept: array() }
    }

    fn begin(&mut self, row: u32) {
        self.start = row;
    }

    #[inline(always)]
    fn skip(&mut self, slot: usize) {
        self.put(false, slot);
    }

    #[inline(always)]
    fn row(&self, slot: usize) -> u32 {
        self.start + slot as u32
    }

    fn end(&mut self, count: usize) {
        self.kept[count..].fill(0);
        let mut words = [0u64; WINDOW_ROWS / 64];
        for (word, bytes) in words.iter_mut().zip(self.kept.chunks_exact(64)) {
            *word = pack(bytes);
        }
        sys::emit_filter(&words, count);
    }

    fn finish(&mut self) {}
}

/// Packs 64 bytes of 0 or 1 to the bits of a word; the first byte becomes the least significant bit.
fn pack(bytes: &[u8]) -> u64 {
    let mut word = 0;
    for (index, eight) in bytes.chunks_exact(8).enumerate() {
        let eight = eight.iter().rev().fold(0u64, |eight, byte| eight << 8 | u64::from(*byte));
        // Each bit of the factor moves the lowest bit of one byte to its place among the upper eight bits, without collisions.
        word |= (eight.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (index * 8);
    }
    word
}

/// Output rows that were not emitted yet, at most a window.
struct Outbox<R: Row> {
    builders: R::Builders,
    waiting: usize,
}

impl<R: Row> Outbox<R> {
    fn new() -> Self {
        Self { builders: R::builders(), waiting: 0 }
    }

    /// Adds a row. Returns whether the buffer is full.
    #[inline(always)]
    fn push(&mut self, row: impl Row<Builders = R::Builders>) -> bool {
        row.put(&mut self.builders, self.waiting);
        self.waiting += 1;
        self.waiting == WINDOW_ROWS || R::HAS_BYTES && R::pending_bytes(&self.builders) >= PENDING_BYTES_MAX
    }

    #[inline(never)]
    fn emit(&mut self) {
        if self.waiting > 0 {
            R::emit(&mut self.builders, self.waiting);
            self.waiting = 0;
        }
    }
}

/// One output row per row.
pub struct MapSink<R: Row>(Outbox<R>);

impl<R: Row + 'static> MapSink<R> {
    /// Adds the output row of the window's row `slot`.
    #[inline(always)]
    pub fn put(&mut self, row: impl Row<Builders = R::Builders>, slot: usize) {
        if R::HAS_BYTES {
            if self.0.push(row) {
                self.0.emit();
            }
        } else {
            // Emitted with the window: the slot is the row's own, and the loop over rows has no branch.
            row.put(&mut self.0.builders, slot);
        }
    }
}

impl<R: Row + 'static> Sink for MapSink<R> {
    fn new() -> Self {
        Self(Outbox::new())
    }

    fn begin(&mut self, _row: u32) {}

    fn skip(&mut self, _slot: usize) {}

    fn row(&self, slot: usize) -> u32 {
        slot as u32
    }

    fn end(&mut self, count: usize) {
        if !R::HAS_BYTES {
            self.0.waiting = count;
        }
        self.0.emit();
    }

    fn finish(&mut self) {}
}

/// One output row, or none, per row.
pub struct FilterMapSink<R: Row> {
    filter: FilterSink,
    outbox: Outbox<R>,
}

impl<R: Row + 'static> FilterMapSink<R> {
    /// Adds the output row, if any, for the window's row `slot`.
    #[inline(always)]
    pub fn put(&mut self, row: Option<impl Row<Builders = R::Builders>>, slot: usize) {
        self.filter.put(row.is_some(), slot);
        if let Some(row) = row
            && self.outbox.push(row)
        {
            self.outbox.emit();
        }
    }
}

impl<R: Row + 'static> Sink for FilterMapSink<R> {
    fn new() -> Self {
        Self { filter: FilterSink::new(), outbox: Outbox::new() }
    }

    fn begin(&mut self, row: u32) {
        self.filter.begin(row);
    }

    #[inline(always)]
    fn skip(&mut self, slot: usize) {
        self.filter.skip(slot);
    }

    #[inline(always)]
    fn row(&self, slot: usize) -> u32 {
        self.filter.row(slot)
    }

    fn end(&mut self, count: usize) {
        self.filter.end(count);
    }

    fn finish(&mut self) {
        self.outbox.emit();
    }
}

/// Any number of output rows per row.
pub struct FlatMapSink<R: Row> {
    start: u32,
    parents: Box<[u32; WINDOW_ROWS]>,
    outbox: Outbox<R>,
}

impl<R: Row + 'static> FlatMapSink<R> {
    /// Adds an output row for the window's row `slot`.
    #[inline(always)]
    pub(crate) fn put(&mut self, row: impl Row<Builders = R::Builders>, slot: usize) {
        self.parents[self.outbox.waiting] = self.start + slot as u32;
        if self.outbox.push(row) {
            self.emit();
        }
    }

    #[inline(never)]
    fn emit(&mut self) {
        if self.outbox.waiting > 0 {
            sys::emit_parents(&self.parents[..self.outbox.waiting]);
            self.outbox.emit();
        }
    }
}

impl<R: Row + 'static> Sink for FlatMapSink<R> {
    fn new() -> Self {
        Self { start: 0, parents: array(), outbox: Outbox::new() }
    }

    fn begin(&mut self, row: u32) {
        self.start = row;
    }

    fn skip(&mut self, _slot: usize) {}

    #[inline(always)]
    fn row(&self, slot: usize) -> u32 {
        self.start + slot as u32
    }

    fn end(&mut self, _count: usize) {}

    fn finish(&mut self) {
        self.emit();
    }
}
