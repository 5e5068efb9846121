//! `[delivery]`, `[batching]` and `[dead_letters]`.

use serde::{Deserialize, Serialize};

use crate::kafka::KafkaLettersKeys;
use crate::key::Keys;
use crate::kinds::{Integer, Text, Word};
use crate::problem::KeyPlace;
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
    /// The delivery guarantee.
    pub struct DeliveryKeys {
        /// `at_least_once`: output becomes durable before positions do, so a crash repeats records but loses none. `exactly_once`: output and positions become durable in one step.
        guarantee: Word<Guarantee> = Guarantee::AtLeastOnce;
        /// The interval between commits, in milliseconds. Default: one commit at the end; 1000 ms if the query reads a topic without an end or writes Kafka transactions. With an interval, file sinks publish numbered files, one per commit.
        commit_ms: Integer(1, COMMIT_MS_MAX);
        /// A folder for this query only. It stores positions, guest metrics, and how much of the dead-letter file is committed: see [state](#state).
        state: Text;
        /// The transactional id in Kafka. Only one process at a time can use an id: a new process fences an older one, which ends with a message about it. Default: each process uses [its own id](#several-processes-of-one-file).
        transactional_id: Text;
    }
}

keys! {
    /// How records are gathered into batches.
    pub struct BatchingKeys {
        /// The largest number of records in a batch. Batches of JSON lines have at most 65,536 records, those of a generator 1,000.
        records_max: Integer(1, RECORDS_MAX) = 8192;
        /// The largest size of a batch with more than one record (16 MiB). Fixed-width values count with their width, texts and bytes with their length. If records are long or have many fields, a batch holds fewer of them. A larger record becomes a batch by itself.
        bytes_max: Integer(BYTES_LEAST, BYTES_MOST) = 16 << 20;
        /// A larger record is a bad record (16 MiB). Only fields that are read count. The whole text of a JSON or CSV record, including fields that are not read, may have this size too, or 1 MiB if that is more.
        record_bytes_max: Integer(BYTES_LEAST, BYTES_MOST) = 16 << 20;
        /// How long a batch waits for more records, in milliseconds. The default is too short for a person to notice.
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
    pub place: KeyPlace,
    /// Where their kind is named.
    pub kind_place: KeyPlace,
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
    let mut kind_place = item.place.clone();
    let kind = item.table().and_then(|mut table| {
        let kind = LettersKindKeys::read(&mut table).kind;
        kind_place = kind.place_or(&item.place).clone();
        Some(match kind.value? {
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
    Some(LettersDraft { place: item.place, kind_place, kind })
}
