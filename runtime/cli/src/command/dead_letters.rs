//! `weir dead-letters`: what a query could not do, listed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use weir_query::{DeadLettersPlan, Entry, Folders, Letter, LetterFilter, LetterLines, Plan, Replay, TopicLetters};

use super::dead_letters_text::{plain, plain_json, time};
use super::files::load;
use super::{dead_letters_replay, dead_letters_show};
use crate::args::dead_letters as args;
use crate::exit::{Exit, say, wrong};

/// Characters of names and messages in a list.
const NAME_CHARS_MAX: usize = 60;
const MESSAGE_CHARS_MAX: usize = 100;

pub(crate) fn dead_letters(args: &args::DeadLetters, json: bool) -> anyhow::Result<Exit> {
    match &args.command {
        args::Command::List(list) => self::list(list, json),
        args::Command::Show(show) => dead_letters_show::show(show, json),
        args::Command::Replay(replay) => dead_letters_replay::replay(replay, json),
    }
}

/// Where a query's letters are.
pub(super) struct Letters {
    pub(super) plan: Plan,
    /// The file; of letters in a topic, the one that they are brought into.
    pub(super) path: PathBuf,
    // Holds that file for as long as it is looked at.
    looked_at: Option<tempfile::TempDir>,
}

impl Letters {
    /// To be looked at: what a topic holds is copied, and stays there.
    pub(super) fn of(query: &args::Query) -> anyhow::Result<Letters> {
        let (plan, path) = find(query)?;
        if plan.dead_letters.as_ref().and_then(DeadLettersPlan::file).is_some() {
            return Ok(Letters { plan, path, looked_at: None });
        }
        let folder = tempfile::tempdir().context("cannot make a folder for the topic's letters")?;
        let copy = folder.path().join("letters.jsonl");
        let copied = plan.folders.open(&path).and_then(|mut from| io::copy(&mut from, &mut File::create(&copy)?));
        match copied {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
            _ => {}
        }
        TopicLetters::fetch(&plan, &copy)?;
        Ok(Letters { plan, path: copy, looked_at: Some(folder) })
    }

    /// To be replayed: what a topic holds is brought into a file beside the query's, and is not brought again.
    pub(super) fn taken(query: &args::Query) -> anyhow::Result<Letters> {
        let (plan, path) = find(query)?;
        if let Some(letters) = TopicLetters::fetch(&plan, &path)? {
            letters.taken()?;
        }
        Ok(Letters { plan, path, looked_at: None })
    }

    /// None where there is no file yet.
    pub(super) fn read(&self) -> anyhow::Result<Option<LetterLines<BufReader<File>>>> {
        // A copy lies outside of the tenant's folders, and holds what the topic does.
        let anywhere = Folders::anywhere();
        let folders = if self.looked_at.is_some() { &anywhere } else { &self.plan.folders };
        match LetterLines::open(&self.path, folders) {
            Ok(lines) => Ok(Some(lines)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(wrong(anyhow::anyhow!("{}: {error}", self.path.display()))),
        }
    }
}

/// The query, and the file that its letters are in or come to: `late.letters.jsonl` beside `late.toml` for those of a topic.
fn find(query: &args::Query) -> anyhow::Result<(Plan, PathBuf)> {
    let plans = load(std::slice::from_ref(&query.file), query.limits.as_deref()).map_err(wrong)?;
    let plan = plans.into_iter().next().context("no query")?;
    let letters = plan.dead_letters.as_ref().context("the query has no `[dead_letters]`").map_err(wrong)?;
    let path = match letters.file() {
        Some(path) => path.to_owned(),
        None => {
            let beside = query.file.with_extension("letters.jsonl");
            plan.folders.output(&beside).map_err(|denied| {
                wrong(anyhow::anyhow!("{}: its file for the topic's letters {denied}", beside.display()))
            })?
        }
    };
    if let Some(replaying) = Replay::unfinished(&path) {
        let text = "holds letters of a replay that has not finished; `weir dead-letters replay` takes it up";
        tracing::warn!("{}: {text}", replaying.display());
    }
    Ok((plan, path))
}

pub(super) fn filter(filter: &args::Filter) -> LetterFilter {
    LetterFilter { place: filter.place.clone(), code: filter.code.clone(), only: None }
}

fn list(args: &args::List, json: bool) -> anyhow::Result<Exit> {
    let letters = Letters::of(&args.query)?;
    let Some(entries) = letters.read()? else { return Ok(Exit::Done) };
    let out = io::BufWriter::new(io::stdout().lock());
    list_entries(entries, &letters.path, &filter(&args.filter), args.summary, json, out)
}

/// Lists letters as they come. What is none is named, and passed over.
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
                let message = format!("{}:{}: no letter: {reason}", path.display(), number + 1);
                say(if json { plain_json(&json!({ "error": message }).to_string()) } else { plain(&message, 1000) });
                continue;
            }
        };
        if !filter.admits(number, &letter) {
            continue;
        }
        if summary {
            *counts.entry((letter.place, letter.code)).or_default() += 1;
        } else if json {
            writeln!(out, "{}", plain_json(&as_json(number, &letter).to_string()))?;
        } else {
            writeln!(out, "{}", as_line(number, &letter))?;
        }
    }
    for ((place, code), count) in counts {
        if json {
            let counted = json!({ "place": place, "code": code, "letters": count });
            writeln!(out, "{}", plain_json(&counted.to_string()))?;
        } else {
            writeln!(out, "{count:>9}  {}  {}", plain(&place, NAME_CHARS_MAX), plain(&code, NAME_CHARS_MAX))?;
        }
    }
    out.flush()?;
    Ok(exit)
}

fn as_line(number: u64, letter: &Letter) -> String {
    let name = |text: &str| plain(text, NAME_CHARS_MAX);
    let mut line = format!("{number:>6}  {}  {}", name(&letter.place), name(&letter.code));
    if let Some(from) = from(letter) {
        line = format!("{line}  {from}");
    }
    if let Some(micros) = letter.timestamp_us {
        line = format!("{line}  {}", time(micros));
    }
    format!("{line}  {}", plain(&letter.message, MESSAGE_CHARS_MAX))
}

/// `flights/3@17`, as far as it is known.
pub(super) fn from(letter: &Letter) -> Option<String> {
    let (origin, partition, offset) = (letter.origin.as_deref(), letter.partition, letter.offset);
    if origin.is_none() && partition.is_none() && offset.is_none() {
        return None;
    }
    let mut from = origin.map(|origin| plain(origin, 200)).unwrap_or_default();
    if let Some(partition) = partition {
        from = format!("{from}/{partition}");
    }
    if let Some(offset) = offset {
        from = format!("{from}@{offset}");
    }
    Some(from)
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
