//! Reading `[sources.<name>]`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_batch::Schema;
use weir_formats::{CsvOptions, Format, Inferred, csv_header, infer, infer_csv};

use super::csv;
use super::kafka_source;
use super::kafka_uses::TopicUses;
use super::names::{self, Names};
use super::paths::{InputFile, Paths};
use super::plan::{ErrorPolicy, SourceKind};
use super::problem::{Place, Problems, clip, suggest};
use super::schema;
use super::table::{Item, Table};
use weir_files::Folders;
use weir_sources::NexmarkStream;
use weir_sources::{OnChange, nexmark_schema, seed_schema};

/// A source as far as it could be read. What is `None` was wrong, and has been reported.
pub(super) struct SourceDraft {
    pub(super) place: Place,
    pub(super) name: Arc<str>,
    pub(super) kind: Option<SourceKind>,
    pub(super) schema: Option<Arc<Schema>>,
    /// Whether what was read can be read again: not from a pipe.
    pub(super) readable_again: bool,
    /// Where it says that files which change are followed, if it does.
    pub(super) follows: Option<Place>,
    pub(super) on_error: ErrorPolicy,
    /// Where `on_error` stands, for the check that dead letters have somewhere to go.
    pub(super) on_error_place: Place,
}

/// How many records are looked at to tell a schema.
pub(crate) const INFER_ROWS_MAX: usize = 1000;

/// How many names of a header a suggestion is looked for among.
const NAMES_SHOWN: usize = 4096;

/// How many columns of a file that are left out are named one by one.
const LEFT_OUT_SHOWN: usize = 16;

const KINDS: [(&str, Kind); 4] =
    [("file", Kind::File), ("kafka", Kind::Kafka), ("generator", Kind::Generator), ("nexmark", Kind::Nexmark)];

const KIND_HELP: &str = "use one of `file`, `kafka`, `generator`, `nexmark`";

#[derive(Clone, Copy)]
enum Kind {
    File,
    Kafka,
    Generator,
    Nexmark,
}

const STREAMS: [(&str, NexmarkStream); 3] =
    [("bid", NexmarkStream::Bid), ("auction", NexmarkStream::Auction), ("person", NexmarkStream::Person)];

/// The words of `on_change`.
const ON_CHANGE: [(&str, OnChange); 2] = [("fail", OnChange::Fail), ("follow", OnChange::Follow)];

/// The words of `on_error`.
pub(super) const POLICIES: [(&str, ErrorPolicy); 3] =
    [("fail", ErrorPolicy::Fail), ("skip", ErrorPolicy::Skip), ("dead_letter", ErrorPolicy::DeadLetter)];

/// More batches or events than any run ends with, and few enough that counting their records cannot overflow.
const COUNT_MAX: u64 = 1_000_000_000_000;

/// Reads every source.
pub(super) fn read(
    root: &mut Table<'_>,
    names: &mut Names,
    paths: &mut Paths<'_>,
    topics: &mut TopicUses<'_>,
    problems: &Problems,
) -> Vec<SourceDraft> {
    let help = "write for example `[sources.flights]` with `kind = \"file\"` and `path = \"flights.parquet\"`";
    let Some(table) = root.required("sources", help).and_then(|item| item.table()) else { return Vec::new() };
    let items = table.items();
    if items.is_empty() {
        problems.error(&table.place, "a query needs at least one source", help);
    }
    let mut sources = Vec::with_capacity(items.len());
    for (name, item) in items {
        names::check(name, &item.place, problems);
        names.claim(name, "source", &item.place, problems);
        let Some(table) = item.table() else { continue };
        sources.push(source(name, table, paths, topics, problems));
    }
    sources
}

