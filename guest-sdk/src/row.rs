//! Rows: the input and output of functions.

use crate::spec::FieldSpec;

/// A struct with the fields of a record. Always derived.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row",
    label = "not a row",
    note = "put `#[derive(Row)]` on a struct with named fields: one field for each column"
)]
pub trait Row: Sized {
    /// The fields, in the order of their column or field indices.
    const FIELDS: &'static [FieldSpec];
    /// Whether any field is text or binary.
    const HAS_BYTES: bool;
    /// The same row with the lifetime `'static`.
    type Static: Row<Builders = Self::Builders> + 'static;
    /// The buffers for writing.
    type Builders: 'static;
    /// Empty buffers.
    fn builders() -> Self::Builders;
    /// Writes the row to `slot`.
    fn put(self, builders: &mut Self::Builders, slot: usize);
    /// The number of bytes in the fullest text or binary buffer.
    fn pending_bytes(builders: &Self::Builders) -> usize;
    /// Emits the first `count` rows and clears the buffers.
    fn emit(builders: &mut Self::Builders, count: usize);
}

/// A row that can be read from windows of the lifetime `'w`. Derived together with [`Row`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a row that can be read",
    label = "not a row",
    note = "put `#[derive(Row)]` on a struct with named fields, one field for each column; fields that borrow must use the \
            struct's own lifetime, not `'static`"
)]
pub trait ReadRow<'w>: Row {
    /// The windows for reading.
    type Columns: 'static;
    /// Empty windows.
    fn columns() -> Self::Columns;
    /// Like [`Column::fill`](crate::rt::Column::fill), for all columns. Afterwards, as many rows can be read as the shortest window
    /// has.
    fn fill(columns: &mut Self::Columns, row: u32, count: usize) -> usize;
    /// The row in `slot`.
    fn get(columns: &'w Self::Columns, slot: usize) -> Self;
}
