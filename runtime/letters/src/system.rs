//! The system columns of replayed records.

use std::sync::Arc;

use weir_batch::arrow::array::{
    BinaryArray, BinaryBuilder, Int32Array, Int64Array, ListArray, StringBuilder, TimestampMicrosecondArray,
};
use weir_batch::{BatchError, SystemColumns};

use weir_state::{Header, Letter, LetterValue};

/// The system columns according to the letters, which all have the first one's origin. Columns without any known value are left
/// out.
pub(super) fn system_columns(letters: &[&Letter]) -> Result<SystemColumns, BatchError> {
    let any = |known: fn(&Letter) -> bool| letters.iter().any(|letter| known(letter));
    let binary =
        |value: fn(&Letter) -> Option<&[u8]>| BinaryArray::from_iter(letters.iter().map(|letter| value(letter)));
    let partitions = || Int32Array::from_iter(letters.iter().map(|letter| letter.partition));
    let offsets = || Int64Array::from_iter(letters.iter().map(|letter| letter.offset));
    let timestamps = || TimestampMicrosecondArray::from_iter(letters.iter().map(|letter| letter.timestamp_us));
    let of_letters = || headers_column(letters.iter().map(|letter| letter.headers.as_slice()));
    // If the letter holds JSON, the original value is not what the stage received.
    let is_original = |letter: &Letter| matches!(letter.value, LetterValue::Original(_));
    let mut system = SystemColumns::default();
    system.key = any(|letter| letter.key.is_some()).then(|| binary(|letter| letter.key.as_deref()));
    system.timestamp = any(|letter| letter.timestamp_us.is_some()).then(timestamps);
    system.partition = any(|letter| letter.partition.is_some()).then(partitions);
    system.offset = any(|letter| letter.offset.is_some()).then(offsets);
    system.headers = any(|letter| !letter.headers.is_empty()).then(of_letters).transpose()?;
    system.origin = letters.first().and_then(|letter| letter.origin.as_deref()).map(Arc::from);
    system.raw = any(is_original).then(|| binary(Letter::original));
    Ok(system)
}

/// Headers of each row as a column.
pub(super) fn headers_column<'a>(rows: impl Iterator<Item = &'a [Header]> + Clone) -> Result<ListArray, BatchError> {
    let (mut names, mut values) = (StringBuilder::new(), BinaryBuilder::new());
    for (name, value) in rows.clone().flatten() {
        names.append_value(name);
        values.append_option(value.as_deref());
    }
    SystemColumns::headers_of(names.finish(), values.finish(), rows.map(<[Header]>::len))
}
