//! The offsets and bytes of a window, in buffers that grow. Independent of the host: the caller passes functions that read.

use weir_abi::WINDOW_ROWS;

/// The maximum number of bytes that a window of one column takes, unless a single value is longer.
///
/// Windows of many long values have fewer rows instead, because a guest's memory is limited.
const WINDOW_BYTES_MAX: usize = 1 << 20;

/// The initial size of the buffer for a `utf8` or `binary` window, in bytes.
const WINDOW_BYTES_START: usize = 16 << 10;

/// A boxed array, created on the heap: the stack of a guest is too small for many of them.
pub(crate) fn array<T: Copy + Default, const N: usize>() -> Box<[T; N]> {
    match vec![T::default(); N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("the vector has as many items as the array"),
    }
}

/// Offsets and bytes.
pub(crate) struct BytesWindow {
    offsets: Box<[u32; WINDOW_ROWS + 1]>,
    /// Its length is the capacity; bytes after the last offset have no meaning.
    data: Vec<u8>,
}

impl BytesWindow {
    pub(crate) fn new() -> Self {
        Self { offsets: array(), data: Vec::new() }
    }

    #[inline(always)]
    pub(crate) fn get(&self, slot: usize) -> &[u8] {
        &self.data[self.offsets[slot] as usize..self.offsets[slot + 1] as usize]
    }

    /// Fills the window with up to `count` values. `read` stores the offsets and bytes of as many values as fit, and returns their
    /// number; `length` is the length of the first value. Returns the number of values read: `count`, or fewer if they would take
    /// too much memory, but at least one. Values that do not fit are read again into a larger buffer, up to [`WINDOW_BYTES_MAX`].
    pub(crate) fn fill(
        &mut self,
        count: usize,
        read: impl Fn(&mut [u32], &mut [u8]) -> usize,
        length: impl Fn() -> usize,
    ) -> usize {
        if self.data.is_empty() {
            self.grow(WINDOW_BYTES_START);
        }
        loop {
            let found = read(&mut self.offsets[..=count], &mut self.data);
            if found == count || (found > 0 && self.data.len() >= WINDOW_BYTES_MAX) {
                return found;
            }
            let room = self.data.len() * 2;
            if found > 0 {
                self.grow(room.min(WINDOW_BYTES_MAX));
            } else {
                // Not even the first value fits: get its length without copying it.
                self.grow(length().max(room.min(WINDOW_BYTES_MAX)));
            }
        }
    }

    fn grow(&mut self, room: usize) {
        let more = room.saturating_sub(self.data.len());
        if self.data.try_reserve_exact(more).is_err() {
            panic!("no memory for {room} bytes of a text or binary column");
        }
        self.data.resize(room, 0);
    }
}
