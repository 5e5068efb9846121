//! `[delivery]`, `[batching]` and `[dead_letters]`.

use serde::{Deserialize, Serialize};

use crate::kafka::KafkaLettersKeys;
use crate::kinds::{Integer, Text, Word};
use crate::problem::Place;
use crate::setting::Keys;
use crate::table::Table;
use crate::words::{Guarantee, LettersWord};

/// The longest time between two commits: a day. Whoever wants a longer one wants one commit at the end.
const COMMIT_MS_MAX: u64 = 86_400_000;

/// The longest wait for a batch to fill: an hour.
const DELAY_MS_MAX: u64 = 3_600_000;

/// The largest batch. Every batch in flight is held in memory.
const RECORDS_MAX: u64 = 1_000_000;

/// What a few records take.
const BYTES_LEAST: u64 = 65_536;

/// What one column can hold, and half of it to spare.
const BYTES_MOST: u64 = 1_073_741_824;

keys! {
    /// What is promised about every record.
    pub struct DeliveryKeys {
        /// `at_least_once`: sinks are durable before positions are kept; a crash repeats records, and loses none. `exactly_once`: output and positions become durable in one step.
        guarantee: Word<Guarantee> = Guarantee::AtLeastOnce;
        /// How often everything taken in is committed, in milliseconds. Default: once, at the end; every 1000 ms where a topic is read that has no end, or a Kafka transaction is written. File sinks then publish numbered files, one at each commit.
        commit_ms: Integer(1, COMMIT_MS_MAX);
        /// A folder of the query's own, which keeps positions, what guests counted, and how far dead letters were committed: see [state](#state).
        state: Text;
        /// The name of its Kafka transactions, for one process at a time: whoever opens it fences an older process of that name, which ends with a message that says so. Default: each process has [a name of its own](#several-processes-of-one-file).
        transactional_id: Text;
    }
}

keys! {
    /// How records are gathered into batches.
    pub struct BatchingKeys {
        /// The most records of a batch. JSON lines come in batches of 65,536 at most, a generator's of 1,000.
        records_max: Integer(1, RECORDS_MAX) = 8192;
        /// The most bytes of a batch of more than one record (16 MiB). Values count at their width, texts and bytes by their length. Where records are long, or have many fields, a batch has fewer of them. A record that is larger is a batch alone.
        bytes_max: Integer(BYTES_LEAST, BYTES_MOST) = 16 << 20;
        /// A record of more bytes is a bad record (16 MiB). That is of the values which are read. The text of a record of JSON or CSV, with all that is not read, has as many bytes at most, or 1 MiB where that is more.
        record_bytes_max: Integer(BYTES_LEAST, BYTES_MOST) = 16 << 20;
        /// How long a batch waits to be filled, in milliseconds: less than a person notices.
        delay_ms_max: Integer(1, DELAY_MS_MAX) = 100;
    }
}

keys! {
    /// `kind` of dead letters.
    pub struct LettersKindKeys {
        /// Where dead letters go: the further keys depend on it.
        kind: Word<LettersWord> = LettersWord::File;
    }
}

keys! {
    /// Dead letters to a file.
    pub struct FileLettersKeys {
        /// A JSON-lines file to which failed records are appended, durable before the commit.
        path: Text, required "name the file, for example `path = \"dead/late.jsonl\"`";
    }
}

/// Where dead letters go, as far as it could be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LettersDraft {
    /// Where the file says so.
    pub place: Place,
    /// The keys of their kind; `None` where that is wrong, which has been reported.
    pub kind: Option<LettersKindDraft>,
}

/// What dead letters go to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum LettersKindDraft {
    /// A file.
    File(FileLettersKeys),
    /// A topic.
    Kafka(Box<KafkaLettersKeys>),
}

/// Reads `[delivery]`.
pub(crate) fn delivery(mut table: Table<'_>) -> DeliveryKeys {
    let keys = DeliveryKeys::read(&mut table);
    table.finish("`delivery`");
    keys
}

/// Reads `[batching]`.
pub(crate) fn batching(mut table: Table<'_>) -> BatchingKeys {
    let keys = BatchingKeys::read(&mut table);
    table.finish("`batching`");
    keys
}

/// Reads `[dead_letters]`.
pub(crate) fn dead_letters(root: &mut Table<'_>) -> Option<LettersDraft> {
    let item = root.optional("dead_letters")?;
    let kind = item.table().and_then(|mut table| {
        Some(match LettersKindKeys::read(&mut table).kind.value? {
            LettersWord::File => {
                let keys = FileLettersKeys::read(&mut table);
                table.finish("`dead_letters`");
                LettersKindDraft::File(keys)
            }
            LettersWord::Kafka => {
                let keys = KafkaLettersKeys::read(&mut table);
                table.finish("`dead_letters` of kind kafka");
                LettersKindDraft::Kafka(Box::new(keys))
            }
        })
    });
    Some(LettersDraft { place: item.place, kind })
}