fn source(
    name: &str,
    mut table: Table<'_>,
    paths: &mut Paths<'_>,
    topics: &mut TopicUses<'_>,
    problems: &Problems,
) -> SourceDraft {
    let mut draft = SourceDraft {
        place: table.place.clone(),
        name: name.into(),
        kind: None,
        schema: None,
        readable_again: true,
        follows: None,
        on_error: ErrorPolicy::default(),
        on_error_place: table.place.clone(),
    };
    let kind = table.required("kind", KIND_HELP);
    let Some(kind) = kind.and_then(|item| item.choice(&KINDS)) else {
        // Without its kind nothing is known of the other keys.
        return draft;
    };
    if let Some(item) = table.optional("on_error") {
        draft.on_error_place = item.place.clone();
        draft.on_error = item.choice(&POLICIES).unwrap_or_default();
    }
    match kind {
        Kind::File => file(&mut draft, &mut table, paths, problems),
        Kind::Kafka => kafka_source::read(&mut draft, &mut table, topics, problems),
        Kind::Generator => {
            let batches = table.required("batches", "say how many batches of 1000 records to make");
            let batches = batches.and_then(|item| item.integer(1..=COUNT_MAX));
            draft.kind = batches.map(|batches| SourceKind::Generator { batches });
            draft.schema = seed_schema().ok().map(Arc::new);
        }
        Kind::Nexmark => {
            let stream = table.required("stream", "use one of `bid`, `auction`, `person`");
            let stream = stream.and_then(|item| item.choice(&STREAMS));
            let events = table.required("events", "say how many records of the stream to make");
            let events = events.and_then(|item| item.integer(1..=COUNT_MAX));
            draft.kind = stream.zip(events).map(|(stream, events)| SourceKind::Nexmark { stream, events });
            draft.schema = stream.and_then(|stream| nexmark_schema(stream).ok()).map(Arc::new);
        }
    }
    table.finish(match kind {
        Kind::File => "a file source",
        Kind::Kafka => "a kafka source",
        Kind::Generator => "a generator source",
        Kind::Nexmark => "a nexmark source",
    });
    draft
}

/// A path of the source, with the place that names it.
struct SourceFile<'a> {
    place: Place,
    written: &'a str,
    path: PathBuf,
    /// Not a pipe, of which what is looked at now could not be read again.
    regular: bool,
}

fn file(draft: &mut SourceDraft, table: &mut Table<'_>, paths: &mut Paths<'_>, problems: &Problems) {
    let declared_item = table.optional("schema");
    let declared = declared_item.as_ref().and_then(schema::declared);
    let infer_item = table.optional("infer");
    let infer = infer_item.as_ref().and_then(Item::boolean).unwrap_or(false);
    if let (Some(_), Some(item), true) = (&declared_item, &infer_item, infer) {
        item.error("the schema is declared as well", "leave out `infer` or `schema`");
    }

    let on_change = table.optional("on_change");
    let follows = on_change.as_ref().map_or(Some(OnChange::Fail), |item| item.choice(&ON_CHANGE));
    draft.follows = on_change.filter(|_| follows == Some(OnChange::Follow)).map(|item| item.place);

    let written = written_paths(table, problems);
    let format_item = table.optional("format");
    let Some(written) = written else { return };
    let format = match &format_item {
        Some(item) => item.choice(&readable_formats()),
        None => format_of_suffixes(&written, problems),
    };
    let csv = csv::options(table, format.map(Format::name), &written, problems);
    let mut files = Vec::with_capacity(written.len());
    let mut complete = csv.is_some();
    for (place, written) in written {
        match paths.input(&place, written, problems) {
            Some(InputFile { path, regular }) => files.push(SourceFile { place, written, path, regular }),
            None => complete = false,
        }
    }
    let Some((format, csv)) = format.zip(csv) else { return };
    for file in files.iter().filter(|file| !file.regular && format.carries_schema()) {
        let message = format!("`{}` is no regular file, and {format} is read from those only", clip(file.written));
        problems.error(&file.place, message, "save it to a file first");
        complete = false;
    }

    for file in files.iter().filter(|file| !file.regular) {
        if let Some(place) = &draft.follows {
            let message = format!("`{}` is no regular file, and has nothing to go back to", clip(file.written));
            problems.error(place, message, "leave out `on_change`");
            complete = false;
        }
    }

    draft.schema = declared.clone();
    if declared_item.is_none() {
        if format == Format::Csv && !csv.header {
            let place = table.place.child("schema", table.place.offset);
            let message = "missing: the file has no header, so that the names come from `schema`";
            problems.error(&place, message, "declare every field, in the order of the file");
        } else if infer || format.carries_schema() {
            draft.schema = common_schema(&files, format, &csv, paths.folders(), problems).filter(|_| complete);
        } else {
            let help =
                "declare it, for example `schema = { delay = \"i64\", origin = \"utf8?\" }`, or set `infer = true`";
            problems.error(
                &table.place.child("schema", table.place.offset),
                format!("missing: {format} files carry no schema"),
                help,
            );
        }
    } else if let (Some(item), Some(declared), Format::Csv) = (&declared_item, &declared, format) {
        if csv.header {
            check_header(item, declared, &files, &csv, paths.folders(), problems);
        }
    } else if let (Some(item), Some(declared)) = (&declared_item, &declared)
        && (!format.carries_schema() || schema::check_units(item, declared, format))
    {
        check_declared(item, declared, &files, format, paths.folders(), problems);
    }
    draft.readable_again = files.iter().all(|file| file.regular);
    let all = files.into_iter().map(|file| file.path).collect();
    let declared = declared_item.is_some();
    let kind = |on_change| SourceKind::File { paths: all, format, declared, csv, on_change };
    draft.kind = follows.filter(|_| complete).map(kind);
}

