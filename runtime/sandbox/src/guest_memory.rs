//! Converts values of guests to values of the host. Every number from a guest is checked here before it is used as a position,
//! length or count, and so is every range of its memory.
#![deny(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    clippy::expect_used
)]

use weir_abi::Status;

// Windows are copied as they are in memory, and the ABI is little-endian; every `u32` is a valid `usize`.
const _: () = assert!(cfg!(target_endian = "little") && usize::BITS >= 32);

/// A number with the type `i32` that is meant as unsigned.
pub(crate) fn index(value: i32) -> u32 {
    value.cast_unsigned()
}

/// The same as a position or count.
pub(crate) fn size(value: i32) -> usize {
    value.cast_unsigned() as usize
}

/// A result of 0 or more.
pub(crate) fn answer(value: usize) -> Result<i32, Status> {
    i32::try_from(value).map_err(|_| Status::BadLength)
}

/// The size of a number of things with this width.
pub(crate) fn bytes_of(count: usize, width: usize) -> Result<usize, Status> {
    count.checked_mul(width).ok_or(Status::BadLength)
}

/// The size of a bitmap with this number of bits.
pub(crate) fn bitmap_bytes(bits: usize) -> usize {
    bits.div_ceil(8)
}

/// A range of the guest's memory. Length 0 is valid up to and including the end of the memory.
pub(crate) fn range(memory: &[u8], pointer: i32, length: usize) -> Result<&[u8], Status> {
    let start = size(pointer);
    let end = start.checked_add(length).ok_or(Status::BadPointer)?;
    memory.get(start..end).ok_or(Status::BadPointer)
}

/// The same for writing.
pub(crate) fn range_mut(memory: &mut [u8], pointer: i32, length: usize) -> Result<&mut [u8], Status> {
    let start = size(pointer);
    let end = start.checked_add(length).ok_or(Status::BadPointer)?;
    memory.get_mut(start..end).ok_or(Status::BadPointer)
}

/// A bitmap with this number of bits; `None` if the pointer is 0.
pub(crate) fn validity(memory: &[u8], pointer: i32, bits: usize) -> Result<Option<&[u8]>, Status> {
    if pointer == 0 {
        return Ok(None);
    }
    range(memory, pointer, bitmap_bytes(bits)).map(Some)
}

/// Whether each of the first `bits` bits of a bitmap is set.
pub(crate) fn all_set(bitmap: &[u8], bits: usize) -> bool {
    let whole = bits.checked_div(8).unwrap_or(0);
    let rest = bits.checked_rem(8).unwrap_or(0);
    let (whole, tail) = bitmap.split_at(whole.min(bitmap.len()));
    let mask = !u8::MAX.checked_shl(u32::try_from(rest).unwrap_or(0)).unwrap_or(0);
    whole.iter().all(|&byte| byte == u8::MAX) && tail.first().is_none_or(|byte| byte & mask == mask)
}

/// The `u32` values in these bytes.
pub(crate) fn u32s(bytes: &[u8]) -> impl ExactSizeIterator<Item = u32> + Clone {
    let (values, _) = bytes.as_chunks::<4>();
    values.iter().map(|value| u32::from_le_bytes(*value))
}

/// The doubles in these bytes.
pub(crate) fn f64s(bytes: &[u8]) -> impl ExactSizeIterator<Item = f64> + Clone {
    let (values, _) = bytes.as_chunks::<8>();
    values.iter().map(|value| f64::from_le_bytes(*value))
}

/// Offsets of values within `length` bytes: not descending, and not beyond the end.
pub(crate) struct Offsets<'a> {
    bytes: &'a [u8],
    pub(crate) first: usize,
    pub(crate) last: usize,
}

