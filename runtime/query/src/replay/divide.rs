//! Which letters can be replayed, and are to be.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use weir_batch::Schema;
use weir_formats::FormatError;
use weir_sandbox::ModuleDigest;

use super::filter::LetterFilter;
use weir_letters::{Entrance, Form, LOOKED_AT};
use weir_plan::{LettersEntrance, Node, Plan, SourcePlan};
use weir_state::Entry;
use weir_state::Letter;

/// What becomes of a letter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is replayed.
    Replayed,
    /// It is not meant.
    Left,
    /// It cannot be.
    Not(String),
}

/// Everything that letters of a query are held against.
pub(super) struct Desk<'a> {
    plan: &'a Plan,
    filter: &'a LetterFilter,
    entrances: HashMap<Arc<str>, Entrance>,
    /// The modules of today, by stage.
    modules: HashMap<Arc<str>, String>,
    /// Letters that are replayed, by place.
    pub(super) places: BTreeSet<Arc<str>>,
    /// Letters that are replayed by another version of their module, by place and that version.
    pub(super) other_versions: BTreeMap<(String, String), u64>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(plan: &'a Plan, filter: &'a LetterFilter) -> Result<Desk<'a>, FormatError> {
        let mut entrances = HashMap::new();
        for source in &plan.sources {
            let entrance = LettersEntrance::Source(source.kind.clone());
            entrances.insert(Arc::clone(&source.name), Entrance::of(&entrance, &source.schema, &plan.folders)?);
        }
        for stage in &plan.stages {
            let input = stage.inputs.first().and_then(|node| match *node {
                Node::Source(index) => plan.sources.get(index).map(|source| &source.schema),
                Node::Stage(index) => plan.stages.get(index).map(|stage| &stage.schema),
            });
            if let Some(input) = input {
                let entrance = Entrance::of_input(input, &direct(plan, &stage.inputs))?;
                entrances.insert(Arc::clone(&stage.name), entrance);
            }
        }
        for sink in &plan.sinks {
            let entrance = Entrance::of_input(&sink.schema, &direct(plan, &sink.inputs))?;
            entrances.insert(Arc::clone(&sink.name), entrance);
        }
        let stages = plan.stages.iter();
        let modules =
            stages.map(|stage| (Arc::clone(&stage.name), ModuleDigest::of(&stage.module).to_string())).collect();
        let (places, other_versions) = (BTreeSet::new(), BTreeMap::new());
        Ok(Desk { plan, filter, entrances, modules, places, other_versions })
    }

    /// What is read at each source, stage and sink.
    pub(super) fn schemas(&self) -> HashMap<Arc<str>, Arc<Schema>> {
        self.entrances.iter().map(|(place, entrance)| (Arc::clone(place), Arc::clone(entrance.schema()))).collect()
    }

    /// How many entries are looked at together.
    pub(super) const ENTRIES: usize = LOOKED_AT;

    /// What becomes of each of these.
    pub(super) fn look_at(&mut self, entries: &[Entry]) -> Result<Vec<Fate>, FormatError> {
        let mut fates: Vec<Fate> = entries.iter().map(|entry| self.at_first_sight(entry)).collect();
        // Records are decoded for the sake of it: what does not decode would be lost to the run.
        let mut by_place: BTreeMap<(&str, Form), Vec<(usize, &Letter)>> = BTreeMap::new();
        for (index, (entry, fate)) in entries.iter().zip(&fates).enumerate() {
            if let (Ok(letter), Fate::Replayed) = (&entry.letter, fate) {
                by_place.entry((&letter.place, Form::of(letter))).or_default().push((index, letter));
            }
        }
        for ((place, _), letters) in by_place {
            let Some(entrance) = self.entrances.get_mut(place).filter(|entrance| entrance.must_decode()) else {
                continue;
            };
            let restored = entrance.decode(&letters.iter().map(|(_, letter)| *letter).collect::<Vec<_>>())?;
            for (row, message) in restored.bad {
                let fate = letters.get(row).and_then(|(index, _)| fates.get_mut(*index));
                let not = || Fate::Not(format!("`{place}` now reads {}: {message}", entrance.schema()));
                fate.into_iter().for_each(|fate| *fate = not());
            }
        }
        for (entry, fate) in entries.iter().zip(&fates) {
            if let (Ok(letter), Fate::Replayed) = (&entry.letter, fate) {
                self.note(letter);
            }
        }
        Ok(fates)
    }

    fn at_first_sight(&mut self, entry: &Entry) -> Fate {
        let letter = match &entry.letter {
            Ok(letter) => letter,
            Err(reason) => return Fate::Not(format!("not a dead letter: {reason}")),
        };
        if !self.filter.admits(entry.number, letter) {
            return Fate::Left;
        }
        if letter.query != self.plan.name || letter.tenant != self.plan.tenant.as_str() {
            return Fate::Not(format!("it belongs to query `{}` of tenant `{}`", letter.query, letter.tenant));
        }
        match self.entrances.get_mut(letter.place.as_str()) {
            None => Fate::Not(format!("source, stage or sink `{}` does not exist", letter.place)),
            Some(entrance) => match entrance.refuses(letter) {
                Some(reason) => Fate::Not(reason),
                None => Fate::Replayed,
            },
        }
    }

    fn note(&mut self, letter: &Letter) {
        if let Some((place, _)) = self.entrances.get_key_value(letter.place.as_str()) {
            self.places.insert(Arc::clone(place));
        }
        let Some(then) = &letter.module else { return };
        if self.modules.get(letter.place.as_str()).is_some_and(|now| now != then) {
            *self.other_versions.entry((letter.place.clone(), then.clone())).or_default() += 1;
        }
    }
}

/// The sources that are read directly at these points.
pub(super) fn direct(plan: &Plan, inputs: &[Node]) -> Vec<SourcePlan> {
    let sources = inputs.iter().filter_map(|node| match *node {
        Node::Source(index) => plan.sources.get(index).cloned(),
        Node::Stage(_) => None,
    });
    sources.collect()
}
