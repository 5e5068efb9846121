//! Buffers of output columns; `window.rs` has those of input columns.

use weir_abi::WINDOW_ROWS;

use crate::bytes_window::array;
use crate::sys::{self, Fixed};

/// The number of bytes of an output column that are collected before they are emitted.
pub(crate) const PENDING_BYTES_MAX: usize = 256 << 10;

/// The buffer of one output field. Slots are written in ascending order, without gaps.
pub trait Builder: 'static {
    /// Whether values have different lengths, so that the number of rows does not bound the memory.
    const HAS_BYTES: bool;

    /// An empty builder.
    fn new() -> Self;

    /// The number of bytes collected so far, if `HAS_BYTES`.
    fn pending_bytes(&self) -> usize;

    /// Writes a placeholder for a null.
    fn put_null(&mut self, slot: usize);

    /// Emits the first `count` values and clears the buffer.
    fn emit(&mut self, field: u32, count: usize) {
        self.emit_nullable(field, count, None);
    }

    /// Like `emit`, with a bitmap of the values that are not null.
    fn emit_nullable(&mut self, field: u32, count: usize, validity: Option<&[u64]>);
}

/// Values of a fixed width.
pub struct FixedBuilder<T>(Box<[T; WINDOW_ROWS]>);

impl<T> FixedBuilder<T> {
    #[inline(always)]
    pub(crate) fn put(&mut self, slot: usize, value: T) {
        self.0[slot] = value;
    }
}

impl<T: Fixed> Builder for FixedBuilder<T> {
    const HAS_BYTES: bool = false;

    fn new() -> Self {
        Self(array())
    }

    #[inline(always)]
    fn pending_bytes(&self) -> usize {
        0
    }

    #[inline(always)]
    fn put_null(&mut self, slot: usize) {
        self.put(slot, T::default());
    }

    fn emit_nullable(&mut self, field: u32, count: usize, validity: Option<&[u64]>) {
        sys::emit_column(field, &self.0[..count], validity);
    }
}

/// Values of `utf8` and `binary`.
pub struct BytesBuilder {
    offsets: Box<[u32; WINDOW_ROWS + 1]>,
    data: Vec<u8>,
}

impl BytesBuilder {
    #[inline(always)]
    pub(crate) fn put(&mut self, slot: usize, value: &[u8]) {
        self.data.extend_from_slice(value);
        self.put_null(slot);
    }
}

impl Builder for BytesBuilder {
    const HAS_BYTES: bool = true;

    fn new() -> Self {
        Self { offsets: array(), data: Vec::new() }
    }

    #[inline(always)]
    fn pending_bytes(&self) -> usize {
        self.data.len()
    }

    #[inline(always)]
    fn put_null(&mut self, slot: usize) {
        // A guest's memory ends at 4 GiB, and so does a vector in it.
        self.offsets[slot + 1] = self.data.len() as u32;
    }

    fn emit_nullable(&mut self, field: u32, count: usize, validity: Option<&[u64]>) {
        sys::emit_bytes(field, &self.offsets[..=count], &self.data, validity);
        self.data.clear();
    }
}

/// Values with a bitmap of nulls.
pub struct NullableBuilder<B> {
    pub(crate) values: B,
    validity: [u64; WINDOW_ROWS / 64],
}

impl<B> NullableBuilder<B> {
    #[inline(always)]
    pub(crate) fn set_valid(&mut self, slot: usize, valid: bool) {
        let (word, bit) = (&mut self.validity[slot / 64], slot % 64);
        *word = *word & !(1 << bit) | (u64::from(valid) << bit);
    }
}

impl<B: Builder> Builder for NullableBuilder<B> {
    const HAS_BYTES: bool = B::HAS_BYTES;

    fn new() -> Self {
        Self { values: B::new(), validity: [0; WINDOW_ROWS / 64] }
    }

    #[inline(always)]
    fn pending_bytes(&self) -> usize {
        self.values.pending_bytes()
    }

    #[inline(always)]
    fn put_null(&mut self, slot: usize) {
        self.values.put_null(slot);
        self.set_valid(slot, false);
    }

    fn emit_nullable(&mut self, field: u32, count: usize, _validity: Option<&[u64]>) {
        self.values.emit_nullable(field, count, Some(&self.validity));
    }
}
