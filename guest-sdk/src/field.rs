//! The types of a row's fields.

use crate::builder::{Builder, BytesBuilder, FixedBuilder, NullableBuilder};
use crate::spec::FieldType;
use crate::timestamp::Timestamp;
use crate::window::{BytesColumn, Column, FixedColumn, NullableColumn, TextColumn};

/// A type of a row's field, read from windows with the lifetime `'w`. Other crates cannot implement it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the type of a row's field",
    label = "not a column type",
    note = "use bool, i8, i16, i32, i64, f64, Timestamp, &str, String, &[u8] or Vec<u8>, \
            or an Option of one of these if the column can contain nulls"
)]
pub trait Field<'w>: sealed::Sealed + Sized {
    /// The column's type.
    const TYPE: FieldType;
    /// Whether it is nullable.
    const NULLABLE: bool;
    /// The buffer for reading.
    type Column: Column;
    /// The buffer for writing.
    type Builder: Builder;
    /// The value in `slot` of a window.
    fn get(column: &'w Self::Column, slot: usize) -> Self;
    /// Writes the value to `slot`.
    fn put(self, builder: &mut Self::Builder, slot: usize);
}

/// A [`Field`] that is not an `Option`.
#[diagnostic::on_unimplemented(
    message = "`Option<{Self}>` cannot be the type of a row's field",
    label = "not a column type",
    note = "an Option in a row can contain bool, i8, i16, i32, i64, f64, Timestamp, &str, String, &[u8] or Vec<u8>"
)]
pub trait Present {}

mod sealed {
    pub trait Sealed {}
}

macro_rules! fixed {
    ($($ty:ty, $raw:ty, $name:ident, $value:ident => $read:expr, $write:expr;)*) => {$(
        impl Present for $ty {}
        impl sealed::Sealed for $ty {}
        impl Field<'_> for $ty {
            const TYPE: FieldType = FieldType::$name;
            const NULLABLE: bool = false;
            type Column = FixedColumn<$raw>;
            type Builder = FixedBuilder<$raw>;
            #[inline(always)]
            fn get(column: &Self::Column, slot: usize) -> Self {
                let $value = column.get(slot);
                $read
            }
            #[inline(always)]
            fn put(self, builder: &mut Self::Builder, slot: usize) {
                let $value = self;
                builder.put(slot, $write);
            }
        }
    )*};
}

fixed! {
    bool, u8, Bool, value => value != 0, u8::from(value);
    i8, i8, I8, value => value, value;
    i16, i16, I16, value => value, value;
    i32, i32, I32, value => value, value;
    i64, i64, I64, value => value, value;
    f64, f64, F64, value => value, value;
    Timestamp, i64, Timestamp, value => Timestamp::from_micros(value), value.micros();
}

macro_rules! bytes {
    ($($ty:ty, $column:ty, $name:ident, $value:ident => $read:expr, $write:expr;)*) => {$(
        impl<'w> Present for $ty {}
        impl<'w> sealed::Sealed for $ty {}
        impl<'w> Field<'w> for $ty {
            const TYPE: FieldType = FieldType::$name;
            const NULLABLE: bool = false;
            type Column = $column;
            type Builder = BytesBuilder;
            #[inline(always)]
            fn get(column: &'w Self::Column, slot: usize) -> Self {
                let $value = column.0.get(slot);
                $read
            }
            #[inline(always)]
            fn put(self, builder: &mut Self::Builder, slot: usize) {
                let $value = &self;
                builder.put(slot, $write);
            }
        }
    )*};
}

bytes! {
    &'w str, TextColumn, Utf8, value => value, value.as_bytes();
    String, TextColumn, Utf8, value => value.to_owned(), value.as_bytes();
    &'w [u8], BytesColumn, Binary, value => value, value;
    Vec<u8>, BytesColumn, Binary, value => value.to_owned(), value;
}

impl<T: Present> sealed::Sealed for Option<T> {}

impl<'w, T: Field<'w> + Present> Field<'w> for Option<T> {
    const TYPE: FieldType = T::TYPE;
    const NULLABLE: bool = true;
    type Column = NullableColumn<T::Column>;
    type Builder = NullableBuilder<T::Builder>;

    #[inline(always)]
    fn get(column: &'w Self::Column, slot: usize) -> Self {
        column.is_valid(slot).then(|| T::get(&column.values, slot))
    }

    #[inline(always)]
    fn put(self, builder: &mut Self::Builder, slot: usize) {
        match self {
            Some(value) => {
                value.put(&mut builder.values, slot);
                builder.set_valid(slot, true);
            }
            None => builder.put_null(slot),
        }
    }
}
