//! Resolves drafts of sources.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_batch::Schema;
use weir_config::{
    ErrorPolicy, FileSourceKeys, GeneratorKeys, KeyPlace, NexmarkKeys, Problems, SourceDraft, SourceKindDraft,
    WrittenText, clip, suggest,
};
use weir_formats::{CsvOptions, Format, Inferred, csv_header, infer, infer_csv};

use super::absent::Part;
use super::context::Context;
use super::csv;
use super::custom;
use super::kafka_source;
use super::paths::InputFile;
use super::schema::{self, Declared};
use super::source_plan::SourceKind;
use super::words;
use weir_files::Folders;
use weir_sources::{OnChange, nexmark_schema, seed_schema};

/// A source, as far as it could be resolved. `None` means an error that has been reported.
pub(super) struct SourcePart {
    pub(super) place: KeyPlace,
    pub(super) name: Arc<str>,
    pub(super) kind: Option<SourceKind>,
    pub(super) schema: Option<Arc<Schema>>,
    /// Whether it can be read again, unlike a pipe.
    pub(super) readable_again: bool,
    /// The place of `on_change = "follow"`, if it is set.
    pub(super) follows: Option<KeyPlace>,
    pub(super) on_error: ErrorPolicy,
    /// The place of `on_error`, for the check that dead letters have a destination.
    pub(super) on_error_place: KeyPlace,
}

/// The maximum number of records from which a file's schema is inferred.
pub const INFER_ROWS_MAX: usize = 1000;

/// The maximum number of names in a header among which a similar name is searched.
const NAMES_SHOWN: usize = 4096;

/// The maximum number of columns that are named in a warning about columns that are left out.
const LEFT_OUT_SHOWN: usize = 16;

/// Resolves a source.
pub(super) fn resolve(draft: &SourceDraft, cx: &mut Context<'_>) -> SourcePart {
    let mut part = SourcePart {
        place: draft.place.clone(),
        name: draft.name.as_str().into(),
        kind: None,
        schema: None,
        readable_again: true,
        follows: None,
        on_error: draft.on_error.value.unwrap_or_default(),
        on_error_place: draft.on_error.place_or(&draft.place).clone(),
    };
    match &draft.kind {
        None => {}
        Some(SourceKindDraft::File(keys)) => file(&mut part, keys, cx),
        Some(SourceKindDraft::Kafka(keys)) => {
            Part::Kafka.require(&draft.kind_place, cx.problems);
            (part.kind, part.schema) = kafka_source::resolve(keys, &part.place, cx);
        }
        Some(SourceKindDraft::Generator(GeneratorKeys { batches })) => {
            part.kind = batches.value.map(|batches| SourceKind::Generator { batches });
            part.schema = seed_schema().ok().map(Arc::new);
        }
        Some(SourceKindDraft::Nexmark(NexmarkKeys { stream, events })) => {
            Part::Nexmark.require(&draft.kind_place, cx.problems);
            let stream = stream.value.map(words::nexmark);
            part.kind = stream.zip(events.value).map(|(stream, events)| SourceKind::Nexmark { stream, events });
            part.schema = stream.and_then(|stream| nexmark_schema(stream).ok()).map(Arc::new);
        }
        Some(SourceKindDraft::Custom(keys)) => {
            let source = custom::source(keys, cx);
            part.schema = source.as_ref().and_then(|source| source.schema().ok()).map(Arc::new);
            part.kind = source.map(SourceKind::Custom);
        }
    }
    part
}

/// A path of the source, with the place of its key.
struct SourceFile {
    place: KeyPlace,
    written: String,
    path: PathBuf,
    /// Whether it is a regular file: what is read from a pipe for a check could not be read again.
    regular: bool,
}

