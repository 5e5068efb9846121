//! Resolves drafts of sinks.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use weir_config::{
    CsvKeys, ErrorPolicy, FileSinkKeys, Guarantee, IfExistsWord, Input, KeyPlace, SinkDraft, SinkKindDraft,
    StdoutSinkKeys, StdoutWord, WriteFormat, WrittenText, clip,
};
use weir_formats::{CsvOptions, Format};
use weir_sinks::{FileSinkConfig, IfExists, SinkConfig, SinkError, StdoutFormat, StdoutSinkConfig};

use super::absent::Part;
use super::context::Context;
use super::csv;
use super::custom;
use super::kafka_sink::{self, ColumnUse};
use super::plan::{Delivery, Retry};
use super::retry;
use super::words;

/// A sink, as far as it could be resolved. `None` means an error that has been reported.
pub(super) struct SinkPart {
    pub(super) place: KeyPlace,
    pub(super) name: Arc<str>,
    pub(super) config: Option<SinkConfig>,
    pub(super) input: Input,
    pub(super) queue_batches_max: usize,
    /// Columns in its settings.
    pub(super) columns: Vec<ColumnUse>,
    /// The policy for records that it cannot take, and its place.
    pub(super) on_error: ErrorPolicy,
    pub(super) on_error_place: KeyPlace,
    pub(super) retry: Option<Retry>,
}

/// Resolves every sink. The delivery guarantee determines the names of files.
pub(super) fn resolve_all(drafts: Vec<SinkDraft>, delivery: &Delivery, cx: &mut Context<'_>) -> Vec<SinkPart> {
    let sinks: Vec<SinkPart> = drafts.into_iter().map(|draft| resolve(draft, delivery, cx)).collect();
    warn_of_tables(&sinks, cx.problems);
    sinks
}

/// Warns about two tables on one terminal, which would interleave.
fn warn_of_tables(sinks: &[SinkPart], problems: &weir_config::Problems) {
    let is_stdout = |sink: &&SinkPart| matches!(sink.config, Some(SinkConfig::Stdout(_)));
    let mut stdout = sinks.iter().filter(is_stdout);
    let Some(first) = stdout.next() else { return };
    for sink in stdout {
        let message = format!("`{}` also writes to standard output: their lines will be mixed", first.name);
        problems.warning(&sink.place, message, "write one of them to a file");
    }
}

fn resolve(draft: SinkDraft, delivery: &Delivery, cx: &mut Context<'_>) -> SinkPart {
    let SinkDraft { place, kind_place, name, input, on_error, queue_batches_max, kind } = draft;
    let on_error_place = on_error.place.clone().unwrap_or_else(|| place.clone());
    if on_error.policy != ErrorPolicy::Fail && !matches!(kind, None | Some(SinkKindDraft::Kafka(_))) {
        let message = "this sink never refuses single records; only topics do";
        let help = "remove it, or set `on_error = \"retry\"` to retry a sink that fails";
        cx.problems.warning(&on_error_place, message, help);
    }
    let mut columns = Vec::new();
    let config = match &kind {
        None => None,
        Some(SinkKindDraft::Stdout(keys)) => {
            cx.paths.stdout(&place);
            stdout(keys, &place, cx)
        }
        Some(SinkKindDraft::File(keys)) => file(keys, &place, delivery, cx),
        Some(SinkKindDraft::Kafka(keys)) => {
            Part::Kafka.require(&kind_place, cx.problems);
            let (config, needed) = kafka_sink::resolve(keys, &place, cx);
            columns = needed;
            config.map(|config| SinkConfig::Kafka(Box::new(config)))
        }
        Some(SinkKindDraft::Count) => Some(SinkConfig::Count),
        Some(SinkKindDraft::Custom(keys)) => custom::sink(keys, cx).map(SinkConfig::Custom),
    };
    SinkPart {
        name: name.into(),
        config,
        input,
        queue_batches_max: size(queue_batches_max.value),
        columns,
        on_error: on_error.policy,
        on_error_place,
        retry: on_error.retry.as_ref().map(retry::resolve),
        place,
    }
}