/// `path` or `paths`, whichever stands there.
fn written_paths<'a>(table: &mut Table<'a>, problems: &Problems) -> Option<Vec<(Place, &'a str)>> {
    match (table.optional("path"), table.optional("paths")) {
        (Some(item), None) => Some(vec![(item.place.clone(), item.text()?)]),
        (None, Some(item)) => item.texts(),
        (Some(_), Some(item)) => {
            item.error("`path` is given as well", "leave out one of them");
            None
        }
        (None, None) => {
            let place = table.place.child("path", table.place.offset);
            problems.error(&place, "missing", "name the file, or several as `paths = [\"a.csv\", \"b.csv\"]`");
            None
        }
    }
}

fn format_of_suffixes(written: &[(Place, &str)], problems: &Problems) -> Option<Format> {
    let mut common: Option<Format> = None;
    for (place, path) in written {
        let Some(format) = Format::from_suffix(Path::new(path)) else {
            let help = format!("add `format`, one of {}", readable_names());
            problems.error(place, format!("the suffix of `{}` does not tell the format", clip(path)), help);
            return None;
        };
        if !format.can_decode() {
            let help = format!("use one of {}", readable_names());
            problems.error(place, format!("{format} files can be written but not read"), help);
            return None;
        }
        if let Some(common) = common.filter(|common| *common != format) {
            let message = format!("a {format} file among {common} files");
            problems.error(place, message, "make a source of its own for each format");
            return None;
        }
        common = Some(format);
    }
    common
}

