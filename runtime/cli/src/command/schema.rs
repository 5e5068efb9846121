//! `weir schema`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, anyhow};
use serde_json::json;
use weir_files::open_input;
use weir_formats::{CsvOptions, Format, Inferred, infer, infer_csv};
use weir_text::escape;

use crate::args;
use crate::exit::{Exit, wrong};

pub(crate) fn schema(args: &args::Schema, json: bool) -> anyhow::Result<Exit> {
    match &args.file {
        Some(file) => of_file(file, args, json),
        None => {
            let schema = if args.query { weir_config::query_schema() } else { weir_config::limits_schema() };
            std::io::stdout().lock().write_all(schema.as_bytes())?;
            Ok(Exit::Done)
        }
    }
}

fn of_file(path: &Path, args: &args::Schema, json: bool) -> anyhow::Result<Exit> {
    let format = format_of(path, args.format.as_deref())?;
    let file = open_input(path).with_context(|| path.display().to_string()).map_err(wrong)?;
    let found = match format {
        Format::Csv => infer_csv(file, args.records_max, &CsvOptions::of_path(path)),
        format => infer(format, file, args.records_max),
    };
    let Inferred { schema, left_out, .. } = found.map_err(|error| wrong(anyhow!("{}: {error}", path.display())))?;
    let mut stdout = std::io::stdout().lock();
    if json {
        let fields: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| json!({ "name": &*field.name, "type": field.data_type.name(), "nullable": field.nullable }))
            .collect();
        let left_out: Vec<_> =
            left_out.iter().map(|column| json!({ "name": column.name, "reason": column.reason })).collect();
        writeln!(stdout, "{}", json!({ "format": format.name(), "fields": fields, "left_out": left_out }))?;
        return Ok(Exit::Done);
    }
    writeln!(stdout, "schema = {{")?;
    for field in schema.fields() {
        let null = if field.nullable { "?" } else { "" };
        writeln!(stdout, "  {} = \"{}{null}\",", toml_key(&field.name), field.data_type)?;
    }
    writeln!(stdout, "}}")?;
    // No query can read these, and none has to.
    for column in &left_out {
        writeln!(stdout, "# left out: {}: {}", escape(&column.name), escape(&column.reason))?;
    }
    Ok(Exit::Done)
}

/// The format said, or the one that the suffix tells.
pub(crate) fn format_of(file: &Path, said: Option<&str>) -> anyhow::Result<Format> {
    match said {
        Some(name) => name.parse::<Format>().map_err(|error| wrong(anyhow!("--format: {error}"))),
        None => Format::from_suffix(file).ok_or_else(|| {
            wrong(anyhow!("{}: the format cannot be determined from the suffix: use --format", file.display()))
        }),
    }
}

/// A TOML key, quoted where it must be.
fn toml_key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { name.to_owned() } else { format!("{name:?}") }
}
