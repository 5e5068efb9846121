//! Where a query's letters are, and which of them are meant.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use anyhow::Context;
use weir_files::Folders;
use weir_plan::{DeadLettersPlan, Plan};
use weir_query::{LetterFilter, Replay, TopicLetters};
use weir_state::{Letter, LetterLines};
use weir_text::elide;

use crate::args::dead_letters as args;
use crate::command::files::load;
use crate::exit::wrong;

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
        let folder = tempfile::tempdir().context("cannot create a folder for the dead letters of the topic")?;
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
        // A copy is outside of the tenant's folders, and holds what the topic does.
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
                wrong(anyhow::anyhow!("{}: the file for the dead letters of its topic {denied}", beside.display()))
            })?
        }
    };
    if let Some(replaying) = Replay::unfinished(&path) {
        let text = "contains dead letters of an unfinished replay; `weir dead-letters replay` continues it";
        tracing::warn!("{}: {text}", replaying.display());
    }
    Ok((plan, path))
}

pub(super) fn filter(filter: &args::Filter) -> LetterFilter {
    let mut letters = LetterFilter::default();
    letters.place.clone_from(&filter.place);
    letters.code.clone_from(&filter.code);
    letters
}

/// `flights/3@17`, as far as it is known.
pub(super) fn from(letter: &Letter) -> Option<String> {
    let (origin, partition, offset) = (letter.origin.as_deref(), letter.partition, letter.offset);
    if origin.is_none() && partition.is_none() && offset.is_none() {
        return None;
    }
    let mut from = origin.map(|origin| elide(origin, 200)).unwrap_or_default();
    if let Some(partition) = partition {
        from = format!("{from}/{partition}");
    }
    if let Some(offset) = offset {
        from = format!("{from}@{offset}");
    }
    Some(from)
}
