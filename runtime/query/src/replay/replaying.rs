//! Taking letters out, running them again, and putting them away.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs::{File, Permissions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_batch::Schema;
use weir_sandbox::Engine;
use weir_sinks::SinkConfig;

use super::divide::{Desk, Fate, direct};
use super::error::ReplayError;
use super::filter::LetterFilter;
use crate::run::{BuildError, Ending, Query, StateFolder, Summary, failpoint, transactions, transactions_name};
use weir_files::Denied;
use weir_letters::{Locked, ReplayPaths, folder_of, lock};
use weir_plan::{DeadLettersPlan, LettersEntrance, LettersPlan, Node, Origins, Plan, SourceKind, SourcePlan};
use weir_state::{Entry, LetterLines};

/// Letters that were taken out, and the query that runs them.
///
/// From here on until [`Replaying::finish`] they are in a file of their own, with `.replaying` behind the name; whatever
/// ends the process, the next replay takes that file up first. In the end it is called `.replayed-1`, `-2`, …, and
/// stays.
pub struct Replay {
    plan: Plan,
    replaying: Replaying,
}

/// What a replay has at hand.
#[derive(Debug)]
pub struct Replaying {
    paths: ReplayPaths,
    // Held for as long as they are replayed.
    _lock: Option<File>,
    /// How many letters there are to replay.
    pub letters: u64,
    /// Whether they are those of a replay that did not finish, whatever the filter says.
    pub resumed: bool,
    /// How many letters the filter left where they are.
    pub left: u64,
    /// How many letters, and lines that are none, stay because they cannot be replayed.
    pub not_replayed: u64,
    /// The first of those.
    pub why_not: Vec<NotReplayed>,
    /// The versions of modules that letters died of, where they are not today's.
    pub other_versions: Vec<OtherVersion>,
}

/// A letter that cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotReplayed {
    /// Its number.
    pub number: u64,
    /// Why not.
    pub reason: String,
}

/// Letters that are replayed by another version of the module than they died of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtherVersion {
    /// The stage.
    pub place: String,
    /// The digest of the version that they died of.
    pub module: String,
    /// How many they are.
    pub letters: u64,
}

/// What came of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replayed {
    /// How many letters were replayed.
    pub letters: u64,
    /// How many letters came of that.
    pub died_again: u64,
    /// Where the replayed letters are kept; `None` where the replay did not come to its end, and the next one goes on.
    pub kept: Option<PathBuf>,
}

/// The maximum number of reasons that are shown one by one.
const REASONS_MAX: usize = 10;

impl Replay {
    /// Takes the letters that are meant out of the query's file, or takes up those of a replay that did not finish.
    /// Everything that can be refused is, before a file is touched.
    ///
    /// # Errors
    ///
    /// A query that is running, or that has no file of letters; a sink that would replace or refuse a file.
    pub fn prepare(plan: Plan, filter: &LetterFilter) -> Result<Replay, ReplayError> {
        let path = plan.dead_letters.as_ref().and_then(DeadLettersPlan::file).ok_or(ReplayError::NoFile)?.to_owned();
        Replay::prepare_from(plan, &path, filter)
    }

    /// As [`Replay::prepare`], of letters that [`crate::TopicLetters`] brought into this file. Those that die again go to
    /// the topic.
    ///
    /// # Errors
    ///
    /// As [`Replay::prepare`].
    pub fn prepare_from(mut plan: Plan, path: &Path, filter: &LetterFilter) -> Result<Replay, ReplayError> {
        let path = path.to_owned();
        // Under the query's own name it would fence a query that is running.
        if transactions(&plan).is_some() {
            plan.delivery.transactional_id = Some(format!("{}.replay", transactions_name(&plan)));
        }
        if plan.folders.output(&path)? != path {
            return Err(Denied::Outside.into());
        }
        check_sinks(&plan)?;
        let folder = plan.folders.folder(folder_of(&path)).map_err(io_error("open the folder of", &path))?;
        let paths = ReplayPaths::of(&path, Arc::new(folder));
        // A query with state that runs is told by this; what stands behind the letters of its last commit is of none.
        let state = plan.delivery.state.as_deref().map(|path| StateFolder::open(path, &plan.folders)).transpose()?;
        let manifest = match &state {
            Some(folder) => folder.load(&plan.name, plan.tenant.as_str())?,
            None => None,
        };
        let committed = manifest.and_then(|manifest| manifest.dead_letter_bytes);
        let mut desk = Desk::new(&plan, filter)?;
        let file = open_letters(&paths)?;
        let (mut replaying, places) = if paths.is_going_on() {
            take_up(&plan, &paths, &mut desk)?
        } else {
            match file {
                Some(file) => take_out(&paths, &file, committed, &mut desk)?,
                None => (Replaying::of(paths.clone()), BTreeSet::new()),
            }
        };
        let versions = std::mem::take(&mut desk.other_versions);
        let version = |((place, module), letters)| OtherVersion { place, module, letters };
        replaying.other_versions = versions.into_iter().map(version).collect();
        let schemas = desk.schemas();
        Ok(Replay { plan: replaying_plan(plan, &paths, &places, &schemas), replaying })
    }

