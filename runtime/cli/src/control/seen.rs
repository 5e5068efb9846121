//! What a process tells of a query, as far as people are shown it.

use serde::Deserialize;
use weir_query::{Extent, SinkProgress, SourceProgress, StageProgress};

/// A report. Fields that a newer process adds are left alone, and its states are shown as it names them; numbers that an
/// older one lacks are an error, not zero.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) query: String,
    pub(crate) tenant: String,
    pub(crate) uptime_ms: u64,
    pub(crate) commit_ms: Option<u64>,
    #[serde(default)]
    pub(crate) worker: Option<u64>,
    #[serde(default)]
    pub(crate) seconds_left: Option<u64>,
    pub(crate) ended: Option<SeenOutcome>,
    pub(crate) progress: SeenProgress,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SeenOutcome {
    pub(crate) ending: String,
    pub(crate) failure: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SeenProgress {
    pub(crate) state: String,
    pub(crate) sources: Vec<SourceProgress>,
    pub(crate) stages: Vec<StageProgress>,
    pub(crate) sinks: Vec<SinkProgress>,
    pub(crate) commits: u64,
    pub(crate) committed_records: u64,
    pub(crate) uncommitted_records: u64,
    pub(crate) restarts: u64,
}

/// How much was read, in whole percents; all of nothing has been read.
pub(crate) fn percent_read(extent: Extent) -> u64 {
    let Extent { read, of } = extent;
    (u128::from(read) * 100).checked_div(u128::from(of)).map_or(100, |percent| percent.min(100) as u64)
}

impl Seen {
    /// Records read from all sources.
    pub(crate) fn read(&self) -> u64 {
        self.progress.sources.iter().map(|source| source.records).fold(0, u64::saturating_add)
    }

    /// Records written by all sinks.
    pub(crate) fn written(&self) -> u64 {
        self.progress.sinks.iter().map(|sink| sink.records).fold(0, u64::saturating_add)
    }

    /// Whole percents of its input that were read, of the source that is the farthest from its end, where that is known.
    pub(crate) fn percent(&self) -> Option<u64> {
        let percents = self.progress.sources.iter().map(|source| source.extent.map(percent_read));
        percents.collect::<Option<Vec<u64>>>()?.into_iter().min()
    }

    /// Whether it does nothing any more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.progress.state.as_str(), "ended" | "failed")
    }
}
