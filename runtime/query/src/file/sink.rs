//! Reading `[sinks.<name>]`.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use weir_formats::{CsvOptions, Format};
use weir_sinks::{FileSinkConfig, IfExists, SinkConfig, SinkError, StdoutFormat, StdoutSinkConfig};

use super::csv;
use super::kafka_sink::{self, ColumnUse};
use super::kafka_uses::TopicUses;
use super::names::{self, Names};
use super::paths::Paths;
use super::plan::{Delivery, ErrorPolicy, Guarantee, Retry};
use super::problem::{Place, Problems, clip};
use super::retry;
use super::stage::{self, Input};
use super::table::Table;

/// A sink as far as it could be read. What is `None` was wrong, and has been reported.
pub(super) struct SinkDraft<'a> {
    pub(super) place: Place,
    pub(super) name: Arc<str>,
    pub(super) config: Option<SinkConfig>,
    pub(super) input: Input<'a>,
    pub(super) queue_batches_max: usize,
    /// Columns that its settings name.
    pub(super) columns: Vec<ColumnUse>,
    /// What becomes of records that it cannot take, and where that is said.
    pub(super) on_error: ErrorPolicy,
    pub(super) on_error_place: Place,
    pub(super) retry: Option<Retry>,
}

/// Enough that a sink which pauses for an fsync does not stop the others; few enough that memory stays bounded.
const QUEUE_BATCHES_DEFAULT: u64 = 4;

const QUEUE_BATCHES_MAX: u64 = 1024;

/// What fits on a screen.
const TABLE_ROWS_DEFAULT: u64 = 20;

const TABLE_ROWS_MAX: u64 = 1_000_000;

/// The longest time that a file stays open: a day.
const ROTATE_MS_MAX: u64 = 86_400_000;

const KINDS: [(&str, Kind); 4] =
    [("stdout", Kind::Stdout), ("file", Kind::File), ("kafka", Kind::Kafka), ("count", Kind::Count)];

#[derive(Clone, Copy)]
enum Kind {
    Stdout,
    File,
    Kafka,
    Count,
}

/// Reads every sink. What is promised decides how files are named.
pub(super) fn read<'a>(
    root: &mut Table<'a>,
    names: &mut Names,
    paths: &mut Paths<'_>,
    topics: &mut TopicUses<'_>,
    delivery: &Delivery,
    problems: &Problems,
) -> Vec<SinkDraft<'a>> {
    let help = "write for example `[sinks.table]` with `kind = \"stdout\"`";
    let Some(table) = root.required("sinks", help).and_then(|item| item.table()) else { return Vec::new() };
    let items = table.items();
    if items.is_empty() {
        problems.error(&table.place, "a query needs at least one sink", help);
    }
    let mut sinks = Vec::with_capacity(items.len());
    for (name, item) in items {
        names::check(name, &item.place, problems);
        names.claim(name, "sink", &item.place, problems);
        let Some(table) = item.table() else { continue };
        sinks.push(sink(name, table, paths, topics, delivery, problems));
    }
    warn_of_tables(&sinks, problems);
    sinks
}

/// Two tables on one terminal interleave.
fn warn_of_tables(sinks: &[SinkDraft<'_>], problems: &Problems) {
    let is_stdout = |sink: &&SinkDraft<'_>| matches!(sink.config, Some(SinkConfig::Stdout(_)));
    let mut stdout = sinks.iter().filter(is_stdout);
    let Some(first) = stdout.next() else { return };
    for sink in stdout {
        let message = format!("`{}` writes to the standard output as well: their lines will mix", first.name);
        problems.warning(&sink.place, message, "send one of them to a file");
    }
}

fn sink<'a>(
    name: &str,
    mut table: Table<'a>,
    paths: &mut Paths<'_>,
    topics: &mut TopicUses<'_>,
    delivery: &Delivery,
    problems: &Problems,
) -> SinkDraft<'a> {
    let mut columns = Vec::new();
    let place = table.place.clone();
    let kind = table.required("kind", "use one of `stdout`, `file`, `kafka`, `count`");
    let kind = kind.and_then(|item| item.choice(&KINDS));
    let input = stage::input(&mut table);
    let (on_error, retry, on_error_place) = retry::of_sink(&mut table);
    if on_error != ErrorPolicy::Fail && kind.is_some_and(|kind| !matches!(kind, Kind::Kafka)) {
        let message = "only a topic refuses single records: this sink takes every record";
        problems.warning(&on_error_place, message, "leave it out, or set `on_error = \"retry\"` for a sink that fails");
    }
    let queue_batches_max = table.optional("queue_batches_max").and_then(|item| item.integer(1..=QUEUE_BATCHES_MAX));
    let config = match kind {
        None => None,
        Some(Kind::Stdout) => {
            paths.stdout(&place, problems);
            stdout(&mut table, problems)
        }
        Some(Kind::File) => file(&mut table, paths, delivery, problems),
        Some(Kind::Kafka) => {
            let (config, needed) = kafka_sink::read(&mut table, topics, problems);
            columns = needed;
            config.map(|config| SinkConfig::Kafka(Box::new(config)))
        }
        Some(Kind::Count) => Some(SinkConfig::Count),
    };
    match kind {
        // Without its kind nothing is known of the other keys.
        None => {}
        Some(Kind::Stdout) => table.finish("a stdout sink"),
        Some(Kind::File) => table.finish("a file sink"),
        Some(Kind::Kafka) => table.finish("a kafka sink"),
        Some(Kind::Count) => table.finish("a count sink"),
    }
    SinkDraft {
        place,
        name: name.into(),
        config,
        input,
        queue_batches_max: size(queue_batches_max.unwrap_or(QUEUE_BATCHES_DEFAULT)),
        columns,
        on_error,
        on_error_place,
        retry,
    }
}

