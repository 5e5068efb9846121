//! What a process tells of a query, as far as people are shown it.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A report. Fields that a newer process adds are left alone; numbers that an older one lacks are an error, not zero.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Seen {
    pub(crate) query: String,
    pub(crate) tenant: String,
    pub(crate) uptime_ms: u64,
    pub(crate) commit_ms: Option<u64>,
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
    pub(crate) sources: Vec<SeenSource>,
    pub(crate) stages: Vec<SeenStage>,
    pub(crate) sinks: Vec<SeenSink>,
    pub(crate) commits: u64,
    pub(crate) committed_records: u64,
    pub(crate) uncommitted_records: u64,
    pub(crate) restarts: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SeenSource {
    pub(crate) name: String,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) failed: u64,
    pub(crate) dead: u64,
    #[serde(default)]
    pub(crate) errors: BTreeMap<String, u64>,
    #[serde(default)]
    pub(crate) out_of_range: u64,
    #[serde(default)]
    pub(crate) read_anew: u64,
    #[serde(default)]
    pub(crate) extent: Option<SeenExtent>,
    #[serde(default)]
    pub(crate) waits_for: Option<String>,
    #[serde(default)]
    pub(crate) partitions: Vec<SeenPartition>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct SeenExtent {
    pub(crate) read: u64,
    pub(crate) of: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SeenPartition {
    pub(crate) origin: String,
    pub(crate) number: i32,
    pub(crate) read: Option<i64>,
    pub(crate) committed: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) lag: Option<i64>,
    pub(crate) read_to_end: bool,
    pub(crate) done: bool,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SeenStage {
    pub(crate) name: String,
    pub(crate) records_in: u64,
    pub(crate) records_out: u64,
    pub(crate) traps: u64,
    pub(crate) guest_nanos: u64,
    pub(crate) filtered: u64,
    pub(crate) failed: u64,
    pub(crate) dead: u64,
    #[serde(default)]
    pub(crate) errors: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SeenSink {
    pub(crate) name: String,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) files: u64,
    pub(crate) failed: u64,
    pub(crate) dead: u64,
}

impl SeenExtent {
    /// Whole percents; all of nothing has been read.
    pub(crate) fn percent(self) -> u64 {
        let SeenExtent { read, of } = self;
        (u128::from(read) * 100).checked_div(u128::from(of)).map_or(100, |percent| percent.min(100) as u64)
    }
}

impl Seen {
    /// Records read from all sources.
    pub(crate) fn read(&self) -> u64 {
        self.progress.sources.iter().map(|source| source.records).sum()
    }

    /// Records written by all sinks.
    pub(crate) fn written(&self) -> u64 {
        self.progress.sinks.iter().map(|sink| sink.records).sum()
    }

    /// Whole percents of its input that were read, of the source that is the farthest from its end, where that is known.
    pub(crate) fn percent(&self) -> Option<u64> {
        let percents = self.progress.sources.iter().map(|source| source.extent.map(SeenExtent::percent));
        percents.collect::<Option<Vec<u64>>>()?.into_iter().min()
    }

    /// Whether it does nothing any more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.progress.state.as_str(), "ended" | "failed")
    }
}
