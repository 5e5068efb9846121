//! Reading the keys that say how CSV is written.

use std::path::Path;

use toml::de::DeValue;
use weir_formats::{CsvOptionError, CsvOptions, Format};

use super::problem::{Place, Problems, clip};
use super::table::{Item, Table};

/// The keys, in the order of the docs.
const KEYS: [&str; 5] = ["delimiter", "quote", "header", "nulls", "comment"];

/// Reads the options of a source or sink of files. The first path says the default delimiter: `.tsv` is separated by tabs.
/// `None` where something is wrong, which has been reported. Of another format than CSV every such key is wrong.
pub(super) fn options(
    table: &mut Table<'_>,
    format: Option<&str>,
    paths: &[(Place, &str)],
    problems: &Problems,
) -> Option<CsvOptions> {
    let items: Vec<(&'static str, Item<'_>)> =
        KEYS.into_iter().filter_map(|key| Some((key, table.optional(key)?))).collect();
    let default = paths.first().map_or_else(CsvOptions::default, |(_, path)| CsvOptions::of_path(Path::new(path)));
    // Without its format nothing is known of these keys.
    let format = format?;
    if format != Format::Csv.name() {
        for (key, item) in &items {
            item.error(format!("only csv has a `{key}`, and this is {format}"), format!("leave out `{key}`"));
        }
        return items.is_empty().then_some(default);
    }
    let mut options = default;
    let mut complete = true;
    for (key, item) in &items {
        complete &= read(key, item, &mut options).is_some();
    }
    if !items.iter().any(|(key, _)| *key == "delimiter") {
        let other = paths.iter().find(|(_, path)| CsvOptions::of_path(Path::new(path)).delimiter != options.delimiter);
        if let Some((place, path)) = other {
            let message =
                format!("`{}` and the first file are separated differently, as their suffixes say", clip(path));
            problems.error(place, message, "make a source of its own of it, or set `delimiter` for all");
            complete = false;
        }
    }
    if let Err(CsvOptionError { key, reason }) = options.validate() {
        let place = items.iter().find(|(name, _)| *name == key).map(|(_, item)| item.place.clone());
        problems.error(&place.unwrap_or_else(|| table.place.clone()), reason, "");
        complete = false;
    }
    complete.then_some(options)
}

/// Reads the options of single records, each the value of a message: there is no header among them, and no comment. `None` where something
/// is wrong, which has been reported.
pub(super) fn record_options(
    table: &mut Table<'_>,
    format: Option<&'static str>,
    problems: &Problems,
) -> Option<CsvOptions> {
    if format == Some(Format::Csv.name()) {
        let why = "of a topic each record's value is one record of CSV";
        let mut complete = true;
        for (key, what, help) in [
            (
                "header",
                "there is no header among them",
                "leave out `header`: fields are in the order of `schema`".to_owned(),
            ),
            (
                "comment",
                "there are no comment lines among them",
                "leave out `comment`: skip such records by `on_error`".to_owned(),
            ),
        ] {
            if let Some(item) = table.optional(key) {
                item.error(format!("{why}: {what}"), help);
                complete = false;
            }
        }
        return options(table, format, &[], problems).filter(|_| complete);
    }
    options(table, format, &[], problems)
}

fn read(key: &str, item: &Item<'_>, options: &mut CsvOptions) -> Option<()> {
    match key {
        "delimiter" => options.delimiter = character(item, "write one character, for example `\";\"` or `\"\\t\"`")?,
        "quote" => {
            options.quote = match item.value().as_str() {
                Some("none") => None,
                _ => Some(character(item, "write one character, or `\"none\"` where nothing is quoted")?),
            };
        }
        "header" => options.header = item.boolean()?,
        "comment" => options.comment = Some(character(item, "write one character, for example `\"#\"`")?),
        _ => options.nulls = nulls(item)?,
    }
    Some(())
}

fn character(item: &Item<'_>, help: &str) -> Option<u8> {
    let Some(text) = item.value().as_str() else { return item.wrong_type("a string") };
    match text.as_bytes() {
        &[byte] if byte.is_ascii() => Some(byte),
        _ => {
            item.error(format!("`{}` is not one ASCII character", clip(text)), help);
            None
        }
    }
}

/// A list of texts, of which one may be empty.
fn nulls(item: &Item<'_>) -> Option<Vec<String>> {
    let DeValue::Array(array) = item.value() else { return item.wrong_type("a list of strings") };
    let texts: Option<Vec<String>> =
        array.iter().map(|element| element.get_ref().as_str().map(str::to_owned)).collect();
    match texts {
        Some(texts) => Some(texts),
        None => item.wrong_type("a list of strings"),
    }
}
