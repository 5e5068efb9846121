//! Rows: what a function takes and gives.

use crate::spec::FieldSpec;

/// A struct that holds a record's fields. Derived, never written by hand.
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
    /// The same row with nothing borrowed for less than ever.
    type Static: Row<Builders = Self::Builders> + 'static;
    /// The buffers it is written to.
    type Builders: 'static;
    /// Empty buffers.
    fn builders() -> Self::Builders;
    /// Writes the row to `slot`.
    fn put(self, builders: &mut Self::Builders, slot: usize);
    /// The bytes gathered in the fullest buffer of text or binary.
    fn pending_bytes(builders: &Self::Builders) -> usize;
    /// Hands the first `count` rows over and starts anew.
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
    /// The windows it is read from.
    type Columns: 'static;
    /// Empty windows.
    fn columns() -> Self::Columns;
    /// As [`Column::fill`](crate::rt::Column::fill), for all columns: afterwards, as many rows as the shortest window has can be read.
    fn fill(columns: &mut Self::Columns, row: u32, count: usize) -> usize;
    /// The row in `slot`.
    fn get(columns: &'w Self::Columns, slot: usize) -> Self;
}
