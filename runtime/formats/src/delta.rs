//! Checks Parquet's delta encodings of texts before the library allocates memory by the counts that they state.
//!
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>: DELTA_BINARY_PACKED holds the lengths of
//! DELTA_LENGTH_BYTE_ARRAY, and the lengths of prefixes and suffixes of DELTA_BYTE_ARRAY.

use ::parquet::errors::ParquetError;

fn invalid(reason: &str) -> ParquetError {
    ParquetError::General(format!("a page with delta encoding: {reason}"))
}

/// Checks the lengths in a DELTA_LENGTH_BYTE_ARRAY page: there must be at most `values_max`.
pub(super) fn lengths(data: &[u8], values_max: u64) -> Result<(), ParquetError> {
    let mut count = 0;
    walk(data, values_max, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(())
}

/// The size of the values of a DELTA_BYTE_ARRAY page including their prefixes, which may be most of it: a prefix repeats a part of
/// the previous value.
pub(super) fn shared_prefixes(data: &[u8], values_max: u64) -> Result<u64, ParquetError> {
    let mut bytes = 0_u64;
    let mut add = |length: i32| match u64::try_from(length) {
        Ok(length) => {
            bytes = bytes.saturating_add(length);
            Ok(())
        }
        Err(_) => Err(invalid("a negative length")),
    };
    let prefixes = walk(data, values_max, &mut add)?;
    let rest = data.get(prefixes..).ok_or_else(|| invalid("it ends early"))?;
    walk(rest, values_max, &mut add)?;
    Ok(bytes)
}

/// Decodes 32-bit numbers in DELTA_BINARY_PACKED. Returns the number of bytes read.
fn walk(
    data: &[u8],
    values_max: u64,
    mut each: impl FnMut(i32) -> Result<(), ParquetError>,
) -> Result<usize, ParquetError> {
    let mut position = 0;
    let block = varint(data, &mut position)?;
    let blocks_mini = varint(data, &mut position)?;
    let values = varint(data, &mut position)?;
    let first = zigzag(varint(data, &mut position)?);
    if values > values_max {
        return Err(invalid(&format!("{values} lengths, but the page has {values_max} values")));
    }
    if blocks_mini == 0
        || block == 0
        || block > 1 << 20
        || !block.is_multiple_of(128)
        || !block.is_multiple_of(blocks_mini)
    {
        return Err(invalid(&format!("invalid block size: {block} values in {blocks_mini} parts")));
    }
    let per_mini = (block / blocks_mini) as usize; // at most 2^20
    if !per_mini.is_multiple_of(32) {
        return Err(invalid(&format!("parts of {per_mini} values")));
    }
    if values == 0 {
        return Ok(position);
    }
    let mut last = first as i32;
    each(last)?;
    let mut left = values - 1;
    while left > 0 {
        let least = zigzag(varint(data, &mut position)?);
        let widths = position;
        position += blocks_mini as usize; // at most 2^20
        if position > data.len() {
            return Err(invalid("it ends early"));
        }
        for mini in 0..blocks_mini as usize {
            if left == 0 {
                break;
            }
            let width = data.get(widths + mini).copied().map_or(0, usize::from);
            if width > 64 {
                return Err(invalid("numbers with more than 64 bits"));
            }
            let end = position.saturating_add(width * per_mini / 8);
            // The last part may end after its last value.
            let packed = data.get(position..end.min(data.len())).unwrap_or_default();
            let count = (per_mini as u64).min(left) as usize;
            if packed.len() < (width * count).div_ceil(8) {
                return Err(invalid("it ends early"));
            }
            for index in 0..count {
                let delta = bits(packed, index * width, width);
                last = last.wrapping_add((least as i32).wrapping_add(delta as i32));
                each(last)?;
            }
            left -= count as u64;
            position = end;
        }
    }
    Ok(position)
}

fn varint(data: &[u8], position: &mut usize) -> Result<u64, ParquetError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = data.get(*position).ok_or_else(|| invalid("it ends early"))?;
        *position += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(invalid("a number with more than 64 bits"))
}

fn zigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// `width` bits, starting at bit `start`, least significant bit first.
fn bits(packed: &[u8], start: usize, width: usize) -> u64 {
    let mut bytes = [0; 16];
    let from = packed.get(start / 8..).unwrap_or_default();
    let length = from.len().min(9);
    if let (Some(to), Some(from)) = (bytes.get_mut(..length), from.get(..length)) {
        to.copy_from_slice(from);
    }
    let value = u128::from_le_bytes(bytes) >> (start % 8);
    (value & ((1_u128 << width) - 1)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(data: &[u8]) -> Result<Vec<i32>, String> {
        let mut found = Vec::new();
        walk(data, 1000, |number| {
            found.push(number);
            Ok(())
        })
        .map(|_| found)
        .map_err(|error| error.to_string())
    }

    /// The examples of the specification, with one miniblock of 128 values per block.
    #[test]
    fn the_specification_s_examples() {
        // 1, 2, 3, 4, 5: every delta is 1, in 0 bits.
        assert_eq!(numbers(&[0x80, 0x01, 0x04, 0x05, 0x02, 0x02, 0, 0, 0, 0]), Ok(vec![1, 2, 3, 4, 5]));
        // 7, 5, 3, 1, 2, 3, 4, 5: deltas from -2 to 1 in 2 bits.
        let packed = [0x80, 0x01, 0x04, 0x08, 0x0e, 0x03, 2, 0, 0, 0, 0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0];
        assert_eq!(numbers(&packed), Ok(vec![7, 5, 3, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn counts_are_not_trusted() {
        let error = numbers(&[0x80, 0x01, 0x04, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x02]).unwrap_err();
        assert!(error.contains("4294967295 lengths, but the page has 1000 values"), "{error}");
        assert!(numbers(&[0x80, 0x01, 0x00, 0x05, 0x02]).is_err());
        assert!(numbers(&[0x80, 0x01, 0x04, 0x05, 0x02, 0x02, 70, 0, 0, 0]).is_err());
        assert!(numbers(&[]).is_err());
    }

    #[test]
    fn prefixes_count_each_time() {
        // Prefixes 0, 100, 200 and suffixes 100, 100, 100: 100, 200 and 300 bytes.
        let prefixes = [0x80, 0x01, 0x04, 0x03, 0x00, 0xc8, 0x01, 0, 0, 0, 0];
        let suffixes = [0x80, 0x01, 0x04, 0x03, 0xc8, 0x01, 0x00, 0, 0, 0, 0];
        let data = [&prefixes[..], &suffixes[..]].concat();
        assert_eq!(shared_prefixes(&data, 3).unwrap(), 600);
    }
}