fn file(part: &mut SourcePart, keys: &FileSourceKeys, cx: &mut Context<'_>) {
    let problems = cx.problems;
    let declared = schema::declared(&keys.schema, problems);
    let is_declared = keys.schema.is_given();
    let infer = keys.infer.value.unwrap_or(false);
    if let (true, Some(place), true) = (is_declared, &keys.infer.place, infer) {
        problems.error(place, "`schema` is also set", "remove `infer` or `schema`");
    }
    let on_change = keys.on_change.value.map(words::on_change);
    part.follows = keys.on_change.place.clone().filter(|_| on_change == Some(OnChange::Follow));

    let Some(written) = keys.written(&part.place, problems) else { return };
    let format = match keys.format.is_given() {
        true => keys.format.value.map(words::read_format),
        false => format_of_suffixes(&written, problems),
    };
    let csv = csv::options(&keys.csv, &part.place, format.map(Format::name), &written, problems);
    let mut files = Vec::with_capacity(written.len());
    let mut complete = csv.is_some();
    for WrittenText { place, text } in written {
        match cx.paths.input(&place, &text) {
            Some(InputFile { path, regular }) => files.push(SourceFile { place, written: text, path, regular }),
            None => complete = false,
        }
    }
    let Some((format, csv)) = format.zip(csv) else { return };
    for file in files.iter().filter(|file| !file.regular && format.carries_schema()) {
        let message = format!("`{}` is not a regular file, which {format} requires", clip(&file.written));
        problems.error(&file.place, message, "save it to a file first");
        complete = false;
    }

    for file in files.iter().filter(|file| !file.regular) {
        if let Some(place) = &part.follows {
            let message = format!("`{}` is not a regular file, so a change cannot be followed", clip(&file.written));
            problems.error(place, message, "remove `on_change`");
            complete = false;
        }
    }

    let folders = cx.paths.folders();
    part.schema = declared.as_ref().map(|declared| Arc::clone(&declared.schema));
    if !is_declared {
        let missing = part.place.child("schema", part.place.offset);
        if format == Format::Csv && !csv.header {
            let message = "missing: the file has no header, so `schema` must name the fields";
            problems.error(&missing, message, "declare every field, in the order of the file");
        } else if infer || format.carries_schema() {
            part.schema = common_schema(&files, format, &csv, folders, problems).filter(|_| complete);
        } else {
            let help = "declare the fields, for example `schema = { delay = \"i64\", origin = \"utf8?\" }`, or set `infer = true`";
            problems.error(&missing, format!("missing: {format} files have no schema"), help);
        }
    } else if let Some(declared) = &declared {
        if format == Format::Csv {
            if csv.header {
                check_header(declared, &files, &csv, folders, problems);
            }
        } else if !format.carries_schema() || declared.check_units(format, problems) {
            check_declared(declared, &files, format, folders, problems);
        }
    }
    part.readable_again = files.iter().all(|file| file.regular);
    let all = files.into_iter().map(|file| file.path).collect();
    let kind = |on_change| SourceKind::File { paths: all, format, declared: is_declared, csv, on_change };
    part.kind = on_change.filter(|_| complete).map(kind);
}

fn format_of_suffixes(written: &[WrittenText], problems: &Problems) -> Option<Format> {
    let mut common: Option<Format> = None;
    for WrittenText { place, text: path } in written {
        let Some(format) = Format::from_suffix(Path::new(path)) else {
            let help = format!("add `format`, one of {}", readable_names());
            problems.error(place, format!("the format cannot be determined from the suffix of `{}`", clip(path)), help);
            return None;
        };
        if !format.can_decode() {
            let help = format!("use one of {}", readable_names());
            problems.error(place, format!("{format} files can only be written, not read"), help);
            return None;
        }
        if let Some(common) = common.filter(|common| *common != format) {
            let message = format!("a {format} file among {common} files");
            problems.error(place, message, "use a separate source for each format");
            return None;
        }
        common = Some(format);
    }
    common
}

