//! A running source: its reader, with its plan and its counters, and how far it was taken in.

use std::sync::Arc;

use tokio::task::JoinHandle;
use weir_batch::SystemColumns;

use super::counters::SourceCounters;
use super::error::Cause;
use super::failures::Voice;
use super::fit::Fit;
use super::ids::{Id, SourceId, StageId};
use super::intake::{Cut, Intake, Piece};
use super::reader::{Reader, read};
use super::record_place::RecordPlace;
use weir_letters::{DeadLetterError, DeadLetters, Sender};
use weir_plan::{ErrorPolicy, Origins, Plan, SourceKind, SourcePlan};
use weir_sources::{Begin, Moved, PositionKeeper, Source, SourceError};
use weir_state::{Partition, Positions};

/// A source of an attempt. Dropped, it ends its reader.
pub(super) struct RunningSource<'p> {
    pub(super) plan: &'p SourcePlan,
    pub(super) counters: Arc<SourceCounters>,
    /// The stages that a record of it may come to, in order.
    pub(super) reached: Vec<StageId>,
    /// Where its own system keeps positions, if it does.
    pub(super) keeper: Option<Arc<dyn PositionKeeper>>,
    /// Where it goes on after what was taken in.
    pub(super) positions: Positions,
    /// How many of its records one turn is given.
    pub(super) pieces: Fit,
    // What it says of records that did not decode.
    voice: Voice,
    sender: Sender,
    task: JoinHandle<()>,
}

/// A source that is open and not read yet.
pub(super) struct OpenSource {
    pub(super) source: Box<dyn Source>,
    /// Where it begins, where the query keeps its positions.
    pub(super) positions: Positions,
    pub(super) keeper: Option<Arc<dyn PositionKeeper>>,
}

/// The source's code for records that did not decode.
const UNDECODABLE: &str = "undecodable";

