//! A query's state folder, with what its manifest says.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use weir_sinks::Prepared;

use super::Work;
use crate::run::error::Cause;
use crate::run::metric_state::Snapshot;
use crate::run::open_source::name_in_manifest;
use crate::run::state::{StateError, StateFolder};
use weir_state::{NextNumber, PreparedFile, SourcePositions, StateManifest, WRITER};

/// The folder, and the manifest of the last commit.
pub(in crate::run) struct Kept {
    pub(in crate::run) folder: Arc<StateFolder>,
    /// Without metrics: these come from the registry at each commit.
    pub(in crate::run) manifest: StateManifest,
    // The writing that is under way; it goes on where nobody waits for it any more.
    saving: Option<JoinHandle<Result<(), StateError>>>,
}

/// Manifests that are written at once in this process: each holds a thread, and a disk that is slow for one is for all.
static SAVING: Semaphore = Semaphore::const_new(4);

impl Kept {
    pub(in crate::run) fn new(folder: StateFolder, mut manifest: StateManifest) -> Kept {
        manifest.written_by = WRITER.to_owned();
        Kept { folder: Arc::new(folder), manifest, saving: None }
    }

    /// Writes the manifest of a commit in which these files were prepared.
    pub(super) async fn commit(&mut self, work: &Work<'_, '_>, files: Vec<(String, Prepared)>) -> Result<(), Cause> {
        note(&mut self.manifest, work, files);
        Ok(self.save(work.metrics.snapshot()).await?)
    }

    /// Writes the manifest with these metrics, on a thread that no task of the runtime needs.
    async fn save(&mut self, metrics: Snapshot) -> Result<(), StateError> {
        let (folder, mut manifest) = (Arc::clone(&self.folder), self.manifest.clone());
        let turn = SAVING.acquire().await.map_err(|error| StateError::Thread(error.to_string()))?;
        self.saving = Some(tokio::task::spawn_blocking(move || {
            manifest.metrics = metrics.into_stored();
            let saved = folder.save(&manifest);
            drop(turn);
            saved
        }));
        self.saved().await.unwrap_or(Ok(()))
    }

    /// How the writing that is under way ended; `None` where none is. With a manifest that is written the commit is done,
    /// whatever failed meanwhile.
    pub(super) async fn saved(&mut self) -> Option<Result<(), StateError>> {
        let done = self.saving.as_mut()?.await;
        self.saving = None;
        Some(done.unwrap_or_else(|error| Err(StateError::Thread(error.to_string()))))
    }
}

/// Takes down what a commit is of, in which these files were prepared.
pub(super) fn note(manifest: &mut StateManifest, work: &Work<'_, '_>, files: Vec<(String, Prepared)>) {
    // Whoever may write to the folder may have put anything there.
    manifest.commits = manifest.commits.saturating_add(1);
    manifest.records = manifest.records.saturating_add(work.records);
    let positions = work.sources.iter();
    manifest.keep_sources(
        positions.map(|source| SourcePositions::new(&name_in_manifest(source.plan), &source.positions)).collect(),
    );
    for (sink, prepared) in &files {
        let next = prepared.number.saturating_add(1);
        match manifest.next_numbers.iter_mut().find(|known| known.sink == *sink) {
            Some(known) => known.number = known.number.max(next),
            None => manifest.next_numbers.push(NextNumber { sink: sink.clone(), number: next }),
        }
    }
    let file = |(_, Prepared { hidden, path, number, .. })| PreparedFile { hidden, path, number };
    manifest.files = files.into_iter().map(file).collect();
    manifest.dead_letter_bytes = work.letter_bytes;
}
