//! `[sinks.<name>]`.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::csv::CsvKeys;
use crate::custom::CustomKeys;
use crate::kafka::KafkaSinkKeys;
use crate::key::{Key, Keys};
use crate::kinds::{Integer, Text, Texts, Word};
use crate::names::{self, Names};
use crate::problem::KeyPlace;
use crate::retry::OnErrorDraft;
use crate::setting::Setting;
use crate::stage::Input;
use crate::table::Table;
use crate::words::{IfExistsWord, SinkWord, StdoutWord, WriteFormat};

/// The longest time that a file stays open: a day.
const ROTATE_MS_MAX: u64 = 86_400_000;

/// A sink as far as it could be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SinkDraft {
    /// Where it is.
    pub place: KeyPlace,
    /// Where its kind is named.
    pub kind_place: KeyPlace,
    /// Its name.
    pub name: String,
    /// What it reads.
    pub input: Input,
    /// What becomes of records that it cannot take, and whether it is tried again when it fails.
    pub on_error: OnErrorDraft,
    /// How many batches wait for it at most.
    pub queue_batches_max: Setting<u64>,
    /// The keys of its kind; `None` where the kind is wrong, which has been reported.
    pub kind: Option<SinkKindDraft>,
}

/// What a sink writes to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SinkKindDraft {
    /// The standard output.
    Stdout(Box<StdoutSinkKeys>),
    /// Files.
    File(Box<FileSinkKeys>),
    /// A topic.
    Kafka(Box<KafkaSinkKeys>),
    /// Nothing: it counts.
    Count,
    /// What the program registered.
    Custom(CustomKeys),
}

keys! {
    /// The keys of every sink before `on_error`.
    pub struct SinkKeys {
        /// The kind of sink. It determines the other keys. `count` counts records and drops them.
        kind: Word<SinkWord>, required "use one of `stdout`, `file`, `kafka`, `count`, `custom`";
        /// The source or stage to read from, or a list of them with the same schema. Default: the last stage.
        input: Texts;
    }
}

keys! {
    /// The keys of every sink after `on_error` and `retry`.
    pub struct SinkMoreKeys {
        /// How many batches may wait for the sink. Enough that a sink which pauses for an fsync does not delay the others; few enough to bound memory.
        queue_batches_max: Integer(1, 1024) = 4;
    }
}

/// The keys of every sink.
pub(crate) fn describe() -> Vec<Key> {
    let mut keys = SinkKeys::describe();
    keys.extend(OnErrorDraft::describe(
        "What to do with a record that the sink cannot take, such as one that is too large for the topic or that the \
         broker refuses. `retry` also covers failures of the sink itself, even at the start (a full disk, an unreachable \
         broker): Weir reopens everything and continues from the last commit. `retry` cannot be used with a pipe as a \
         source, because it cannot be read again.",
        "For `on_error = \"retry\"`. After `times_max` attempts without a commit in between, the query fails. A stop during \
         a pause ends the query with code 0, and the next run continues from the last commit. `then` applies to a record \
         that the sink cannot take.",
    ));
    keys.extend(SinkMoreKeys::describe());
    keys
}

keys! {
    /// Standard output. If the reader closes the pipe, the query ends without an error.
    pub struct StdoutSinkKeys {
        /// How to print records.
        format: Word<StdoutWord> = StdoutWord::Table;
        /// How many rows of a table to print. The default fits on a screen.
        rows_max: Integer(1, 1_000_000) = 20;
        ..csv: CsvKeys;
    }
    rules json!({
        "if": { "properties": { "format": { "enum": ["json_lines", "csv"] } }, "required": ["format"] },
        "then": { "properties": { "rows_max": false } },
        "allOf": [crate::csv::csv_by_format(&["table", "json_lines"], true), crate::csv::some_nulls()],
    })
}

keys! {
    /// A file, written under a hidden name in the same folder, then synced and renamed: a partly written file is never visible.
    pub struct FileSinkKeys {
        /// The file to write. Other programs must not touch its hidden files: if one is removed, replaced or truncated, the sink fails before anything of it is committed.
        path: Text, required "name the file, for example `path = \"out/late.parquet\"`";
        /// The format. Default: from the suffix.
        format: Word<WriteFormat>;
        /// Publish a file when it reaches this many bytes, and start the next: `late-000001.jsonl`, `late-000002.jsonl`, …
        rotate_bytes_max: Integer(1, u64::MAX);
        /// Publish a file after this many milliseconds, and start the next.
        rotate_ms_max: Integer(1, ROTATE_MS_MAX);
        /// What to do if the file already exists and files are not numbered.
        if_exists: Word<IfExistsWord> = IfExistsWord::Fail;
        ..csv: CsvKeys;
    }
    rules json!({
        "allOf": [
            crate::csv::csv_by_format(&["json_lines", "parquet", "arrow_ipc", "bincode"], false),
            crate::csv::csv_by_suffix(),
            crate::suffix::writable(),
            crate::csv::some_nulls(),
        ],
    })
}

/// Reads every sink.
pub(crate) fn read(root: &mut Table<'_>, names: &mut Names) -> Vec<SinkDraft> {
    let help = "write for example `[sinks.table]` with `kind = \"stdout\"`";
    let Some(table) = root.required("sinks", help).and_then(|item| item.table()) else { return Vec::new() };
    let (items, problems) = (table.items(), table.problems);
    if items.is_empty() {
        problems.error(&table.place, "a query needs at least one sink", help);
    }
    let mut sinks = Vec::with_capacity(items.len());
    for (name, item) in items {
        names::check(name, &item.place, problems);
        names.claim(name, "sink", &item.place, problems);
        sinks.extend(item.table().map(|table| sink(name, table)));
    }
    sinks
}

fn sink(name: &str, mut table: Table<'_>) -> SinkDraft {
    let (place, problems) = (table.place.clone(), table.problems);
    let SinkKeys { kind, input } = SinkKeys::read(&mut table);
    let on_error = OnErrorDraft::read(&mut table, "a sink");
    let queue_batches_max = SinkMoreKeys::read(&mut table).queue_batches_max;
    let draft = kind.value.map(|kind| match kind {
        SinkWord::Stdout => SinkKindDraft::Stdout(Box::new(StdoutSinkKeys::read(&mut table))),
        SinkWord::File => SinkKindDraft::File(Box::new(FileSinkKeys::read(&mut table))),
        SinkWord::Kafka => SinkKindDraft::Kafka(Box::new(KafkaSinkKeys::read(&mut table))),
        SinkWord::Count => SinkKindDraft::Count,
        SinkWord::Custom => SinkKindDraft::Custom(CustomKeys::read(&mut table)),
    });
    if let Some(SinkKindDraft::Stdout(keys)) = &draft
        && let (Some(place), true) = (&keys.rows_max.place, keys.format.value.is_some_and(|it| it != StdoutWord::Table))
    {
        let help = "remove `rows_max`, or use `format = \"table\"`";
        problems.error(place, "`rows_max` applies only to tables", help);
    }
    let kind_place = kind.place_or(&place).clone();
    // Without its kind nothing is known of the other keys.
    if let Some(kind) = kind.value {
        table.finish(&format!("a {} sink", kind.name()));
    }
    SinkDraft { place, kind_place, name: name.to_owned(), input, on_error, queue_batches_max, kind: draft }
}
