//! Keys of JSON that first appear after the records from which the schema was inferred.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_batch::Schema;
use weir_formats::{Decoded, Decoder, FormatError, ResumePlace};

/// The maximum number of warnings about keys of a file. Further keys are only counted.
const WARNINGS_MAX: u64 = 5;

/// Counts keys that the inferred schema of a source does not contain.
#[derive(Clone, Debug)]
pub(super) struct NewKeyCount {
    /// The number of records of each file from which the schema was inferred.
    pub(super) sample: u64,
    pub(super) count: Arc<AtomicU64>,
}

impl NewKeyCount {
    /// Makes a file's decoder count new keys and warn about them.
    pub(super) fn watch(&self, path: &Path, mut decoder: Box<dyn Decoder>) -> Box<dyn Decoder> {
        decoder.watch_new_keys(self.sample);
        Box::new(Watched { decoder, path: path.to_owned(), keys: self.clone(), found: 0 })
    }
}

struct Watched {
    decoder: Box<dyn Decoder>,
    path: PathBuf,
    keys: NewKeyCount,
    found: u64,
}

impl Decoder for Watched {
    fn schema(&self) -> &Arc<Schema> {
        self.decoder.schema()
    }

    fn place(&self) -> Option<ResumePlace> {
        self.decoder.place()
    }

    fn resume(&mut self, place: &ResumePlace, next: i64) -> Result<(), FormatError> {
        self.decoder.resume(place, next)
    }

    fn leave_open_end(&mut self) {
        self.decoder.leave_open_end();
    }

    fn next(&mut self) -> Result<Option<Decoded>, FormatError> {
        let decoded = self.decoder.next()?;
        for key in self.decoder.take_new_keys() {
            self.found += 1;
            self.keys.count.fetch_add(1, Ordering::Relaxed);
            if self.found > WARNINGS_MAX {
                continue;
            }
            tracing::warn!(
                offset = key.offset,
                "{}: key `{}` is not read: it first appears after the {} records from which `infer` took the schema; declare `schema` to read it{}",
                self.path.display(),
                key.name,
                self.keys.sample,
                if self.found == WARNINGS_MAX { " (more such keys of this file are only counted)" } else { "" }
            );
        }
        Ok(decoded)
    }
}

#[cfg(test)]
mod tests {
    use weir_batch::{DataType, Field};
    use weir_formats::{Fill, Format};

    use super::*;
    use crate::{FileSource, Source};

    #[tokio::test]
    async fn keys_behind_the_sample_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        let lines = (0..20).map(|number| format!("{{\"a\":1,\"b\":2,\"k{number}\":3}}\n"));
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::nullable("a", DataType::I64)]).unwrap());
        for (sample, expected) in [(Some(8), 12), (Some(20), 0), (None, 0)] {
            let mut source = FileSource::new(vec![path.clone()], Format::JsonLines, Arc::clone(&schema), Fill::from(3));
            if let Some(sample) = sample {
                source = source.inferred_from(sample);
            }
            let count = Arc::new(AtomicU64::new(0));
            source.count_new_keys(&count);
            while source.next().await.unwrap().is_some() {}
            assert_eq!(count.load(Ordering::Relaxed), expected);
        }
    }
}