/// A schema that fits every file.
fn common_schema(
    files: &[SourceFile],
    format: Format,
    csv: &CsvOptions,
    folders: &Folders,
    problems: &Problems,
) -> Option<Arc<Schema>> {
    let mut common: Option<(Inferred, &str)> = None;
    for file in files {
        if !file.regular {
            let message = format!("`{}` is not a regular file, so its schema cannot be inferred", clip(&file.written));
            problems.error(&file.place, message, "declare `schema`");
            return None;
        }
        let found = match inferred(file, format, csv, folders, problems) {
            Ok(Some(found)) => found,
            // The file is empty, so its schema is unknown.
            Ok(None) => continue,
            Err(error) => {
                problems.error(&file.place, unreadable(file, format, &error), "");
                return None;
            }
        };
        common = Some(match common {
            None => (found, file.written.as_str()),
            Some((first, first_path)) => match first.with(&found) {
                Some(both) => (both, first_path),
                None => {
                    let (schema, first) = (found.schema, first.schema);
                    let message =
                        format!("`{}` holds ({schema}), `{}` ({first})", clip(&file.written), clip(first_path));
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
            format!("`{}` is empty, so its fields are unknown", clip(&file.written)),
            "declare `schema`",
        );
    }
    common.map(|(found, _)| Arc::new(found.schema))
}

/// The schema in a file, or the one inferred from its first records; `None` for an empty text file.
fn inferred(
    file: &SourceFile,
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
        problems.warning(
            &file.place,
            format!("{what} `{name}` of `{}` is left out: {reason}", clip(&file.written)),
            "",
        );
    }
    let more = left_out.len().saturating_sub(LEFT_OUT_SHOWN);
    if more > 0 {
        let message = format!("{more} more {what}s of `{}` are left out", clip(&file.written));
        problems.warning(&file.place, message, "`weir schema` lists them all");
    }
    if schema.is_empty() {
        return Err("none of its columns can be read".to_owned());
    }
    Ok(Some(found))
}

/// Checks that the headers of CSV files contain the declared fields. Other columns may have any names.
fn check_header(
    declared: &Declared<'_>,
    files: &[SourceFile],
    csv: &CsvOptions,
    folders: &Folders,
    problems: &Problems,
) {
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
        for field in declared.schema.fields() {
            let place = declared.place_of(&field.name);
            match times.get(&*field.name) {
                Some(1) => {}
                None => {
                    let message = format!("`{}` has no such field", clip(&file.written));
                    let names = header.iter().take(NAMES_SHOWN).map(String::as_str);
                    problems.error(place, message, suggest(&field.name, names, "it has"));
                }
                Some(_) => {
                    let message = format!("`{}` has more than one column of this name", clip(&file.written));
                    problems.error(place, message, "remove it, or rename one of them in the file");
                }
            }
        }
    }
}

/// Compares a declared schema with those in the files. Nullability is not compared: a record with a null in a field that is not
/// nullable is a bad record.
fn check_declared(
    declared: &Declared<'_>,
    files: &[SourceFile],
    format: Format,
    folders: &Folders,
    problems: &Problems,
) {
    // JSON lines have no schema to compare.
    if format == Format::JsonLines {
        return;
    }
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
        for field in declared.schema.fields() {
            let place = declared.place_of(&field.name);
            match found.field(&field.name) {
                // Columns that are not declared are ignored.
                None if left_out.iter().any(|column| column.name == *field.name) => {
                    let column = left_out.iter().find(|column| column.name == *field.name);
                    let reason = column.map(|column| column.reason.as_str()).unwrap_or_default();
                    let message = format!("`{}` has a column that cannot be read: {reason}", clip(&file.written));
                    problems.error(place, message, "remove it");
                }
                None => {
                    let message = format!("`{}` has no such field", clip(&file.written));
                    let names = found.fields().iter().map(|field| &*field.name);
                    problems.error(place, message, suggest(&field.name, names, "it has"));
                }
                Some(carried) if !carried.data_type.widens_to(field.data_type) => {
                    let message = format!("`{}` holds {carried}", clip(&file.written));
                    // The type as which every file can be read.
                    let common = all.iter().map(|found| found.schema.field(&field.name).map(|field| field.data_type));
                    let common = common.flatten().map(Some).reduce(|one, two| one?.widened(two?)).flatten();
                    let help = common.map_or_else(
                        || "no type holds the values of all files: use a separate source for this file".to_owned(),
                        |common| format!("declare it as {common}"),
                    );
                    problems.error(place, message, help);
                }
                Some(_) => {}
            }
        }
    }
}

/// The columns of a file that can be read, and the others.
fn readable_of(file: &SourceFile, format: Format, folders: &Folders) -> Result<Inferred, String> {
    let open = folders.open(&file.path).map_err(|error| error.to_string())?;
    infer(format, open, INFER_ROWS_MAX).map_err(|error| error.to_string())
}

fn unreadable(file: &SourceFile, format: Format, error: &str) -> String {
    format!("`{}` cannot be read as {format}: {error}", clip(&file.written))
}

fn readable_formats() -> Vec<(&'static str, Format)> {
    Format::ALL.into_iter().filter(|format| format.can_decode()).map(|format| (format.name(), format)).collect()
}

fn readable_names() -> String {
    readable_formats().iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
