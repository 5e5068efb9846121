//! Windows of a column: the values of up to 1,024 rows at a time, in buffers that are used again.

use weir_abi::WINDOW_ROWS;

use crate::sys::{self, Fixed, TextWindow};

/// The most that a window of one column takes in bytes, unless a single value is longer.
///
/// Windows of many long values are cut shorter instead: a guest's memory is limited.
const WINDOW_BYTES_MAX: usize = 1 << 20;

/// What a `utf8` or `binary` window's buffer starts with, in bytes.
const WINDOW_BYTES_START: usize = 16 << 10;

/// The buffer of one input field.
pub trait Column: 'static {
    /// An empty buffer.
    fn new() -> Self;

    /// Reads the values of `count` rows from `row` on, of column `column`. Returns how many were read: `count`, or fewer
    /// where they would take too much memory, but at least one.
    fn fill(&mut self, column: u32, row: u32, count: usize) -> usize;
}

/// Values of a fixed width.
pub struct FixedColumn<T>(Box<[T; WINDOW_ROWS]>);

impl<T: Copy> FixedColumn<T> {
    #[inline(always)]
    pub(crate) fn get(&self, slot: usize) -> T {
        self.0[slot]
    }
}

impl<T: Fixed> Column for FixedColumn<T> {
    fn new() -> Self {
        Self(array())
    }

    fn fill(&mut self, column: u32, row: u32, count: usize) -> usize {
        sys::window(column, row, &mut self.0[..count]);
        count
    }
}

/// A boxed array, made on the heap: many of them would be too much for a guest's stack.
pub(crate) fn array<T: Copy + Default, const N: usize>() -> Box<[T; N]> {
    match vec![T::default(); N].into_boxed_slice().try_into() {
        Ok(array) => array,
        Err(_) => unreachable!("the vector has as many items as the array"),
    }
}

/// Values with those that are missing.
pub struct NullableColumn<C> {
    pub(crate) values: C,
    validity: [u64; WINDOW_ROWS / 64],
}

impl<C> NullableColumn<C> {
    #[inline(always)]
    pub(crate) fn is_valid(&self, slot: usize) -> bool {
        self.validity[slot / 64] >> (slot % 64) & 1 == 1
    }
}

impl<C: Column> Column for NullableColumn<C> {
    fn new() -> Self {
        Self { values: C::new(), validity: [0; WINDOW_ROWS / 64] }
    }

    fn fill(&mut self, column: u32, row: u32, count: usize) -> usize {
        let count = self.values.fill(column, row, count);
        if sys::window_validity(column, row, count, &mut self.validity) {
            self.validity = [u64::MAX; WINDOW_ROWS / 64];
        }
        count
    }
}

/// Values of a `binary` column.
pub struct BytesColumn(pub(crate) BytesWindow);

impl Column for BytesColumn {
    fn new() -> Self {
        Self(BytesWindow::new())
    }

    fn fill(&mut self, column: u32, row: u32, count: usize) -> usize {
        self.0.fill(column, row, count)
    }
}

/// Values of a `utf8` column.
pub struct TextColumn(pub(crate) TextWindow);

impl Column for TextColumn {
    fn new() -> Self {
        Self(TextWindow::new())
    }

    fn fill(&mut self, column: u32, row: u32, count: usize) -> usize {
        self.0.fill(column, row, count)
    }
}

/// Offsets and bytes.
pub(crate) struct BytesWindow {
    offsets: Box<[u32; WINDOW_ROWS + 1]>,
    /// As long as the room there is; what lies behind the last offset means nothing.
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

    /// As [`Column::fill`]. What does not fit is read again into a larger buffer, up to [`WINDOW_BYTES_MAX`].
    pub(crate) fn fill(&mut self, column: u32, row: u32, count: usize) -> usize {
        if self.data.is_empty() {
            self.grow(WINDOW_BYTES_START);
        }
        loop {
            let read = sys::window_bytes(column, row, &mut self.offsets[..=count], &mut self.data);
            if read == count || (read > 0 && self.data.len() >= WINDOW_BYTES_MAX) {
                return read;
            }
            let room = self.data.len() * 2;
            if read > 0 {
                self.grow(room.min(WINDOW_BYTES_MAX));
            } else {
                // Not even the first fits: it is asked for its length, with no room to copy it to.
                let length = sys::get_bytes(column, row, &mut []);
                self.grow(length.max(room.min(WINDOW_BYTES_MAX)));
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
