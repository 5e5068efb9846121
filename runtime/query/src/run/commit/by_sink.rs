//! A sink keeps the positions beside its output.

use async_trait::async_trait;
use weir_sinks::{Sink, SinkError};
use weir_state::StateManifest;

use super::kept::note;
use super::{Commit, Work, keep_positions, vouch};
use crate::run::error::{BuildError, Cause};
use crate::run::failpoint::failpoint;
use crate::run::ids::{Nodes, SinkId};
use crate::run::state::StateError;
use weir_plan::Plan;

/// The sink's own commit is the commit: of its rows and of the query's manifest in one step. Other sinks are flushed before,
/// so that they have each record at least once; and sources whose own system keeps positions are told afterwards.
pub(in crate::run) struct SinkCommit {
    sink: SinkId,
    // Without metrics: these come from the registry at each commit.
    manifest: StateManifest,
}

impl SinkCommit {
    pub(in crate::run) fn new(sink: SinkId, manifest: StateManifest) -> SinkCommit {
        SinkCommit { sink, manifest: StateManifest { metrics: Vec::new(), ..manifest } }
    }

    /// The first sink that keeps positions, with what it has of this query.
    pub(in crate::run) async fn kept_by(
        plan: &Plan,
        sinks: &mut Nodes<SinkId, Box<dyn Sink>>,
    ) -> Result<Option<(SinkId, StateManifest)>, BuildError> {
        for ((id, sink), of_sink) in sinks.pairs_mut().zip(&plan.sinks) {
            let named = |source| BuildError::Sink { name: of_sink.name.to_string(), source };
            let Some(bytes) = sink.kept().await.map_err(named)? else { continue };
            let (query, tenant) = (plan.name.clone(), plan.tenant.to_string());
            if bytes.is_empty() {
                return Ok(Some((id, StateManifest { query, tenant, ..StateManifest::default() })));
            }
            let path = std::path::PathBuf::from(format!("sinks.{}", of_sink.name));
            let manifest = StateManifest::from_bytes(&bytes)
                .map_err(|source| StateError::Manifest { path: path.clone(), source })?;
            if manifest.tenant != tenant {
                return Err(StateError::OtherTenant { path }.into());
            }
            if manifest.query != query {
                let StateManifest { query, tenant, .. } = manifest;
                return Err(StateError::OtherQuery { path, query, tenant }.into());
            }
            return Ok(Some((id, manifest)));
        }
        Ok(None)
    }
}

#[async_trait]
impl Commit for SinkCommit {
    async fn commit(&mut self, work: Work<'_, '_>) -> Result<(), Cause> {
        let vouched = vouch(work.sources);
        let mut flushed = Vec::new();
        for (id, sink) in work.sinks.pairs_mut().filter(|(id, _)| *id != self.sink) {
            flushed.push((id, sink.flush().await?));
        }
        for (id, flushed) in flushed {
            work.sinks[id].answer(flushed).await?;
        }
        vouched.done().await?;
        failpoint("commit.sinks");
        note(&mut self.manifest, &work, Vec::new());
        let manifest = StateManifest { metrics: work.metrics.snapshot().into_stored(), ..self.manifest.clone() };
        let sink = &mut work.sinks[self.sink];
        let path = std::path::PathBuf::from(format!("sinks.{}", sink.name()));
        let bytes = manifest.to_bytes().map_err(|source| StateError::Manifest { path, source })?;
        let done = sink.commit(bytes).await?;
        if sink.answer(done).await?.is_none() {
            // Its reader has gone, and with it the place where positions are kept.
            return Err(Cause::Sink { name: sink.name().to_string(), source: SinkError::ended() });
        }
        failpoint("commit.positions");
        keep_positions(work.sources).await
    }
}
