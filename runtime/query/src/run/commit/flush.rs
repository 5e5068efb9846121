//! Sinks are flushed, and then positions are kept.

use async_trait::async_trait;

use super::{Commit, Kept, Work, close_all, flush_all};
use crate::run::error::Cause;
use crate::run::failpoint::failpoint;
use crate::run::ids::{Nodes, SourceId};
use crate::run::running_source::RunningSource;
use weir_state::Positions;

/// A crash between the two repeats records, and loses none.
pub(in crate::run) struct FlushThenKeep {
    // Where positions are kept that no source's own system keeps, if they are.
    kept: Option<Kept>,
}

impl FlushThenKeep {
    pub(in crate::run) fn new(kept: Option<Kept>) -> FlushThenKeep {
        FlushThenKeep { kept }
    }
}

#[async_trait]
impl Commit for FlushThenKeep {
    async fn commit(&mut self, work: Work<'_, '_>) -> Result<(), Cause> {
        if work.last {
            close_all(work.sinks).await?;
        } else {
            flush_all(work.sinks).await?;
        }
        failpoint("commit.sinks");
        keep_positions(work.sources).await?;
        failpoint("commit.positions");
        match &mut self.kept {
            Some(kept) => kept.commit(&work, Vec::new()).await,
            None => Ok(()),
        }
    }

    fn closes_sinks(&self) -> bool {
        true
    }

    async fn settle(&mut self) -> Option<Result<(), Cause>> {
        let saved = self.kept.as_mut()?.saved().await?;
        Some(saved.map_err(Cause::from))
    }
}

/// Tells the sources' own systems how far they were read.
pub(super) async fn keep_positions(sources: &mut Nodes<SourceId, RunningSource<'_>>) -> Result<(), Cause> {
    for source in sources.iter_mut() {
        let Some(keeper) = source.keeper.as_ref().filter(|_| !source.positions.is_empty()) else { continue };
        match keeper.commit(&source.positions).await {
            Ok(()) => {}
            // Whoever reads the partitions now begins where the last commit was, and repeats what is there already.
            Err(error) if error.is_lost() => {
                tracing::warn!(source = &*source.plan.name, "could not store positions: {error}");
                source.positions = Positions::default();
            }
            Err(error) => return Err(source.failure(error)),
        }
    }
    Ok(())
}
