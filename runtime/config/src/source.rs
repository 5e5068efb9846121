//! `[sources.<name>]`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::csv::CsvKeys;
use crate::custom::CustomKeys;
use crate::kafka::KafkaSourceKeys;
use crate::key::Keys;
use crate::kinds::{Boolean, Integer, SchemaText, Text, Texts, Word};
use crate::names::{self, Names};
use crate::problem::{KeyPlace, Problems};
use crate::setting::Setting;
use crate::table::Table;
use crate::words::{ErrorPolicy, NexmarkWord, OnChangeWord, ReadFormat, SourceWord};
use crate::written::WrittenText;

/// More batches or events than any run ends with, and few enough that counting their records cannot overflow.
const COUNT_MAX: u64 = 1_000_000_000_000;

/// A source as far as it could be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceDraft {
    /// Where it is.
    pub place: KeyPlace,
    /// Where its kind is named.
    pub kind_place: KeyPlace,
    /// Its name.
    pub name: String,
    /// What becomes of records that do not decode.
    pub on_error: Setting<ErrorPolicy>,
    /// The keys of its kind; `None` where the kind is wrong, which has been reported.
    pub kind: Option<SourceKindDraft>,
}

/// What a source reads.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SourceKindDraft {
    /// Files.
    File(Box<FileSourceKeys>),
    /// Topics.
    Kafka(Box<KafkaSourceKeys>),
    /// The seed workload.
    Generator(GeneratorKeys),
    /// A stream of the Nexmark benchmark.
    Nexmark(NexmarkKeys),
    /// What the program registered.
    Custom(CustomKeys),
}

keys! {
    /// The keys of every source.
    pub struct SourceKeys {
        /// The kind of source. It determines the other keys.
        kind: Word<SourceWord>, required "use one of `file`, `kafka`, `generator`, `nexmark`, `custom`";
    }
}

keys! {
    /// What follows the kind.
    pub struct SourceErrorKeys {
        /// What to do with records that cannot be decoded: fail the query, skip them, or write them to the [dead letters](#dead-letters).
        on_error: Word<ErrorPolicy> = ErrorPolicy::Fail;
    }
}

keys! {
    /// A source of files.
    pub struct FileSourceKeys {
        /// Fields and [types](#schemas), for example `{ delay = "i64", origin = "utf8?" }`. Optional for Parquet and Arrow IPC: if it is given, only its fields are read.
        schema: SchemaText;
        /// `true` infers the schema of JSON and CSV from the first 1,000 records (at most 64 MiB): see [JSON](#json). `weir schema FILE` prints it.
        infer: Boolean = false;
        /// What to do if a file has changed since its position was stored, or changes while it is read: see [files that change](#files-that-change). `follow` requires a `state` and regular files.
        on_change: Word<OnChangeWord> = OnChangeWord::Fail;
        /// The file to read: a regular file or, for JSON lines and CSV, a pipe or terminal. Waiting for a pipe uses no thread, so an idle pipe delays nothing. Devices, sockets and kernel files (`/proc`) are refused. Set either `path` or `paths`.
        path: Text;
        /// Several files of one format, read in this order. `_partition` is the index in the list.
        paths: Texts;
        /// The format. Default: from the suffix.
        format: Word<ReadFormat>;
        ..csv: CsvKeys;
    }
    rules json!({
        "oneOf": [{ "required": ["path"] }, { "required": ["paths"] }],
        "not": { "required": ["schema", "infer"], "properties": { "infer": { "const": true } } },
        "allOf": [
            crate::csv::csv_by_format(&["json_lines", "parquet", "arrow_ipc"], false),
            crate::csv::csv_by_suffix(),
            crate::csv::one_delimiter(),
            crate::suffix::readable(),
        ],
    })
}

keys! {
    /// The seed workload: the same 1,000 records `id i64, name utf8, value f64`, again and again.
    pub struct GeneratorKeys {
        /// How many times to produce the 1,000 records.
        batches: Integer(1, COUNT_MAX), required "set the number of batches of 1000 records";
    }
}