fn stdout(keys: &StdoutSinkKeys, here: &KeyPlace, cx: &Context<'_>) -> Option<SinkConfig> {
    let format = keys.format.value;
    let csv = csv_options(&keys.csv, here, format.map(StdoutWord::name), &[], cx);
    let format: StdoutFormat = words::stdout_format(format?);
    let mut config = StdoutSinkConfig::new(format);
    config.rows_max = size(keys.rows_max.value);
    config.csv = csv?;
    Some(SinkConfig::Stdout(config))
}

fn file(keys: &FileSinkKeys, here: &KeyPlace, delivery: &Delivery, cx: &mut Context<'_>) -> Option<SinkConfig> {
    let problems = cx.problems;
    let written = keys.path.given().map(|(place, text)| WrittenText { place: place.clone(), text: text.clone() });
    let format = match (keys.format.is_given(), &written) {
        (true, _) => keys.format.value.map(words::write_format),
        (false, Some(WrittenText { place, text })) => {
            let format = Format::from_suffix(Path::new(text));
            if format.is_none() {
                let names = WriteFormat::ALL.iter().map(|format| format!("`{}`", format.name()));
                let help = format!("add `format`, one of {}", names.collect::<Vec<_>>().join(", "));
                problems.error(
                    place,
                    format!("the format cannot be determined from the suffix of `{}`", clip(text)),
                    help,
                );
            }
            format
        }
        (false, None) => None,
    };
    let if_exists = keys.if_exists.value.map(words::if_exists);
    let csv = csv_options(&keys.csv, here, format.map(Format::name), written.as_slice(), cx);
    let WrittenText { place, text } = written?;
    let exactly_once = delivery.guarantee == Guarantee::ExactlyOnce;
    // A format that is missing has been reported; the checks below do not depend on it.
    let mut config = FileSinkConfig::new(cx.paths.resolve(&text), format.unwrap_or(Format::JsonLines));
    config.csv = csv.clone().unwrap_or_default();
    config.rotate_bytes_max = keys.rotate_bytes_max.value;
    config.rotate_after = keys.rotate_ms_max.value.map(Duration::from_millis);
    // Each commit publishes a file, and a second one needs another name. So does the next run of a query whose output is to go on
    // where the last one's ended.
    config.numbered = delivery.commit_every.is_some() || exactly_once;
    config.held_until_flush = exactly_once;
    config.if_exists = if_exists.unwrap_or_default();
    if let Err(SinkError::Config { key, reason }) = config.validate() {
        problems.error(&here.child(key, place.offset), reason, "");
        return None;
    }
    config.path = cx.paths.output(&place, &text, config.is_numbered())?;
    if config.is_numbered() {
        if let Some((place, IfExistsWord::Replace)) = keys.if_exists.given() {
            let message =
                "files are numbered because they rotate or the query commits before its end, so none is replaced";
            problems.warning(place, message, "new files continue after the highest number");
        }
    } else if if_exists == Some(IfExists::Fail) && config.path.exists() {
        let message = format!("`{}` already exists, so a run will fail", clip(&text));
        problems.warning(&place, message, "remove it, or set `if_exists = \"replace\"`");
    }
    (format.is_some() && if_exists.is_some() && csv.is_some()).then_some(SinkConfig::File(config))
}

/// The options of CSV. A sink needs a text for nulls.
fn csv_options(
    keys: &CsvKeys,
    here: &KeyPlace,
    format: Option<&str>,
    path: &[WrittenText],
    cx: &Context<'_>,
) -> Option<CsvOptions> {
    let options = csv::options(keys, here, format, path, cx.problems)?;
    if let (Some(place), true) = (&keys.nulls.place, options.nulls.is_empty()) {
        let help = "set the text for nulls, for example `nulls = [\"\"]`";
        cx.problems.error(place, "the list is empty", help);
        return None;
    }
    Some(options)
}

/// Such numbers fit into a `usize` of any machine. Errors have been reported.
fn size(number: Option<u64>) -> usize {
    number.and_then(|number| usize::try_from(number).ok()).unwrap_or(1)
}