impl<'a> Offsets<'a> {
    /// Checks `count + 1` offsets.
    pub(crate) fn read(memory: &'a [u8], pointer: i32, count: usize, length: usize) -> Result<Offsets<'a>, Status> {
        let all = count.checked_add(1).ok_or(Status::BadLength)?;
        let bytes = range(memory, pointer, bytes_of(all, 4)?)?;
        let mut offsets = u32s(bytes);
        let first = offsets.next().ok_or(Status::BadLength)?;
        let mut last = first;
        let mut descends = false;
        for offset in offsets {
            descends |= offset < last;
            last = offset;
        }
        if descends || last as usize > length {
            return Err(Status::BadLength);
        }
        Ok(Offsets { bytes, first: first as usize, last: last as usize })
    }

    /// The end of each value, relative to the beginning of the first.
    pub(crate) fn ends(&self) -> impl Iterator<Item = usize> + Clone {
        let first = self.first;
        u32s(self.bytes).skip(1).map(move |offset| (offset as usize).saturating_sub(first))
    }
}

/// The encoded label values: for each a `u32` length and that many bytes of UTF-8, and nothing after them.
pub(crate) fn labels(bytes: &[u8], count: usize) -> Result<Vec<&str>, Status> {
    let mut rest = bytes;
    let mut labels = Vec::with_capacity(count.min(bytes.len()));
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(Status::BadLength)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (label, after) = after.split_at_checked(length).ok_or(Status::BadLength)?;
        labels.push(std::str::from_utf8(label).map_err(|_| Status::BadUtf8)?);
        rest = after;
    }
    if rest.is_empty() { Ok(labels) } else { Err(Status::BadLength) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that unwraps what is not there fails")]
mod tests {
    use super::*;

    #[test]
    fn ranges_never_wrap() {
        let memory = [0_u8; 16];
        let check = |pointer: i32, length: usize, expect: Result<usize, Status>| {
            assert_eq!(range(&memory, pointer, length).map(<[u8]>::len), expect, "{pointer} {length}");
        };
        check(0, 16, Ok(16));
        check(0, 17, Err(Status::BadPointer));
        check(16, 0, Ok(0));
        check(17, 0, Err(Status::BadPointer));
        check(-1, 1, Err(Status::BadPointer));
        check(-1, 0, Err(Status::BadPointer));
        check(8, usize::MAX, Err(Status::BadPointer));
        check(15, 1, Ok(1));
    }

    #[test]
    fn bits_beyond_the_count_do_not_matter() {
        assert!(all_set(&[0xff, 0x07], 11));
        assert!(!all_set(&[0xff, 0x03], 11));
        assert!(all_set(&[0xff], 8));
        assert!(all_set(&[], 0));
        assert!(!all_set(&[0x7f], 8));
    }

    #[test]
    fn labels_are_read_to_their_end() {
        let encode = |labels: &[&[u8]]| {
            let mut bytes = Vec::new();
            for label in labels {
                bytes.extend(u32::try_from(label.len()).unwrap().to_le_bytes());
                bytes.extend(*label);
            }
            bytes
        };
        assert_eq!(labels(&encode(&[b"a", b""]), 2), Ok(vec!["a", ""]));
        assert_eq!(labels(&encode(&[b"a"]), 2), Err(Status::BadLength));
        assert_eq!(labels(&encode(&[b"a", b"b"]), 1), Err(Status::BadLength));
        assert_eq!(labels(&encode(&[b"\xff"]), 1), Err(Status::BadUtf8));
        assert_eq!(labels(&u32::MAX.to_le_bytes(), 1), Err(Status::BadLength));
        assert_eq!(labels(&[], 0), Ok(vec![]));
    }

    #[test]
    fn offsets_must_ascend_within_the_length() {
        let memory: Vec<u8> = [1_u32, 3, 3, 7].iter().flat_map(|offset| offset.to_le_bytes()).collect();
        let offsets = Offsets::read(&memory, 0, 3, 7).unwrap();
        assert_eq!((offsets.first, offsets.last, offsets.ends().collect::<Vec<_>>()), (1, 7, vec![2, 2, 6]));
        assert_eq!(Offsets::read(&memory, 0, 3, 6).err(), Some(Status::BadLength));
        assert_eq!(Offsets::read(&memory, 0, 4, 9).err(), Some(Status::BadPointer));
        let falling: Vec<u8> = [3_u32, 1].iter().flat_map(|offset| offset.to_le_bytes()).collect();
        assert_eq!(Offsets::read(&falling, 0, 1, 9).err(), Some(Status::BadLength));
    }
}
