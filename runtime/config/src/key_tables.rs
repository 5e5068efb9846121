//! The tables of QUERY.md, made of the descriptions of the keys.

use serde_json::Value as Json;

use crate::json_schema::groups;
use crate::key::Key;

/// Replaces every table between `<!-- keys: NAME -->` and `<!-- end of keys -->` of a Markdown document by what is known of
/// that group of keys.
///
/// # Errors
///
/// A marker that names no group or has no end, and groups that the document leaves out.
pub fn fill_key_tables(document: &str) -> Result<String, String> {
    const BEGIN: &str = "<!-- keys: ";
    const END: &str = "<!-- end of keys -->";
    let groups = groups();
    let mut filled = String::with_capacity(document.len());
    let mut left: Vec<&str> = groups.iter().map(|(name, _)| *name).collect();
    let mut rest = document;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (name, after) = after.split_once(" -->").ok_or("a marker that does not end")?;
        let (_, after) = after.split_once(END).ok_or_else(|| format!("`{name}` has no `{END}`"))?;
        let (_, keys) =
            groups.iter().find(|(other, _)| *other == name).ok_or_else(|| format!("there are no keys `{name}`"))?;
        left.retain(|other| *other != name);
        filled.push_str(&format!("{before}{BEGIN}{name} -->\n{}{END}", table(keys)));
        rest = after;
    }
    filled.push_str(rest);
    if left.is_empty() { Ok(filled) } else { Err(format!("the document has no table of {}", left.join(", "))) }
}

fn table(keys: &[Key]) -> String {
    let mut table = String::from("| key | values | default | |\n|---|---|---|---|\n");
    for key in keys {
        let default = match (&key.default, key.required) {
            (_, true) => "required".to_owned(),
            (Json::Null, _) => String::new(),
            (Json::String(text), _) => format!("`{text}`"),
            (Json::Number(number), _) => number_of(key.name, number.as_u64().unwrap_or_default()),
            (other, _) => format!("`{other}`"),
        };
        let cells = [format!("`{}`", key.name), key.values.clone(), default, key.doc.clone()];
        table.push_str(&format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
    }
    table
}

/// A number, and whole KiB, MiB or GiB beside it where the key counts bytes.
fn number_of(name: &str, number: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let unit = units.iter().find(|(shift, _)| number > 0 && number.trailing_zeros() >= *shift);
    match unit.filter(|_| name.contains("bytes")) {
        Some((shift, unit)) => format!("{number} ({} {unit})", number >> shift),
        None => number.to_string(),
    }
}