impl<'p> RunningSource<'p> {
    /// Begins to read.
    pub(super) fn start(
        id: SourceId,
        whole: &Plan,
        plan: &'p SourcePlan,
        opened: OpenSource,
        counters: &Arc<SourceCounters>,
        reader: Reader,
    ) -> RunningSource<'p> {
        let OpenSource { mut source, positions, keeper } = opened;
        source.count_new_keys(counters.new_keys.cell());
        source.count_read_anew(counters.read_anew.cell());
        RunningSource {
            plan,
            counters: Arc::clone(counters),
            reached: whole.stages_reached(id.place()).into_iter().map(StageId::at).collect(),
            keeper,
            positions,
            pieces: Fit::new(),
            voice: Voice::new(format!("sources.{}", plan.name)),
            sender: Sender {
                query: whole.name.as_str().into(),
                tenant: whole.tenant.to_string().into(),
                place: Arc::clone(&plan.name),
                guest: None,
                origins: Origins::default(),
            },
            task: tokio::spawn(read(id, source, reader)),
        }
    }

    /// The query's failure by this source.
    pub(super) fn failure(&self, source: SourceError) -> Cause {
        Cause::Source { name: self.plan.name.to_string(), source }
    }

    /// How the end of its reader came; waits for it. One that panicked has not come to the end of its source.
    pub(super) async fn ended(&mut self) -> Result<(), Cause> {
        let ended = (&mut self.task).await;
        ended.map_err(|error| self.failure(SourceError::Thread(error.to_string())))
    }

    /// Ends its reader where it is.
    pub(super) fn stop_reading(&self) {
        self.task.abort();
    }

    /// How its batches are cut into pieces.
    pub(super) fn cut(&self) -> Cut {
        match &self.plan.kind {
            SourceKind::Letters(_) | SourceKind::Custom(_) => Cut::Never,
            SourceKind::Generator { .. } => Cut::FromEnd,
            SourceKind::File { .. } | SourceKind::Kafka(_) | SourceKind::Nexmark { .. } => Cut::Columns,
        }
    }

    /// Takes in where partitions begin. Whether the next commit has to keep something of that.
    pub(super) fn begin(&mut self, begin: &Begin) -> bool {
        self.positions.advance(&begin.kept);
        self.positions.advance(&begin.new);
        self.counters.place.kept(&begin.kept);
        self.counters.place.read(&begin.new);
        !begin.new.is_empty()
    }

    /// Takes in that a partition goes on elsewhere.
    pub(super) fn move_to(&mut self, moved: Moved) {
        self.counters.out_of_range.add(1);
        let mut to = Positions::from_iter([(moved.partition.clone(), moved.to)]);
        if let Some(topic) = moved.topic {
            to.set_topic(moved.partition.clone(), topic);
        }
        // The old topic no longer counts.
        self.positions.forget(&[moved.partition]);
        self.positions.advance(&to);
        self.counters.place.read(&to);
    }

    /// Somebody else reads these partitions.
    pub(super) fn forget(&mut self, partitions: &[Partition]) {
        self.positions.forget(partitions);
        self.counters.place.forget(partitions);
    }

    /// Takes in that a piece is settled. Whether the next commit has a position to keep by that.
    pub(super) fn settle(&mut self, piece: &Piece) -> bool {
        self.pieces.fitted(piece.batch.rows());
        self.positions.advance(&piece.positions);
        self.counters.place.read(&piece.positions);
        !piece.positions.is_empty()
    }

    /// Fails over a record that did not decode, where that is the policy.
    pub(super) fn fail_bad(&self, intake: &Intake, piece: &Piece) -> Result<(), Cause> {
        let Some(&row) = piece.bad.first().filter(|_| self.plan.on_error == ErrorPolicy::Fail) else { return Ok(()) };
        let record = &intake.bad[row];
        let system = intake.bad_system.as_deref();
        let origin = system.and_then(|system| system.origin.clone());
        Err(Cause::Undecodable {
            source_name: self.plan.name.to_string(),
            file: intake.origin.as_ref().map(|origin| origin.path.clone()),
            partition: origin
                .zip(system.and_then(|system| number_of(system, row)))
                .map(|(origin, number)| Partition::new(origin, number)),
            record: record.offset,
            line: record.line,
            message: record.message.clone(),
        })
    }

    /// Deals with the records of a piece that did not decode, by the policy.
    pub(super) fn settle_bad(
        &mut self,
        intake: &Intake,
        piece: &Piece,
        mut letters: Option<&mut DeadLetters>,
    ) -> Result<(), DeadLetterError> {
        let nothing = SystemColumns::default();
        let system = intake.bad_system.as_deref().unwrap_or(&nothing);
        let path = intake.origin.as_ref().map(|origin| origin.path.to_string_lossy());
        let path = path.as_deref().or(system.origin.as_deref());
        for &row in &piece.bad {
            let record = &intake.bad[row];
            let partition = number_of(system, row).or(intake.origin.as_ref().map(|origin| origin.partition));
            let is_kept = match (self.plan.on_error, &mut letters) {
                (ErrorPolicy::DeadLetter, Some(letters)) => {
                    letters.add_bad(&self.sender, path, partition, record, (system, row))?;
                    true
                }
                _ => false,
            };
            let counter = if is_kept { &self.counters.dead } else { &self.counters.failed };
            counter.add(1);
            self.counters.errors.add(UNDECODABLE);
            if self.voice.speaks() {
                let (source, origin) = (Arc::clone(&self.plan.name), path.map(Arc::from));
                let place = RecordPlace { source, origin, partition, offset: Some(record.offset) };
                let what = if is_kept { "dead-lettered" } else { "skipped" };
                let line = record.line.map(|line| format!(" (line {line})")).unwrap_or_default();
                let (name, offset) = (&*self.plan.name, record.offset);
                tracing::warn!(
                    source = name,
                    code = UNDECODABLE,
                    partition,
                    offset,
                    "{what}: {place}{line}: {}",
                    record.message
                );
            }
        }
        Ok(())
    }
}

impl Drop for RunningSource<'_> {
    fn drop(&mut self) {
        self.stop_reading();
    }
}

/// The partition of a bad record, as far as the source says it.
fn number_of(system: &SystemColumns, row: usize) -> Option<i32> {
    system.partition.as_ref().and_then(|column| column.values().get(row)).copied()
}
