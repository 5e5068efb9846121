//! The series of a metric: each set of label values is registered once.

use crate::sys;

/// The number of series of a metric that a guest remembers before it starts again. A host that limits series returns one shared
/// handle for those beyond its limit; this bound keeps the guest's own copy of their labels from growing.
const SERIES_MAX: usize = 1 << 16;

/// The state of each series of a metric with `L` labels, by label values.
pub(crate) struct Series<S, const L: usize> {
    /// Open addressing: 1 + the index of a series, or 0. The length is a power of two, and at most half of it is used.
    table: Vec<u32>,
    entries: Vec<Entry<S>>,
    /// The label values of all series, in the encoding of the ABI: lengths and bytes.
    labels: Vec<u8>,
}

struct Entry<S> {
    key: u64,
    /// The end of its labels.
    labels_end: u32,
    handle: u32,
    state: S,
}

impl<S: Default, const L: usize> Series<S, L> {
    pub(crate) fn new() -> Self {
        Self { table: vec![0; 64], entries: Vec::new(), labels: Vec::new() }
    }

    /// The handle and state of the series with these label values.
    #[inline]
    pub(crate) fn with(&mut self, metric: u32, values: [&str; L]) -> (usize, u32, &mut S) {
        let key = key(values);
        let mask = self.table.len() - 1;
        let mut probe = place(key) & mask;
        let index = loop {
            match self.table[probe] {
                0 => break self.intern(metric, key, values),
                found => {
                    let index = found as usize - 1;
                    if self.entries[index].key == key && (key < HASHED || self.is(index, values)) {
                        break index;
                    }
                }
            }
            probe = (probe + 1) & mask;
        };
        let entry = &mut self.entries[index];
        (index, entry.handle, &mut entry.state)
    }

    /// The handle and state of a series that was found before.
    pub(crate) fn at(&mut self, index: usize) -> (u32, &mut S) {
        let entry = &mut self.entries[index];
        (entry.handle, &mut entry.state)
    }