/// The schema that reads every file.
fn common_schema(
    files: &[SourceFile<'_>],
    format: Format,
    csv: &CsvOptions,
    folders: &Folders,
    problems: &Problems,
) -> Option<Arc<Schema>> {
    let mut common: Option<(Inferred, &str)> = None;
    for file in files {
        if !file.regular {
            let message =
                format!("`{}` is no regular file, and cannot be looked at before it is read", clip(file.written));
            problems.error(&file.place, message, "declare `schema`");
            return None;
        }
        let found = match inferred(file, format, csv, folders, problems) {
            Ok(Some(found)) => found,
            // Nothing is in it, and nothing is known of it.
            Ok(None) => continue,
            Err(error) => {
                problems.error(&file.place, unreadable(file, format, &error), "");
                return None;
            }
        };
        common = Some(match common {
            None => (found, file.written),
            Some((first, first_path)) => match first.with(&found) {
                Some(both) => (both, first_path),
                None => {
                    let (schema, first) = (found.schema, first.schema);
                    let message =
                        format!("`{}` holds ({schema}), `{}` ({first})", clip(file.written), clip(first_path));
                    problems.error(&file.place, message, "files of one source need the same fields: declare `schema`");
                    return None;
                }
            },
        });
    }
    if common.is_none()
        && let Some(file) = files.first()
    {
        problems.error(
            &file.place,
            format!("`{}` is empty: nothing tells its fields", clip(file.written)),
            "declare `schema`",
        );
    }
    common.map(|(found, _)| Arc::new(found.schema))
}

/// What a file carries or its first records tell; `None` of text that is empty.
fn inferred(
    file: &SourceFile<'_>,
    format: Format,
    csv: &CsvOptions,
    folders: &Folders,
    problems: &Problems,
) -> Result<Option<Inferred>, String> {
    let open = || folders.open(&file.path).map_err(|error| error.to_string());
    let empty = match format {
        Format::Csv => csv_header(open()?, csv).map_err(|error| error.to_string())?.is_none(),
        Format::JsonLines => open()?.metadata().is_ok_and(|metadata| metadata.len() == 0),
        _ => false,
    };
    if empty {
        return Ok(None);
    }
    let found = match format {
        Format::Csv => infer_csv(open()?, INFER_ROWS_MAX, csv).map_err(|error| error.to_string())?,
        _ => readable_of(file, format, folders)?,
    };
    let Inferred { schema, left_out, .. } = &found;
    let what = if format == Format::JsonLines { "field" } else { "column" };
    for column in left_out.iter().take(LEFT_OUT_SHOWN) {
        let (name, reason) = (clip(&column.name), &column.reason);
        problems.warning(&file.place, format!("{what} `{name}` of `{}` is left out: {reason}", clip(file.written)), "");
    }
    let more = left_out.len().saturating_sub(LEFT_OUT_SHOWN);
    if more > 0 {
        let message = format!("{more} more {what}s of `{}` are left out", clip(file.written));
        problems.warning(&file.place, message, "`weir schema` lists them all");
    }
    if schema.is_empty() {
        return Err("none of its columns can be read".to_owned());
    }
    Ok(Some(found))
}

/// Looks for the declared fields in the headers of CSV files. Other columns may have any names.
fn check_header(
    item: &Item<'_>,
    declared: &Schema,
    files: &[SourceFile<'_>],
    csv: &CsvOptions,
    folders: &Folders,
    problems: &Problems,
) {
    let Some(table) = item.table() else { return };
    for file in files.iter().filter(|file| file.regular) {
        let open = folders.open(&file.path).map_err(|error| error.to_string());
        let header = match open.and_then(|open| csv_header(open, csv).map_err(|error| error.to_string())) {
            Ok(Some(header)) => header,
            // An empty file needs no header.
            Ok(None) => continue,
            Err(error) => {
                problems.error(&file.place, unreadable(file, Format::Csv, &error), "");
                continue;
            }
        };
        let mut times: HashMap<&str, usize> = HashMap::with_capacity(header.len());
        header.iter().for_each(|name| *times.entry(name).or_default() += 1);
        for field in declared.fields() {
            let place = || table.get(&field.name).map_or_else(|| item.place.clone(), |item| item.place);
            match times.get(&*field.name) {
                Some(1) => {}
                None => {
                    let message = format!("`{}` has no such field", clip(file.written));
                    let names = header.iter().take(NAMES_SHOWN).map(String::as_str);
                    problems.error(&place(), message, suggest(&field.name, names, "it has"));
                }
                Some(_) => {
                    let message = format!("`{}` has more than one column of this name", clip(file.written));
                    problems.error(&place(), message, "leave it out, or rename one of them in the file");
                }
            }
        }
    }
}

/// Compares a declared schema with what the files say of themselves. Nulls are not compared: where the schema admits
/// none, a record that holds one is a record that does not decode.
fn check_declared(
    item: &Item<'_>,
    declared: &Schema,
    files: &[SourceFile<'_>],
    format: Format,
    folders: &Folders,
    problems: &Problems,
) {
    // Lines of JSON are told record by record only.
    if format == Format::JsonLines {
        return;
    }
    let Some(table) = item.table() else { return };
    let mut all = Vec::with_capacity(files.len());
    let mut read = Vec::with_capacity(files.len());
    for file in files.iter().filter(|file| file.regular) {
        match readable_of(file, format, folders) {
            Ok(found) => {
                all.push(found);
                read.push(file);
            }
            Err(error) => problems.error(&file.place, unreadable(file, format, &error), ""),
        }
    }
    for (file, Inferred { schema: found, left_out, .. }) in read.into_iter().zip(&all) {
        for field in declared.fields() {
            let place = table.get(&field.name).map_or_else(|| item.place.clone(), |item| item.place);
            match found.field(&field.name) {
                // Columns that are not declared may be anything.
                None if left_out.iter().any(|column| column.name == *field.name) => {
                    let column = left_out.iter().find(|column| column.name == *field.name);
                    let reason = column.map(|column| column.reason.as_str()).unwrap_or_default();
                    let message = format!("`{}` has a column that cannot be read: {reason}", clip(file.written));
                    problems.error(&place, message, "leave it out");
                }
                None => {
                    let message = format!("`{}` has no such field", clip(file.written));
                    let names = found.fields().iter().map(|field| &*field.name);
                    problems.error(&place, message, suggest(&field.name, names, "it has"));
                }
                Some(carried) if !carried.data_type.widens_to(field.data_type) => {
                    let message = format!("`{}` holds {carried}", clip(file.written));
                    // What every file can be read as.
                    let common = all.iter().map(|found| found.schema.field(&field.name).map(|field| field.data_type));
                    let common = common.flatten().map(Some).reduce(|one, two| one?.widened(two?)).flatten();
                    let help = common.map_or_else(
                        || "no type holds the values of all files: make a source of its own of this one".to_owned(),
                        |common| format!("declare it as {common}"),
                    );
                    problems.error(&place, message, help);
                }
                Some(_) => {}
            }
        }
    }
}

/// The columns of a file that can be read, and those that cannot.
fn readable_of(file: &SourceFile<'_>, format: Format, folders: &Folders) -> Result<Inferred, String> {
    let open = folders.open(&file.path).map_err(|error| error.to_string())?;
    infer(format, open, INFER_ROWS_MAX).map_err(|error| error.to_string())
}

fn unreadable(file: &SourceFile<'_>, format: Format, error: &str) -> String {
    format!("`{}` cannot be read as {format}: {error}", clip(file.written))
}

fn readable_formats() -> Vec<(&'static str, Format)> {
    Format::ALL.into_iter().filter(|format| format.can_decode()).map(|format| (format.name(), format)).collect()
}

fn readable_names() -> String {
    readable_formats().iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
