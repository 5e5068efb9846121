//! What the sources are asked before a commit.

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::run::error::Cause;
use crate::run::ids::{Nodes, SourceId};
use crate::run::running_source::RunningSource;
use weir_sources::SourceError;

/// Asked, each with its name.
pub(super) struct Vouching(Vec<(String, JoinHandle<Result<(), SourceError>>)>);

/// Has the sources make sure, while the sinks are flushed, that what was read is of the topics that it was taken for.
pub(super) fn vouch(sources: &Nodes<SourceId, RunningSource<'_>>) -> Vouching {
    let mut asked = Vec::new();
    for source in sources.iter().filter(|source| !source.positions.is_empty()) {
        if let Some(keeper) = source.keeper.as_ref().map(Arc::clone) {
            let positions = source.positions.clone();
            asked.push((source.plan.name.to_string(), tokio::spawn(async move { keeper.vouch(&positions).await })));
        }
    }
    Vouching(asked)
}

impl Vouching {
    pub(super) async fn done(self) -> Result<(), Cause> {
        for (name, asked) in self.0 {
            let answer = asked.await.unwrap_or_else(|error| Err(SourceError::Thread(error.to_string())));
            answer.map_err(|source| Cause::Source { name, source })?;
        }
        Ok(())
    }
}