    /// The file of a replay of these letters that is going on, or did not finish.
    pub fn unfinished(letters: &Path) -> Option<PathBuf> {
        ReplayPaths::unfinished(letters)
    }

    /// What there is to replay. With no letters nothing was touched, and there is nothing to run.
    pub fn replaying(&self) -> &Replaying {
        &self.replaying
    }

    /// The query that replays them, made ready; and what is to be told of its end.
    ///
    /// # Errors
    ///
    /// As [`Query::build`]; the letters wait for the next replay then.
    pub async fn build(self, engine: &Engine) -> Result<(Query, Replaying), BuildError> {
        Ok((Query::build(self.plan, engine).await?, self.replaying))
    }
}

impl Replaying {
    fn of(paths: ReplayPaths) -> Replaying {
        Replaying {
            paths,
            _lock: None,
            letters: 0,
            resumed: false,
            left: 0,
            not_replayed: 0,
            why_not: Vec::new(),
            other_versions: Vec::new(),
        }
    }

    /// Puts the letters away if the query has come to the end of them.
    ///
    /// # Errors
    ///
    /// A file that cannot be renamed; the next replay runs the letters again.
    pub fn finish(self, summary: &Summary) -> Result<Replayed, ReplayError> {
        failpoint("replay.ran");
        let kept = match summary.ending {
            Ending::EndOfInput => {
                let path = self.paths.path(&self.paths.replaying);
                let io = io_error("rename", &path);
                let kept = self.paths.put_away().map_err(io)?;
                failpoint("replay.put_away");
                Some(kept)
            }
            Ending::Stopped | Ending::ReaderGone | Ending::Failed => None,
        };
        Ok(Replayed { letters: summary.records_read(), died_again: summary.records_dead(), kept })
    }

    fn note(&mut self, number: u64, fate: &Fate) {
        match fate {
            Fate::Replayed => self.letters += 1,
            Fate::Left => self.left += 1,
            Fate::Not(reason) => {
                self.not_replayed += 1;
                if self.why_not.len() < REASONS_MAX {
                    self.why_not.push(NotReplayed { number, reason: reason.clone() });
                }
            }
        }
    }
}

/// A file without numbers is one whole output: what comes of letters alone can neither be added to it nor take its place.
fn check_sinks(plan: &Plan) -> Result<(), ReplayError> {
    for sink in &plan.sinks {
        if let SinkConfig::File(config) = &sink.config
            && !config.is_numbered()
            && config.path.exists()
        {
            return Err(ReplayError::SinkFile { sink: sink.name.to_string(), path: config.path.clone() });
        }
    }
    Ok(())
}

/// The letters, locked, with what an unfinished replay had left put back; `None` where there is no file.
fn open_letters(paths: &ReplayPaths) -> Result<Option<File>, ReplayError> {
    let (path, name) = (&paths.path(&paths.letters), &*paths.letters);
    loop {
        let file = match paths.folder().read(name) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if paths.put_back().map_err(io_error("put back", path))? {
                    continue;
                }
                return Ok(None);
            }
            Err(error) => return Err(io_error("open", path)(error)),
        };
        match lock(&file, paths.folder(), name).map_err(io_error("lock", path))? {
            Locked::InUse => return Err(ReplayError::InUse { path: path.clone() }),
            Locked::Moved => {}
            Locked::Held if paths.put_back().map_err(io_error("put back", path))? => {}
            Locked::Held => return Ok(Some(file)),
        }
    }
}

