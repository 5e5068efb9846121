//! Options of CSV.

use std::path::Path;

use weir_config::{CsvKeys, KeyPlace, Problems, QuoteDraft, RecordCsvKeys, WrittenText, clip};
use weir_formats::{CsvOptionError, CsvOptions, Format};

/// The options of a file source or sink at `here`. The first path determines the default delimiter: a tab for `.tsv`. `None` after
/// an error, which has been reported. With another format than CSV, every such key is an error.
pub(super) fn options(
    keys: &CsvKeys,
    here: &KeyPlace,
    format: Option<&str>,
    paths: &[WrittenText],
    problems: &Problems,
) -> Option<CsvOptions> {
    let given = [
        ("delimiter", &keys.delimiter.place),
        ("quote", &keys.quote.place),
        ("header", &keys.header.place),
        ("nulls", &keys.nulls.place),
        ("comment", &keys.comment.place),
    ];
    let given = || given.iter().filter_map(|(key, place)| Some((*key, place.as_ref()?)));
    let mut options = paths.first().map_or_else(CsvOptions::default, |path| CsvOptions::of_path(Path::new(&path.text)));
    // Without a format, these keys cannot be checked.
    let format = format?;
    if format != Format::Csv.name() {
        for (key, place) in given() {
            let message = format!("`{key}` applies only to csv, but the format is {format}");
            problems.error(place, message, format!("remove `{key}`"));
        }
        return given().next().is_none().then_some(options);
    }
    let complete = set(keys, &mut options).is_some();
    if !keys.delimiter.is_given() {
        let delimiter = |path: &WrittenText| CsvOptions::of_path(Path::new(&path.text)).delimiter;
        if let Some(other) = paths.iter().find(|path| delimiter(path) != options.delimiter) {
            let path = clip(&other.text);
            let message = format!("`{path}` and the first file use different delimiters, according to their suffixes");
            problems.error(&other.place, message, "use a separate source for it, or set `delimiter` for all files");
            return None;
        }
    }
    if let Err(CsvOptionError { key, reason, .. }) = options.validate() {
        let place = given().find(|(name, _)| *name == key).map(|(_, place)| place);
        problems.error(place.unwrap_or(here), reason, "");
        return None;
    }
    complete.then_some(options)
}

/// Sets all valid values; `None` if a key is invalid.
fn set(keys: &CsvKeys, options: &mut CsvOptions) -> Option<()> {
    let CsvKeys { delimiter, quote, header, nulls, comment } = keys;
    if delimiter.is_given() {
        options.delimiter = delimiter.value.unwrap_or(options.delimiter);
    }
    options.quote = quote.value.map_or(options.quote, QuoteDraft::character);
    options.header = header.value.unwrap_or(options.header);
    options.nulls = nulls.value.clone().unwrap_or_else(|| options.nulls.clone());
    options.comment = comment.value.or(options.comment);
    let wrong = delimiter.is_wrong() || quote.is_wrong() || header.is_wrong() || nulls.is_wrong() || comment.is_wrong();
    (!wrong).then_some(())
}

/// The options of single records, each the value of a message, without header and comments. `None` after an error, which has been
/// reported.
pub(super) fn record_options(
    keys: &RecordCsvKeys,
    here: &KeyPlace,
    format: Option<&str>,
    problems: &Problems,
) -> Option<CsvOptions> {
    for (key, place) in &keys.misplaced {
        let why = "each message of a topic is one CSV record";
        let (message, help) = match (format, key.as_str()) {
            (None, _) => continue,
            (Some("csv"), "header") => {
                (format!("{why}, without a header"), "remove `header`: fields are in the order of `schema`".to_owned())
            }
            (Some("csv"), _) => (
                format!("{why}, without comment lines"),
                "remove `comment`: skip such records by `on_error`".to_owned(),
            ),
            (Some(format), key) => {
                (format!("`{key}` applies only to csv, but the format is {format}"), format!("remove `{key}`"))
            }
        };
        problems.error(place, message, help);
    }
    options(&keys.csv, here, format, &[], problems).filter(|_| keys.misplaced.is_empty())
}
