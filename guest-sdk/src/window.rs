//! Windows of a column: the values of up to 1,024 rows at a time, in buffers that are reused.

use weir_abi::WINDOW_ROWS;

use crate::bytes_window::{BytesWindow, array};
use crate::sys::{self, Fixed, TextWindow};

/// The buffer of one input field.
pub trait Column: 'static {
    /// An empty buffer.
    fn new() -> Self;

    /// Reads the values of `count` rows of column `column`, from row `row` on. Returns the number of values read: `count`, or fewer
    /// if they would take too much memory, but at least one.
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

/// Values with a bitmap of nulls.
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
        let read = |offsets: &mut [u32], data: &mut [u8]| sys::window_bytes(column, row, offsets, data);
        self.0.fill(count, read, || sys::get_bytes(column, row, &mut []))
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