keys! {
    /// A stream of the Nexmark auction benchmark.
    pub struct NexmarkKeys {
        /// The stream to produce.
        stream: Word<NexmarkWord>, required "use one of `bid`, `auction`, `person`";
        /// The number of records to produce.
        events: Integer(1, COUNT_MAX), required "set the number of records";
    }
}

impl FileSourceKeys {
    /// `path` or `paths`, whichever is given; reports both and neither. `here` is the source's place.
    pub fn written(&self, here: &KeyPlace, problems: &Problems) -> Option<Vec<WrittenText>> {
        one_or_several(
            (&self.path, &self.paths),
            here,
            ("path", "name the file, or several as `paths = [\"a.csv\", \"b.csv\"]`"),
            problems,
        )
    }
}

/// The value of a key or of its plural. `names` are the key and what to write where both are missing.
pub(crate) fn one_or_several(
    (one, several): (&Setting<String>, &Setting<Vec<WrittenText>>),
    here: &KeyPlace,
    (name, help): (&str, &str),
    problems: &Problems,
) -> Option<Vec<WrittenText>> {
    match (&one.place, &several.place) {
        (Some(place), None) => Some(vec![WrittenText { place: place.clone(), text: one.value.clone()? }]),
        (None, Some(_)) => several.value.clone(),
        (Some(_), Some(place)) => {
            problems.error(place, format!("`{name}` is also set"), "remove one of them");
            None
        }
        (None, None) => {
            problems.error(&here.child(name, here.offset), "missing", help);
            None
        }
    }
}

impl KafkaSourceKeys {
    /// `topic` or `topics`, whichever is given; reports both and neither. `here` is the source's place.
    pub fn written(&self, here: &KeyPlace, problems: &Problems) -> Option<Vec<WrittenText>> {
        one_or_several(
            (&self.topic, &self.topics),
            here,
            ("topic", "name the topic, or several as `topics = [\"a\", \"b\"]`"),
            problems,
        )
    }
}

/// Reads every source.
pub(crate) fn read(root: &mut Table<'_>, names: &mut Names) -> Vec<SourceDraft> {
    let help = "write for example `[sources.flights]` with `kind = \"file\"` and `path = \"flights.parquet\"`";
    let Some(table) = root.required("sources", help).and_then(|item| item.table()) else { return Vec::new() };
    let (items, problems) = (table.items(), table.problems);
    if items.is_empty() {
        problems.error(&table.place, "a query needs at least one source", help);
    }
    let mut sources = Vec::with_capacity(items.len());
    for (name, item) in items {
        names::check(name, &item.place, problems);
        names.claim(name, "source", &item.place, problems);
        sources.extend(item.table().map(|table| source(name, table)));
    }
    sources
}

fn source(name: &str, mut table: Table<'_>) -> SourceDraft {
    let (place, name) = (table.place.clone(), name.to_owned());
    let kind = SourceKeys::read(&mut table).kind;
    let kind_place = kind.place_or(&place).clone();
    let on_error = SourceErrorKeys::read(&mut table).on_error;
    // The other keys depend on the kind.
    let Some(kind) = kind.value else { return SourceDraft { place, kind_place, name, on_error, kind: None } };
    let draft = match kind {
        SourceWord::File => SourceKindDraft::File(Box::new(FileSourceKeys::read(&mut table))),
        SourceWord::Kafka => SourceKindDraft::Kafka(Box::new(KafkaSourceKeys::read(&mut table))),
        SourceWord::Generator => SourceKindDraft::Generator(GeneratorKeys::read(&mut table)),
        SourceWord::Nexmark => SourceKindDraft::Nexmark(NexmarkKeys::read(&mut table)),
        SourceWord::Custom => SourceKindDraft::Custom(CustomKeys::read(&mut table)),
    };
    table.finish(&format!("a {} source", kind.name()));
    SourceDraft { place, kind_place, name, on_error, kind: Some(draft) }
}