fn stdout(table: &mut Table<'_>, problems: &Problems) -> Option<SinkConfig> {
    let formats = [("table", StdoutFormat::Table), ("json_lines", StdoutFormat::JsonLines), ("csv", StdoutFormat::Csv)];
    let format = match table.optional("format") {
        None => Some(StdoutFormat::Table),
        Some(item) => item.choice(&formats),
    };
    // Only a table leaves rows out.
    let mut rows_max = None;
    if format.is_none_or(|format| format == StdoutFormat::Table) {
        rows_max = table.optional("rows_max").and_then(|item| item.integer(1..=TABLE_ROWS_MAX));
    } else if let Some(item) = table.optional("rows_max") {
        item.error("only a table leaves rows out", "leave out `rows_max`, or use `format = \"table\"`");
    }
    let rows_max = size(rows_max.unwrap_or(TABLE_ROWS_DEFAULT));
    let name = format.map(|format| match format {
        StdoutFormat::Table => "table",
        StdoutFormat::JsonLines => "json_lines",
        StdoutFormat::Csv => "csv",
    });
    let csv = csv_options(table, name, &[], problems);
    Some(SinkConfig::Stdout(StdoutSinkConfig { format: format?, rows_max, csv: csv? }))
}

fn file(table: &mut Table<'_>, paths: &mut Paths<'_>, delivery: &Delivery, problems: &Problems) -> Option<SinkConfig> {
    let path_item = table.required("path", "name the file, for example `path = \"out/late.parquet\"`");
    let format_item = table.optional("format");
    let formats: Vec<_> = Format::ALL.into_iter().map(|format| (format.name(), format)).collect();
    let written = path_item.as_ref().and_then(|item| item.text());
    let format = match (&format_item, &path_item, written) {
        (Some(item), _, _) => item.choice(&formats),
        (None, Some(item), Some(written)) => {
            let format = Format::from_suffix(Path::new(written));
            if format.is_none() {
                let names = formats.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
                let message = format!("the suffix of `{}` does not tell the format", clip(written));
                item.error(message, format!("add `format`, one of {names}"));
            }
            format
        }
        _ => None,
    };
    let rotate_bytes_max = table.optional("rotate_bytes_max").and_then(|item| item.integer(1..=u64::MAX));
    let rotate_ms_max = table.optional("rotate_ms_max").and_then(|item| item.integer(1..=ROTATE_MS_MAX));
    let if_exists_item = table.optional("if_exists");
    let choices = [("fail", IfExists::Fail), ("replace", IfExists::Replace)];
    let if_exists = match &if_exists_item {
        None => Some(IfExists::Fail),
        Some(item) => item.choice(&choices),
    };
    let place = path_item.as_ref().zip(written).map(|(item, written)| (item.place.clone(), written));
    let csv = csv_options(table, format.map(Format::name), place.as_slice(), problems);
    let (path_item, written) = path_item.zip(written)?;
    let exactly_once = delivery.guarantee == Guarantee::ExactlyOnce;
    let mut config = FileSinkConfig {
        path: paths.resolve(written),
        beneath: None,
        // What is missing has been reported; the checks below do not depend on it.
        format: format.unwrap_or(Format::JsonLines),
        csv: csv.clone().unwrap_or_default(),
        rotate_bytes_max,
        rotate_after: rotate_ms_max.map(Duration::from_millis),
        // Each commit publishes a file, and a second one needs another name. So does the next run of a query whose
        // output is to go on where the last one's ended.
        numbered: delivery.commit_every.is_some() || exactly_once,
        held_until_flush: exactly_once,
        number_min: 1,
        if_exists: if_exists.unwrap_or_default(),
    };
    if let Err(SinkError::Config { key, reason }) = config.validate() {
        problems.error(&table.place.child(key, path_item.place.offset), reason, "");
        return None;
    }
    config.path = paths.output(&path_item.place, written, config.is_numbered(), problems)?;
    if config.is_numbered() {
        if let Some(item) = if_exists_item.filter(|_| if_exists == Some(IfExists::Replace)) {
            let message =
                "files are numbered, because they rotate or the query commits before its end: none is replaced";
            problems.warning(&item.place, message, "new ones go on after the highest number");
        }
    } else if if_exists == Some(IfExists::Fail) && config.path.exists() {
        let message = format!("`{}` exists, so that a run will fail", clip(written));
        problems.warning(&path_item.place, message, "remove it, or set `if_exists = \"replace\"`");
    }
    (format.is_some() && if_exists.is_some() && csv.is_some()).then_some(SinkConfig::File(config))
}

/// How CSV is written. A sink needs a text for nulls.
fn csv_options(
    table: &mut Table<'_>,
    format: Option<&str>,
    path: &[(Place, &str)],
    problems: &Problems,
) -> Option<CsvOptions> {
    let nulls = table.get("nulls");
    let options = csv::options(table, format, path, problems)?;
    if let (Some(item), true) = (nulls, options.nulls.is_empty()) {
        item.error("no text is named", "name what a null is written as, for example `nulls = [\"\"]`");
        return None;
    }
    Some(options)
}

/// Both bounds of such numbers lie below what any machine counts to.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
