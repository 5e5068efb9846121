//! `weir dead-letters list`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use weir_query::LetterFilter;
use weir_state::{Entry, Letter};
use weir_text::{elide, escape_json};

use super::letters::{Letters, filter, from};
use super::text::time;
use crate::args::dead_letters as args;
use crate::exit::{Exit, say, say_json};

/// Characters of names and messages in a list.
const NAME_CHARS_MAX: usize = 60;
const MESSAGE_CHARS_MAX: usize = 100;

pub(super) fn list(args: &args::List, json: bool) -> anyhow::Result<Exit> {
    let letters = Letters::of(&args.query)?;
    let Some(entries) = letters.read()? else { return Ok(Exit::Done) };
    let out = io::BufWriter::new(io::stdout().lock());
    list_entries(entries, &letters.path, &filter(&args.filter), args.summary, json, out)
}

/// Lists letters as they come. Lines that are no letters are reported and passed over.
fn list_entries(
    entries: impl Iterator<Item = io::Result<Entry>>,
    path: &Path,
    filter: &LetterFilter,
    summary: bool,
    json: bool,
    mut out: impl Write,
) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    for entry in entries {
        let Entry { number, letter, .. } = entry.with_context(|| format!("cannot read {}", path.display()))?;
        let letter = match letter {
            Ok(letter) => letter,
            Err(reason) => {
                exit = Exit::Failed;
                let message = format!("{}:{}: not a dead letter: {reason}", path.display(), number + 1);
                match json {
                    true => say_json(&json!({ "error": message })),
                    false => say(elide(&message, 1000)),
                }
                continue;
            }
        };
        if !filter.admits(number, &letter) {
            continue;
        }
        if summary {
            *counts.entry((letter.place, letter.code)).or_default() += 1;
        } else if json {
            writeln!(out, "{}", escape_json(&as_json(number, &letter).to_string()))?;
        } else {
            writeln!(out, "{}", as_line(number, &letter))?;
        }
    }
    for ((place, code), count) in counts {
        if json {
            let counted = json!({ "place": place, "code": code, "letters": count });
            writeln!(out, "{}", escape_json(&counted.to_string()))?;
        } else {
            writeln!(out, "{count:>9}  {}  {}", elide(&place, NAME_CHARS_MAX), elide(&code, NAME_CHARS_MAX))?;
        }
    }
    out.flush()?;
    Ok(exit)
}

fn as_line(number: u64, letter: &Letter) -> String {
    let name = |text: &str| elide(text, NAME_CHARS_MAX);
    let mut line = format!("{number:>6}  {}  {}", name(&letter.place), name(&letter.code));
    if let Some(from) = from(letter) {
        line = format!("{line}  {from}");
    }
    if let Some(micros) = letter.timestamp_us {
        line = format!("{line}  {}", time(micros));
    }
    format!("{line}  {}", elide(&letter.message, MESSAGE_CHARS_MAX))
}

fn as_json(number: u64, letter: &Letter) -> serde_json::Value {
    json!({
        "number": number,
        "place": letter.place,
        "code": letter.code,
        "message": letter.message,
        "source": letter.source,
        "query": letter.query,
        "tenant": letter.tenant,
        "module": letter.module,
        "function": letter.function,
        "origin": letter.origin,
        "partition": letter.partition,
        "offset": letter.offset,
        "timestamp_us": letter.timestamp_us,
        "line": letter.line,
    })
}