type Taken = (Replaying, BTreeSet<Arc<str>>);

/// Takes up what a replay has left that did not finish.
fn take_up(plan: &Plan, paths: &ReplayPaths, desk: &mut Desk<'_>) -> Result<Taken, ReplayError> {
    let path = &paths.path(&paths.replaying);
    let file = paths.folder().read(&paths.replaying).map_err(io_error("open", path))?;
    if lock(&file, paths.folder(), &paths.replaying).map_err(io_error("lock", path))? != Locked::Held {
        return Err(ReplayError::InUse { path: path.clone() });
    }
    let mut replaying = Replaying { resumed: true, ..Replaying::of(paths.clone()) };
    let everything = LetterFilter::default();
    let mut whole = Desk::new(plan, &everything)?;
    for_each(&file, path, None, &mut whole, |entry, fate| {
        if let Fate::Not(reason) = fate {
            return Err(ReplayError::Stuck { path: path.clone(), number: entry.number, reason: reason.clone() });
        }
        replaying.note(entry.number, fate);
        Ok(())
    })?;
    desk.other_versions = std::mem::take(&mut whole.other_versions);
    replaying._lock = Some(file);
    Ok((replaying, whole.places))
}

/// Divides the letters into those that are replayed and those that stay.
fn take_out(
    paths: &ReplayPaths,
    file: &File,
    committed: Option<u64>,
    desk: &mut Desk<'_>,
) -> Result<Taken, ReplayError> {
    let mut replaying = Replaying::of(paths.clone());
    let (letters, new, rest_path) = (paths.path(&paths.letters), paths.path(&paths.new), paths.path(&paths.rest));
    let mode = file.metadata().map_err(io_error("read", &letters))?.permissions();
    let mut chosen = BufWriter::new(create(paths, &paths.new, &mode)?);
    let mut rest = BufWriter::new(create(paths, &paths.rest, &mode)?);
    // The bytes are copied as they are, side by side with the reading.
    let again = paths.folder().read(&paths.letters).map_err(io_error("open", &letters))?;
    let mut again = BufReader::with_capacity(1 << 16, again);
    for_each(file, &letters, committed, desk, |entry, fate| {
        replaying.note(entry.number, fate);
        let (to, path) = match fate {
            Fate::Replayed => (&mut chosen, &new),
            Fate::Left | Fate::Not(_) => (&mut rest, &rest_path),
        };
        copy_line(&mut again, to, entry.bytes).map_err(io_error("write", path))
    })?;
    if replaying.letters == 0 {
        remove(paths, &paths.new)?;
        remove(paths, &paths.rest)?;
        return Ok((replaying, BTreeSet::new()));
    }
    let written = |file: BufWriter<File>, path: &Path| {
        let file = file.into_inner().map_err(|error| io_error("write", path)(error.into_error()))?;
        file.sync_all().map_err(io_error("sync", path))?;
        Ok::<_, ReplayError>(file)
    };
    written(rest, &rest_path)?;
    let chosen = written(chosen, &new)?;
    if lock(&chosen, paths.folder(), &paths.new).map_err(io_error("lock", &new))? != Locked::Held {
        return Err(ReplayError::InUse { path: new });
    }
    paths.folder().sync().map_err(io_error("sync the folder of", &letters))?;
    failpoint("replay.divided");
    paths.folder().rename(&paths.new, &paths.replaying).map_err(io_error("rename", &new))?;
    paths.folder().sync().map_err(io_error("sync the folder of", &letters))?;
    failpoint("replay.taken_out");
    paths.put_back().map_err(io_error("put back", &letters))?;
    failpoint("replay.put_back");
    replaying._lock = Some(chosen);
    Ok((replaying, std::mem::take(&mut desk.places)))
}