    /// Whether a new series would exceed the bound. Native builds keep all series, for tests.
    pub(crate) fn is_full(&self) -> bool {
        cfg!(target_arch = "wasm32") && self.entries.len() >= SERIES_MAX
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    #[inline]
    fn is(&self, index: usize, values: [&str; L]) -> bool {
        let start = if index == 0 { 0 } else { self.entries[index - 1].labels_end as usize };
        let mut labels = &self.labels[start..self.entries[index].labels_end as usize];
        for value in values {
            let Some((length, rest)) = labels.split_at_checked(4) else { return false };
            if length != (value.len() as u32).to_le_bytes() {
                return false;
            }
            let Some((label, rest)) = rest.split_at_checked(value.len()) else { return false };
            if label != value.as_bytes() {
                return false;
            }
            labels = rest;
        }
        true
    }

    #[cold]
    #[inline(never)]
    fn intern(&mut self, metric: u32, key: u64, values: [&str; L]) -> usize {
        let index = self.entries.len();
        let start = self.labels.len();
        for value in values {
            self.labels.extend_from_slice(&(value.len() as u32).to_le_bytes());
            self.labels.extend_from_slice(value.as_bytes());
        }
        let handle = sys::metric_series(metric, &self.labels[start..]);
        self.entries.push(Entry { key, labels_end: self.labels.len() as u32, handle, state: S::default() });
        if self.entries.len() * 2 > self.table.len() {
            self.table = vec![0; self.table.len() * 2];
            for index in 0..self.entries.len() {
                self.place(index);
            }
        } else {
            self.place(index);
        }
        index
    }

    fn place(&mut self, index: usize) {
        let mask = self.table.len() - 1;
        let mut probe = place(self.entries[index].key) & mask;
        while self.table[probe] != 0 {
            probe = (probe + 1) & mask;
        }
        self.table[probe] = index as u32 + 1;
    }
}

/// Keys from here on are hashes; lower keys contain a single short label value.
const HASHED: u64 = 0xff << 56;

/// The lookup key for a set of label values: for a single value of less than eight bytes, the value itself with its length in the
/// upper bits, so that no comparison is needed; otherwise a hash.
#[inline(always)]
fn key<const L: usize>(values: [&str; L]) -> u64 {
    match values.as_slice() {
        [value] if value.len() < 8 => (value.len() as u64) << 56 | short(value.as_bytes()),
        _ => mixed(hash(values)) | HASHED,
    }
}

/// The first position in the table for a key.
#[inline(always)]
fn place(key: u64) -> usize {
    (mixed(key.wrapping_mul(FACTOR)).wrapping_mul(FACTOR) >> 32) as usize
}

/// The upper half of a product depends on the upper bits of its factors, and the lower half does not.
#[inline(always)]
fn mixed(product: u64) -> u64 {
    product ^ product >> 32
}

const FACTOR: u64 = 0x517c_c1b7_2722_0a95;

/// The hash of rustc (FxHash), eight bytes at a time: fast for short values. An attacker can create collisions, but slows down only
/// the guest that reads the values, within its own limits.
#[inline]
fn hash<const L: usize>(values: [&str; L]) -> u64 {
    let mut hash = 0u64;
    let mut add = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    for value in values {
        let (words, rest) = value.as_bytes().as_chunks();
        words.iter().for_each(|word| add(u64::from_le_bytes(*word)));
        // The length distinguishes `a` from `a\\0`, and separates values.
        add((value.len() as u64) << 56 ^ short(rest));
    }
    hash
}

/// Fewer than eight bytes as a number, without a loop. Different bytes of the same length give different numbers.
#[inline(always)]
fn short(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        // The two parts overlap; the position of the second depends on the length.
        u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << (bytes.len() * 8 - 32)
    } else if let (Some(first), Some(last)) = (bytes.first(), bytes.last()) {
        // One, two or three bytes.
        u64::from(*first) | u64::from(bytes[bytes.len() / 2]) << 8 | u64::from(*last) << 16
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_found_again_among_many() {
        let mut series = Series::<u32, 2>::new();
        for round in 0..2 {
            for i in 0..1000 {
                let (a, b) = (format!("{i}"), format!("value number {i}"));
                let (index, _, state) = series.with(0, [&a, &b]);
                *state += 1;
                assert_eq!((index, *state), (i, round + 1));
            }
        }
    }

    #[test]
    fn short_values_are_told_apart_by_every_byte() {
        for length in 0..12_usize {
            let mut keys = std::collections::HashSet::new();
            for at in 0..length {
                let mut places = std::collections::HashSet::new();
                for byte in b'a'..=b'z' {
                    let mut value = vec![b'-'; length];
                    value[at] = byte;
                    let key = key([std::str::from_utf8(&value).unwrap()]);
                    assert!(keys.insert(key), "{at} of {length}");
                    places.insert(place(key) % 64);
                }
                // 26 random values are expected to use about 21 of 64 positions.
                assert!(places.len() >= 13, "byte {at} of {length} leads to {} places", places.len());
            }
            let is_itself = key(["-".repeat(length).as_str()]) < HASHED;
            assert_eq!(is_itself, length < 8);
        }
        let mut series = Series::<u32, 1>::new();
        let values = ["", "\0", "\0\0", "a", "a\0", "aa", "abcd", "abcdefg", "abcdefgh", "", "abcdefgh"];
        assert_eq!(values.map(|value| series.with(0, [value]).0), [0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 8]);
    }

    #[test]
    fn values_do_not_run_into_each_other() {
        let mut series = Series::<u32, 2>::new();
        let indices = [["a", "bc"], ["ab", "c"], ["", "abc"], ["abc", ""], ["a\0", "bc"], ["a", "bc"]]
            .map(|values| series.with(0, values).0);
        assert_eq!(indices, [0, 1, 2, 3, 4, 0]);
    }
}
