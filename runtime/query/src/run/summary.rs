//! What a query did, all told.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bincode::{Decode, Encode};
use serde::Serialize;
use weir_text::{ByteCount, Count, Rate, escape_quoted};

use super::metrics::{Reading, Series};
use super::progress::{Progress, StageProgress};
use weir_trace::TraceCounts;

/// Why a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ending {
    /// Every source came to its end.
    EndOfInput,
    /// It was told to stop, and drained.
    Stopped,
    /// The reader of a sink went away (a closed pipe), and the rest drained.
    ReaderGone,
    /// Something failed.
    Failed,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Ending::EndOfInput => "end of input",
            Ending::Stopped => "stopped and drained",
            Ending::ReaderGone => "reader gone, drained",
            Ending::Failed => "failed",
        })
    }
}

/// The closing account of a query.
#[derive(Clone, Debug, Serialize, Encode, Decode)]
#[non_exhaustive]
pub struct Summary {
    /// The query.
    pub query: String,
    /// Its tenant.
    pub tenant: String,
    /// Why it ended.
    pub ending: Ending,
    /// From the first read to the last commit.
    #[serde(serialize_with = "seconds")]
    pub elapsed: Duration,
    /// Every counter.
    #[serde(flatten)]
    pub progress: Progress,
    /// What guests recorded in committed batches.
    pub metrics: Vec<Series>,
    /// Batch mutations that were free.
    pub copy_on_write_free: u64,
    /// Batch mutations that had to copy the batch's frame.
    pub copy_on_write_copied: u64,
    /// What became of its batches' traces, where it was traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traces: Option<TraceCounts>,
}

fn seconds<S: serde::Serializer>(elapsed: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(elapsed.as_secs_f64())
}

/// A sum of counters, which may come from a worker that was taken over.
fn sum(counters: impl Iterator<Item = u64>) -> u64 {
    counters.fold(0, u64::saturating_add)
}

impl Summary {
    /// Records read from all sources, those that did not decode among them.
    pub fn records_read(&self) -> u64 {
        sum(self.progress.sources.iter().map(|source| source.records))
    }

    /// Records skipped by a policy, at sources, stages and sinks.
    pub fn records_failed(&self) -> u64 {
        let sources = self.progress.sources.iter().map(|source| source.failed);
        let stages = self.progress.stages.iter().map(|stage| stage.failed);
        sum(sources.chain(stages).chain(self.progress.sinks.iter().map(|sink| sink.failed)))
    }

    /// Records kept as dead letters, at sources, stages and sinks.
    pub fn records_dead(&self) -> u64 {
        let sources = self.progress.sources.iter().map(|source| source.dead);
        let stages = self.progress.stages.iter().map(|stage| stage.dead);
        sum(sources.chain(stages).chain(self.progress.sinks.iter().map(|sink| sink.dead)))
    }

    /// Whether every stage accounts for every record.
    pub fn adds_up(&self) -> bool {
        self.progress.stages.iter().all(StageProgress::adds_up)
    }
}

