//! Sizes of rows.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType as ArrowType;

/// An upper bound for the size of the first `rows` rows together. Much cheaper than examining each row, and sufficient for most
/// batches. Does not support dictionaries.
pub(super) fn bytes_at_most(columns: &[ArrayRef], rows: usize) -> u64 {
    fn between<T: Copy + Into<i64>>(offsets: &[T], rows: usize) -> u64 {
        match (offsets.first(), offsets.get(rows).or(offsets.last())) {
            (Some(&start), Some(&end)) => u64::try_from(end.into().saturating_sub(start.into())).unwrap_or(u64::MAX),
            _ => 0,
        }
    }
    let viewed = |views: &[u128]| views.iter().take(rows).map(|&view| u64::from(view as u32)).sum::<u64>();
    let bytes = columns.iter().map(|column| {
        let values = match column.data_type() {
            ArrowType::Utf8 => between(column.as_string::<i32>().value_offsets(), rows),
            ArrowType::LargeUtf8 => between(column.as_string::<i64>().value_offsets(), rows),
            ArrowType::Binary => between(column.as_binary::<i32>().value_offsets(), rows),
            ArrowType::LargeBinary => between(column.as_binary::<i64>().value_offsets(), rows),
            ArrowType::Utf8View => viewed(column.as_string_view().views()),
            ArrowType::BinaryView => viewed(column.as_binary_view().views()),
            ArrowType::FixedSizeBinary(width) => (rows as u64).saturating_mul(u64::try_from(*width).unwrap_or(0)),
            ArrowType::Dictionary(_, _) => u64::MAX,
            other => return (rows as u64).saturating_mul(width(other)),
        };
        values.saturating_add((rows as u64).saturating_mul(OFFSET_BYTES))
    });
    bytes.fold(0, u64::saturating_add)
}

/// The size of each of the first `rows` rows in columns of supported types: texts and bytes by their length plus 4 bytes for the
/// offset, and everything else by its width.
pub(super) fn carried_bytes(columns: &[ArrayRef], rows: usize) -> Vec<u64> {
    let mut sizes = vec![0_u64; rows];
    for column in columns {
        let window = column.slice(0, rows.min(column.len()));
        match lengths(&window) {
            None => {
                let width = width(window.data_type());
                sizes.iter_mut().for_each(|size| *size = size.saturating_add(width));
            }
            Some(length) => {
                let nulls = window.nulls();
                for (row, size) in sizes.iter_mut().enumerate() {
                    let valid = row < window.len() && nulls.is_none_or(|nulls| nulls.is_valid(row));
                    *size = size.saturating_add(OFFSET_BYTES + if valid { length(row) } else { 0 });
                }
            }
        }
    }
    sizes
}

/// The size of a row without texts and bytes.
pub(super) fn fixed_bytes(schema: &weir_batch::Schema) -> u64 {
    schema.fields().iter().map(|field| field.data_type.width().map_or(OFFSET_BYTES, |width| width as u64)).sum()
}

/// The size of an offset in a column of texts or bytes.
const OFFSET_BYTES: u64 = 4;

/// Narrow types may be converted to wider ones; no type is wider than 8 bytes.
fn width(found: &ArrowType) -> u64 {
    found.primitive_width().map_or(1, |width| width.next_power_of_two().clamp(1, 8) as u64)
}

/// The lengths of values in columns of texts and bytes.
fn lengths<'a>(column: &'a dyn Array) -> Option<Box<dyn Fn(usize) -> u64 + 'a>> {
    fn between<T: Copy + Into<i64>>(offsets: &[T]) -> impl Fn(usize) -> u64 + '_ {
        |row| match (offsets.get(row), offsets.get(row + 1)) {
            (Some(&start), Some(&end)) => u64::try_from(end.into().saturating_sub(start.into())).unwrap_or(0),
            _ => 0,
        }
    }
    // The low half of a view is the value's length.
    fn viewed(views: &[u128]) -> impl Fn(usize) -> u64 + '_ {
        |row| views.get(row).map_or(0, |&view| u64::from(view as u32))
    }
    Some(match column.data_type() {
        ArrowType::Utf8 => Box::new(between(column.as_string::<i32>().value_offsets())),
        ArrowType::LargeUtf8 => Box::new(between(column.as_string::<i64>().value_offsets())),
        ArrowType::Binary => Box::new(between(column.as_binary::<i32>().value_offsets())),
        ArrowType::LargeBinary => Box::new(between(column.as_binary::<i64>().value_offsets())),
        ArrowType::Utf8View => Box::new(viewed(column.as_string_view().views())),
        ArrowType::BinaryView => Box::new(viewed(column.as_binary_view().views())),
        ArrowType::FixedSizeBinary(width) => {
            let width = u64::try_from(*width).unwrap_or(0);
            Box::new(move |_| width)
        }
        ArrowType::Dictionary(_, _) => {
            let dictionary = column.as_any_dictionary();
            let values = dictionary.values();
            let length = lengths(values)?;
            // Without values there are no keys either.
            let keys = if values.is_empty() { Vec::new() } else { dictionary.normalized_keys() };
            Box::new(move |row| keys.get(row).map_or(0, |&key| length(key)))
        }
        _ => return None,
    })
}
