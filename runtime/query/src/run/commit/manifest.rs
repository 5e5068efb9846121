//! Sinks prepare, a manifest names what they prepared together with the positions, and sinks publish.

use async_trait::async_trait;

use super::{Commit, Kept, Work, prepare_all, publish_all, vouch};
use crate::run::error::Cause;
use crate::run::failpoint::failpoint;

/// The manifest's rename is the commit. What it names is published by the next run, where this one does not come to it.
pub(in crate::run) struct ManifestCommit {
    kept: Kept,
}

impl ManifestCommit {
    pub(in crate::run) fn new(kept: Kept) -> ManifestCommit {
        ManifestCommit { kept }
    }
}

#[async_trait]
impl Commit for ManifestCommit {
    async fn commit(&mut self, work: Work<'_, '_>) -> Result<(), Cause> {
        let vouched = vouch(work.sources);
        let files = prepare_all(work.sinks).await?;
        vouched.done().await?;
        failpoint("commit.prepared");
        self.kept.commit(&work, files).await?;
        failpoint("commit.saved");
        publish_all(work.sinks).await?;
        failpoint("commit.published");
        Ok(())
    }

    async fn settle(&mut self) -> Option<Result<(), Cause>> {
        let saved = self.kept.saved().await?;
        Some(saved.map_err(Cause::from))
    }
}