/// Shows each entry with its fate, in order, up to `bytes_max` bytes of the file.
fn for_each(
    file: &File,
    path: &Path,
    bytes_max: Option<u64>,
    desk: &mut Desk<'_>,
    mut then: impl FnMut(&Entry, &Fate) -> Result<(), ReplayError>,
) -> Result<(), ReplayError> {
    let read = io_error("read", path);
    let mut lines = LetterLines::new(BufReader::with_capacity(1 << 16, file.take(bytes_max.unwrap_or(u64::MAX))));
    loop {
        let entries = lines.by_ref().take(Desk::ENTRIES).collect::<io::Result<Vec<_>>>();
        let entries = match entries {
            Ok(entries) if entries.is_empty() => return Ok(()),
            Ok(entries) => entries,
            Err(error) => return Err(read(error)),
        };
        let fates = desk.look_at(&entries)?;
        for (entry, fate) in entries.iter().zip(&fates) {
            then(entry, fate)?;
        }
    }
}

/// Copies a line; a last one without an end gets one, so that what comes after it stands on a line of its own.
fn copy_line(from: &mut impl Read, to: &mut impl Write, bytes: u64) -> io::Result<()> {
    let Some(before_end) = bytes.checked_sub(1) else { return Ok(()) };
    let copied = io::copy(&mut from.take(before_end), to)?;
    let mut end = [0];
    from.read_exact(&mut end)?;
    to.write_all(&end)?;
    if copied != before_end {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if end == *b"\n" { Ok(()) } else { to.write_all(b"\n") }
}

/// A new file in place of what an older attempt left, for whom the letters are for.
fn create(paths: &ReplayPaths, name: &OsStr, mode: &Permissions) -> Result<File, ReplayError> {
    let path = paths.path(name);
    let io = io_error("create", &path);
    let wanted = mode.mode() & 0o777;
    let file = paths.folder().create_anew(name, wanted).map_err(&io)?;
    if file.metadata().map_err(&io)?.permissions().mode() & 0o777 != wanted {
        // The mask of this process took bits away. A confined process changes no modes: its file is for fewer users, never for more.
        match file.set_permissions(Permissions::from_mode(wanted)) {
            Err(error) if matches!(error.kind(), io::ErrorKind::Unsupported | io::ErrorKind::PermissionDenied) => {}
            changed => changed.map_err(&io)?,
        }
    }
    Ok(file)
}

fn remove(paths: &ReplayPaths, name: &OsStr) -> Result<(), ReplayError> {
    match paths.folder().remove(name) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &paths.path(name))(error)),
        _ => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path) -> impl Fn(io::Error) -> ReplayError {
    move |source| ReplayError::Io { action, path: path.to_owned(), source }
}

/// The query with letters in place of its sources, and beside what its stages read.
fn replaying_plan(
    mut plan: Plan,
    paths: &ReplayPaths,
    places: &BTreeSet<Arc<str>>,
    schemas: &HashMap<Arc<str>, Arc<Schema>>,
) -> Plan {
    // Of the query as it is, before letters take the places of its sources.
    let of_sources: Vec<Origins> = (0..plan.sources.len()).map(|index| plan.origins(&[Node::Source(index)])).collect();
    let inputs = plan.stages.iter().map(|stage| &stage.inputs).chain(plan.sinks.iter().map(|sink| &sink.inputs));
    let of_inputs: Vec<_> =
        inputs.map(|inputs| (plan.origins(inputs), LettersEntrance::Input(direct(&plan, inputs)))).collect();
    let letters_of = |place: &Arc<str>, origins, entrance| {
        let (path, folder, place) = (paths.path(&paths.replaying), Arc::clone(paths.folder()), Arc::clone(place));
        SourceKind::Letters(Box::new(LettersPlan::new(path, folder, place, entrance, origins)))
    };
    for (source, origins) in plan.sources.iter_mut().zip(of_sources) {
        let entrance = LettersEntrance::Source(source.kind.clone());
        source.kind = letters_of(&source.name, origins, entrance);
    }
    let stages = plan.stages.iter_mut().map(|stage| (&stage.name, &mut stage.inputs));
    let sinks = plan.sinks.iter_mut().map(|sink| (&sink.name, &mut sink.inputs));
    for ((name, inputs), (origins, entrance)) in stages.chain(sinks).zip(of_inputs) {
        let Some(schema) = schemas.get(name).filter(|_| places.contains(name)) else { continue };
        inputs.push(Node::Source(plan.sources.len()));
        let kind = letters_of(name, origins, entrance);
        // All of them decoded when they were taken out: another end than the query's, which is the default, would lose one.
        plan.sources.push(SourcePlan::new(Arc::clone(name), kind, Arc::clone(schema)));
    }
    plan
}
