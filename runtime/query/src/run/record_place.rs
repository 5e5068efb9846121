//! Where a record came from, for people.

use std::fmt;
use std::sync::Arc;

use weir_batch::Batch;

use weir_letters::position;

/// Where a record came from, as far as it is known: what every warning and failure over a record says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordPlace {
    /// The source.
    pub source: Arc<str>,
    /// The topic or file.
    pub origin: Option<Arc<str>>,
    /// The partition of the topic, or the file's place in the list.
    pub partition: Option<i32>,
    /// The record's offset in it, or its number in the file, from 0.
    pub offset: Option<i64>,
}

impl RecordPlace {
    /// The place of a row of a batch that came from this source.
    pub(crate) fn of(source: &Arc<str>, batch: &Batch, row: usize) -> RecordPlace {
        let (partition, offset) = position(batch, row);
        RecordPlace { source: Arc::clone(source), origin: batch.system().origin.clone(), partition, offset }
    }
}

/// `the record at offset 500 of partition 0 of flights.csv (source `flights`)`, with what is known.
impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.offset {
            Some(offset) => write!(f, "the record at offset {offset}")?,
            None => f.write_str("a record")?,
        }
        if let Some(partition) = self.partition {
            write!(f, " of partition {partition}")?;
        }
        match &self.origin {
            Some(origin) => write!(f, " of {} (source `{}`)", weir_text::escape(origin), self.source),
            None => write!(f, " of source `{}`", self.source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_says_what_is_known() {
        let mut place = RecordPlace { source: "in".into(), ..RecordPlace::default() };
        assert_eq!(place.to_string(), "a record of source `in`");
        (place.partition, place.offset) = (Some(3), Some(17));
        assert_eq!(place.to_string(), "the record at offset 17 of partition 3 of source `in`");
        place.origin = Some("a\nb".into());
        assert_eq!(place.to_string(), "the record at offset 17 of partition 3 of a\\nb (source `in`)");
    }
}
