//! What is known of a running query beside its progress: for those who measure it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counters::{Counters, SinkCounters, StageCounters};
use super::timing::Durations;
use bincode::{Decode, Encode};
use weir_trace::TraceCounts;

/// How a query spends its time, and what waits in it.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Details {
    /// One a stage, in the order of the file.
    pub stages: Vec<StageDetails>,
    /// One a sink, in the order of the file.
    pub sinks: Vec<SinkDetails>,
    /// Commits, from the first sink asked to the last answer.
    pub commits: Durations,
    /// Batch mutations that were free.
    pub copy_on_write_free: u64,
    /// Batch mutations that had to copy the batch's frame.
    pub copy_on_write_copied: u64,
    /// What became of its batches' traces, where it is traced.
    pub traces: Option<TraceCounts>,
}

/// A stage's.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct StageDetails {
    /// The stage.
    pub name: Arc<str>,
    /// Guest calls, less the time that they waited for their turn.
    pub calls: Durations,
    /// Time in host functions, one duration a guest call: an estimate.
    pub host: Durations,
    /// How often the guest ended early, by the code of its end, at most 64 and `other`.
    pub traps: BTreeMap<String, u64>,
}

/// A sink's.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct SinkDetails {
    /// The sink.
    pub name: Arc<str>,
    /// Batches written.
    pub writes: Durations,
    /// Everything that made output durable or visible: flushes, preparations, publications and the closing.
    pub flushes: Durations,
    /// Messages in its queue: batches, and what commits ask of it.
    pub queued: u64,
    /// The most that its queue takes.
    pub queue_max: u64,
}

impl Counters {
    pub(super) fn details(&self, copy_on_write: &weir_batch::CopyOnWrite, traces: Option<TraceCounts>) -> Details {
        Details {
            stages: self.stages.iter().map(|stage| stage.details()).collect(),
            sinks: self.sinks.iter().map(|sink| sink.details()).collect(),
            commits: self.commit_times.read(),
            copy_on_write_free: copy_on_write.free(),
            copy_on_write_copied: copy_on_write.copied(),
            traces,
        }
    }
}

impl StageCounters {
    fn details(&self) -> StageDetails {
        StageDetails {
            name: Arc::clone(&self.name),
            calls: self.call_times.read(),
            host: self.host_times.read(),
            traps: self.traps_by_code.read(),
        }
    }
}

impl SinkCounters {
    fn details(&self) -> SinkDetails {
        SinkDetails {
            name: Arc::clone(&self.name),
            writes: self.write_times.read(),
            flushes: self.flush_times.read(),
            queued: self.queued.get(),
            queue_max: self.queue_max.get(),
        }
    }
}
