//! Keys of JSON records that first appear after the records from which the schema was inferred.

use std::collections::HashSet;

/// The maximum size of all recorded keys. Further keys are not reported.
const KNOWN_BYTES_MAX: usize = 1024 * 1024;

/// An undeclared key that first appeared after the sample.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewKey {
    /// The key, escaped, its first 60 characters.
    pub name: String,
    /// The number of its record within the file, counted from 0.
    pub offset: i64,
}

/// The undeclared keys of a file.
#[derive(Default)]
pub(super) struct NewKeys {
    /// The number of records in the schema's sample: their keys are known.
    sample: i64,
    known: HashSet<String>,
    known_bytes: usize,
    // The keys of the current record, which may turn out to be bad.
    pending: Vec<String>,
    found: Vec<NewKey>,
}

impl NewKeys {
    /// Records keys that first appear after this many records.
    pub(super) fn behind(sample: u64) -> NewKeys {
        NewKeys { sample: i64::try_from(sample).unwrap_or(i64::MAX), ..NewKeys::default() }
    }

    /// Begins a record.
    pub(super) fn begin(&mut self) {
        self.pending.clear();
    }

    /// Adds an undeclared key of the record.
    pub(super) fn see(&mut self, key: &str) {
        if !self.known.contains(key) && self.known_bytes + key.len() <= KNOWN_BYTES_MAX {
            self.pending.push(key.to_owned());
        }
    }

    /// Ends a valid record.
    pub(super) fn end(&mut self, offset: i64) {
        for key in self.pending.drain(..) {
            if offset >= self.sample {
                self.found.push(NewKey { name: weir_text::escape_to(&key, 60), offset });
            }
            self.known_bytes += key.len();
            self.known.insert(key);
        }
    }

    /// The new keys since the last call.
    pub(super) fn take(&mut self) -> Vec<NewKey> {
        std::mem::take(&mut self.found)
    }
}