/// One line a source, stage, sink and metric.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f64();
        let read = self.records_read();
        writeln!(f, "query {} of tenant {}: {} after {seconds:.3} s", self.query, self.tenant, self.ending)?;
        writeln!(
            f,
            "  read {} records ({}), committed {} in {} commit{}",
            Count(read),
            Rate::of(read, seconds),
            Count(self.progress.committed_records),
            Count(self.progress.commits),
            if self.progress.commits == 1 { "" } else { "s" }
        )?;
        if self.progress.restarts > 0 {
            let plural = if self.progress.restarts == 1 { "" } else { "s" };
            let times = self.progress.restarts;
            writeln!(f, "  retried {times} time{plural} after a failure: records that were read again count again")?;
        }
        for source in &self.progress.sources {
            write!(f, "  source {}: {} records", source.name, Count(source.records))?;
            if source.bytes > 0 {
                write!(f, ", {}", ByteCount(source.bytes))?;
            }
            failures(f, source.failed, source.dead)?;
            by_code(f, &source.errors)?;
            if source.new_keys > 0 {
                let plural = if source.new_keys == 1 { "" } else { "s" };
                write!(f, "; {} key{plural} not read because `infer` did not see them", Count(source.new_keys))?;
            }
            if source.read_anew > 0 {
                let plural = if source.read_anew == 1 { "" } else { "s" };
                write!(f, "; {} changed file{plural} read from the beginning", Count(source.read_anew))?;
            }
            if source.unfinished > 0 {
                write!(f, "; {} not finished, to be read again", Count(source.unfinished))?;
            }
            writeln!(f)?;
        }
        for stage in &self.progress.stages {
            write!(f, "  stage {}: {} in", stage.name, Count(stage.records_in))?;
            if stage.expanded > 0 {
                write!(f, " + {} expanded", Count(stage.expanded))?;
            }
            write!(
                f,
                " = {} out + {} filtered + {} failed + {} dead",
                Count(stage.records_out),
                Count(stage.filtered),
                Count(stage.failed),
                Count(stage.dead)
            )?;
            by_code(f, &stage.errors)?;
            if stage.traps > 0 {
                write!(f, "; {} traps", Count(stage.traps))?;
            }
            if stage.retries > 0 {
                write!(f, "; {} repeated calls for single records that had failed", Count(stage.retries))?;
            }
            if stage.held_back > 0 {
                write!(f, "; held back {} times, {} ms", stage.held_back, stage.held_back_ms)?;
            }
            if stage.instance_waits > 0 {
                let (times, ms) = (stage.instance_waits, stage.instance_wait_ms);
                write!(f, "; waited for an instance {times} times, {ms} ms")?;
            }
            if !stage.state_losses.is_empty() {
                let causes: Vec<_> =
                    stage.state_losses.iter().map(|(cause, times)| format!("{cause} {times}")).collect();
                write!(
                    f,
                    "; lost its state {} times ({})",
                    sum(stage.state_losses.values().copied()),
                    causes.join(", ")
                )?;
            }
            // Below a millisecond it is what looking for a free core takes.
            if stage.waited_nanos >= 1_000_000 {
                write!(f, "; waited {} ms for a core", stage.waited_nanos / 1_000_000)?;
            }
            if stage.records_in > 0 {
                let per = |total: u64| total as f64 / stage.records_in as f64;
                write!(f, "; {:.1} ns and {:.1} fuel a record", per(stage.guest_nanos), per(stage.fuel))?;
            }
            writeln!(f)?;
        }
        for sink in &self.progress.sinks {
            write!(f, "  sink {}: {} records", sink.name, Count(sink.records))?;
            if sink.bytes > 0 {
                write!(f, ", {}", ByteCount(sink.bytes))?;
            }
            if sink.files > 0 {
                write!(f, ", {} file{}", Count(sink.files), if sink.files == 1 { "" } else { "s" })?;
            }
            if sink.failed > 0 {
                write!(f, ", {} refused and skipped", sink.failed)?;
            }
            if sink.dead > 0 {
                write!(f, ", {} refused and dead-lettered", sink.dead)?;
            }
            writeln!(f)?;
        }
        if self.progress.letters_omitted > 0 {
            writeln!(
                f,
                "  dead letters: {} without their record because it is too large",
                self.progress.letters_omitted
            )?;
        }
        if (self.copy_on_write_free, self.copy_on_write_copied) != (0, 0) {
            writeln!(
                f,
                "  batches modified in place: {}; after copying their frame: {}",
                self.copy_on_write_free, self.copy_on_write_copied
            )?;
        }
        if let Some(TraceCounts { sampled, unsampled, malformed, .. }) = self.traces {
            write!(f, "  traced {sampled} batches, {unsampled} not sampled")?;
            if malformed > 0 {
                write!(f, ", {malformed} invalid traceparent headers")?;
            }
            writeln!(f)?;
        }
        for of_one_metric in
            self.metrics.chunk_by(|one, other| (&one.stage, &one.metric) == (&other.stage, &other.metric))
        {
            let mut largest: Vec<_> = of_one_metric.iter().collect();
            largest.sort_by(|one, other| other.reading.size().total_cmp(&one.reading.size()));
            for series in largest.iter().take(SERIES_SHOWN) {
                writeln!(f, "  {series}")?;
            }
            if let Some(more) = largest.len().checked_sub(SERIES_SHOWN).filter(|&more| more > 0) {
                let first = &of_one_metric[0];
                writeln!(f, "  … and {more} more series of {}.{} (use --json to see all)", first.stage, first.metric)?;
            }
        }
        Ok(())
    }
}

/// Series of one metric that the account for people shows: those of the largest totals or counts.
const SERIES_SHOWN: usize = 10;

impl Reading {
    /// What series of one metric are put in order by.
    fn size(&self) -> f64 {
        match self {
            Reading::Counter { total } => *total,
            Reading::Gauge { value } => *value,
            Reading::Histogram { count, .. } => *count as f64,
        }
    }
}

/// Why records failed: `; failed on 3 guest:1, 5 null_input`.
fn by_code(f: &mut fmt::Formatter<'_>, errors: &BTreeMap<String, u64>) -> fmt::Result {
    let mut before = "; failed on ";
    for (code, count) in errors {
        write!(f, "{before}{} {code}", Count(*count))?;
        before = ", ";
    }
    Ok(())
}

fn failures(f: &mut fmt::Formatter<'_>, failed: u64, dead: u64) -> fmt::Result {
    if failed > 0 {
        write!(f, ", {} undecodable and skipped", Count(failed))?;
    }
    if dead > 0 {
        write!(f, ", {} undecodable and dead-lettered", Count(dead))?;
    }
    Ok(())
}

/// `delays.flights 12` or `delays.delay_minutes{origin="SEA"} count 3 sum 41`.
impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metric {}.{}", self.stage, self.metric)?;
        if !self.labels.is_empty() {
            f.write_str("{")?;
            for (index, (name, value)) in self.labels.iter().enumerate() {
                let comma = if index > 0 { ", " } else { "" };
                write!(f, "{comma}{name}=\"{}\"", escape_quoted(value))?;
            }
            f.write_str("}")?;
        }
        match &self.reading {
            Reading::Counter { total } => write!(f, " {total}"),
            Reading::Gauge { value } => write!(f, " {value}"),
            Reading::Histogram { count, sum, .. } => {
                let mean = if *count > 0 { sum / *count as f64 } else { 0.0 };
                write!(f, " count {count} sum {sum} mean {mean:.1}")
            }
        }
    }
}
