//! Keys of JSON records that appear behind the records that a schema was inferred from.

use std::collections::HashSet;

/// Bytes of keys that are remembered, at most. Where a file has more of them, the others are not reported.
const KNOWN_BYTES_MAX: usize = 1024 * 1024;

/// A key that nobody declared, and that was seen for the first time behind the sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// The key, escaped, its first 60 characters.
    pub name: String,
    /// The number of its record within the file, counted from 0.
    pub offset: i64,
}

/// The keys of a file that are not declared.
#[derive(Default)]
pub(super) struct NewKeys {
    /// How many records were looked at for the schema: their keys are known.
    sample: i64,
    known: HashSet<String>,
    known_bytes: usize,
    // Of the record that is being read, which may turn out to be a bad one.
    pending: Vec<String>,
    found: Vec<NewKey>,
}

impl NewKeys {
    /// Watches for keys that first appear behind this many records.
    pub(super) fn behind(sample: u64) -> NewKeys {
        NewKeys { sample: i64::try_from(sample).unwrap_or(i64::MAX), ..NewKeys::default() }
    }

    /// A record begins.
    pub(super) fn begin(&mut self) {
        self.pending.clear();
    }

    /// The record has this key, which is not declared.
    pub(super) fn see(&mut self, key: &str) {
        if !self.known.contains(key) && self.known_bytes + key.len() <= KNOWN_BYTES_MAX {
            self.pending.push(key.to_owned());
        }
    }

    /// The record is a good one.
    pub(super) fn end(&mut self, offset: i64) {
        for key in self.pending.drain(..) {
            if offset >= self.sample {
                self.found.push(NewKey { name: weir_text::escape_to(&key, 60), offset });
            }
            self.known_bytes += key.len();
            self.known.insert(key);
        }
    }

    /// Those that were found since this was last asked.
    pub(super) fn take(&mut self) -> Vec<NewKey> {
        std::mem::take(&mut self.found)
    }
}
