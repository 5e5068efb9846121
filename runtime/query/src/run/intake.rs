//! A batch of a source on its way in, piece by piece: which rows, bad records and positions a piece has.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_batch::{Batch, BatchError, SystemColumns};
use weir_formats::BadRecord;

use super::ids::SourceId;
use weir_sources::{ReadOrigin, SourceBatch};
use weir_state::{Partition, Positions};

/// What a source read at once, of which the first rows may be settled already. A piece of it is settled as a whole, with the
/// position behind it: what comes after is read again if the query ends there.
pub(crate) struct Intake {
    pub(crate) source: SourceId,
    pub(crate) bytes: u64,
    pub(crate) origin: Option<ReadOrigin>,
    pub(crate) bad: Vec<BadRecord>,
    pub(crate) bad_system: Option<Box<SystemColumns>>,
    batch: Arc<Batch>,
    positions: Positions,
    cut: Cut,
    // Rows of the batch that are settled.
    settled: usize,
    // One a bad record: whether it is settled.
    bad_settled: Vec<bool>,
    // The rows of the pieces to come, the next one last, where they are known.
    sizes: Vec<usize>,
}

/// How the position of a row is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// By `_partition` and `_offset`.
    Columns,
    /// It is the position behind the batch, less the rows to come: of a generated stream.
    FromEnd,
    /// Not at all: the batch is one piece.
    Never,
}

/// A part of the batch from which on nothing is settled.
pub(crate) struct Piece {
    pub(crate) batch: Arc<Batch>,
    /// Which bad records belong to it.
    pub(crate) bad: Vec<usize>,
    /// Where its source goes on behind it.
    pub(crate) positions: Positions,
}

impl Piece {
    pub(crate) fn records(&self) -> u64 {
        (self.batch.rows() + self.bad.len()) as u64
    }
}

impl Intake {
    pub(crate) fn new(source: SourceId, read: SourceBatch, cut: Cut) -> Intake {
        let SourceBatch { batch, bad, bad_system, bytes, origin, positions, .. } = read;
        let rows = batch.rows();
        let mut intake = Intake {
            source,
            bytes,
            origin,
            bad_settled: vec![false; bad.len()],
            bad,
            bad_system,
            batch: Arc::new(batch),
            positions,
            cut,
            settled: 0,
            sizes: vec![rows],
        };
        if !intake.can_be_cut() {
            intake.cut = Cut::Never;
        }
        intake
    }

    /// The whole batch.
    pub(crate) fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }

    /// The same, to be written to before there is any piece of it.
    pub(crate) fn batch_mut(&mut self) -> &mut Arc<Batch> {
        &mut self.batch
    }

    pub(crate) fn records(&self) -> u64 {
        (self.batch.rows() + self.bad.len()) as u64
    }

    /// Records that are not settled.
    pub(crate) fn unsettled(&self) -> u64 {
        let bad = self.bad_settled.iter().filter(|settled| !**settled).count();
        (self.batch.rows().saturating_sub(self.settled) + bad) as u64
    }

    pub(crate) fn cut(&self) -> Cut {
        self.cut
    }

    /// What is to be run next, or `None` where everything is settled. At most `rows_max` rows.
    pub(crate) fn piece(&mut self, rows_max: usize) -> Result<Option<Piece>, BatchError> {
        let Some(size) = self.sizes.pop() else { return Ok(None) };
        let rows = if self.cut == Cut::Never { size } else { size.min(rows_max.max(1)) };
        if rows < size {
            self.sizes.push(size - rows);
        }
        self.piece_of(rows).map(Some)
    }

    /// The first rows of a piece, whose rest comes in pieces of these sizes.
    pub(crate) fn shorten(&mut self, piece: &Piece, rows: usize, rest: &[usize]) -> Result<Piece, BatchError> {
        debug_assert_eq!(piece.batch.rows(), rows + rest.iter().sum::<usize>());
        self.sizes.extend(rest.iter().rev());
        self.piece_of(rows)
    }

    fn piece_of(&self, rows: usize) -> Result<Piece, BatchError> {
        let batch = self.batch.slice(self.settled, rows)?;
        let end = self.settled + rows;
        if end >= self.batch.rows() {
            let bad = (0..self.bad.len()).filter(|&row| !self.bad_settled[row]).collect();
            return Ok(Piece { batch, bad, positions: self.positions.clone() });
        }
        let next = self.next_offsets(end);
        let mut positions = self.positions.clone();
        for (partition, offset) in &next {
            positions.set_within(partition.clone(), *offset);
        }
        // A bad record lies behind the piece where a row behind it comes before.
        let belongs = |&row: &usize| {
            let partition = self.partition_of_bad(row);
            let next = partition.and_then(|partition| next.get(&partition));
            !self.bad_settled[row] && next.is_none_or(|&offset| self.bad[row].offset < offset)
        };
        Ok(Piece { batch, bad: (0..self.bad.len()).filter(belongs).collect(), positions })
    }

    /// A piece is settled.
    pub(crate) fn settle(&mut self, piece: &Piece) {
        self.settled += piece.batch.rows();
        for &row in &piece.bad {
            self.bad_settled[row] = true;
        }
    }

    /// For each partition of a row from this one on, the offset of the first such row.
    fn next_offsets(&self, from: usize) -> BTreeMap<Partition, i64> {
        let mut next = BTreeMap::new();
        match self.cut {
            Cut::Never => {}
            Cut::FromEnd => {
                let rows = i64::try_from(self.batch.rows().saturating_sub(from)).unwrap_or(i64::MAX);
                for (partition, end) in self.positions.iter() {
                    next.insert(partition.clone(), end.saturating_sub(rows));
                }
            }
            Cut::Columns => {
                // Few batches have rows of more than one partition, and few partitions.
                for row in from..self.batch.rows() {
                    let Some((number, offset)) = self.place(row) else { continue };
                    if !next.keys().any(|partition: &Partition| partition.number == number)
                        && let Some(partition) = self.partition(number)
                    {
                        next.insert(partition, offset);
                    }
                    if next.len() == self.positions.len() {
                        break;
                    }
                }
            }
        }
        next
    }

    fn place(&self, row: usize) -> Option<(i32, i64)> {
        let row = self.batch.physical_row(row)?;
        let system = self.batch.system();
        let partition = system.partition.as_ref()?.values().get(row)?;
        Some((*partition, *system.offset.as_ref()?.values().get(row)?))
    }

    /// The partition of this number, among those that the batch has positions of.
    fn partition(&self, number: i32) -> Option<Partition> {
        let origin = self.batch.system().origin.as_deref();
        let is_it = |partition: &Partition| {
            partition.number == number && origin.is_none_or(|origin| *origin == *partition.origin)
        };
        self.positions.iter().map(|(partition, _)| partition).find(|partition| is_it(partition)).cloned()
    }

    fn partition_of_bad(&self, row: usize) -> Option<Partition> {
        let system = self.bad_system.as_ref().and_then(|system| system.partition.as_ref());
        let number = system.and_then(|column| column.values().get(row)).copied();
        self.partition(number.or(self.origin.as_ref().map(|origin| origin.partition))?)
    }

    /// Whether every row's position is known, so that a piece's can be told.
    fn can_be_cut(&self) -> bool {
        let rows = self.batch.rows();
        match self.cut {
            Cut::Never => false,
            Cut::FromEnd => self.positions.len() == 1 && self.bad.is_empty(),
            // Rows of a partition come in its order: what the first one behind a cut has is where the rest begins.
            Cut::Columns => {
                let system = self.batch.system();
                let (Some(_), Some(_)) = (&system.partition, &system.offset) else { return false };
                let known = [0, rows.saturating_sub(1)].into_iter().filter_map(|row| self.place(row));
                rows > 0 && known.map(|(number, _)| self.partition(number)).all(|partition| partition.is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_batch::arrow::array::{Int32Array, Int64Array};
    use weir_batch::{DataType, Field, Schema};

    use super::super::ids::Id;
    use super::*;

    fn partition(number: i32) -> Partition {
        Partition::new("t", number)
    }

    /// Rows of these partitions and offsets, and bad records of others, with the position behind each partition.
    fn intake(rows: &[(i32, i64)], bad: &[(i32, i64)], positions: &[(i32, i64)], cut: Cut) -> Intake {
        let (partitions, offsets): (Vec<i32>, Vec<i64>) = rows.iter().copied().unzip();
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::I64)]).unwrap());
        let batch = Batch::new(schema, vec![Arc::new(Int64Array::from(offsets.clone()))]).unwrap();
        let system = SystemColumns::default().with(|it| {
            it.partition = Some(Int32Array::from(partitions));
            it.offset = Some(Int64Array::from(offsets));
            it.origin = Some("t".into());
        });
        let batch = batch.with_system(system).unwrap();
        let (bad_partitions, bad_offsets): (Vec<i32>, Vec<i64>) = bad.iter().copied().unzip();
        let bad_record = |&offset: &i64| BadRecord::new(offset, Vec::new(), "bad");
        let mut read =
            SourceBatch::new(batch, positions.iter().map(|&(number, next)| (partition(number), next)).collect());
        read.bad = bad_offsets.iter().map(bad_record).collect();
        read.bad_system =
            Some(Box::new(SystemColumns::default().with(|it| it.partition = Some(Int32Array::from(bad_partitions)))));
        Intake::new(SourceId::at(0), read, cut)
    }

    fn shown(piece: &Piece) -> String {
        let positions = piece.positions.iter().map(|(partition, next)| format!("{}:{next}", partition.number));
        format!("{} rows, bad {:?}, {}", piece.batch.rows(), piece.bad, positions.collect::<Vec<_>>().join(" "))
    }

    fn pieces(intake: &mut Intake, rows_max: usize) -> Vec<String> {
        let mut all = Vec::new();
        while let Some(piece) = intake.piece(rows_max).unwrap() {
            all.push(shown(&piece));
            intake.settle(&piece);
        }
        assert_eq!(intake.unsettled(), 0);
        all
    }

    #[test]
    fn pieces_have_the_bad_records_and_positions_up_to_their_end() {
        let rows = [(0, 10), (1, 5), (0, 12), (1, 7), (0, 20)];
        let bad = [(0, 11), (1, 6), (0, 30), (0, 9)];
        let batch = || intake(&rows, &bad, &[(0, 31), (1, 8)], Cut::Columns);
        assert_eq!(pieces(&mut batch(), 100), ["5 rows, bad [0, 1, 2, 3], 0:31 1:8"]);
        assert_eq!(
            pieces(&mut batch(), 2),
            ["2 rows, bad [0, 1, 3], 0:12 1:7", "2 rows, bad [], 0:20 1:8", "1 rows, bad [2], 0:31 1:8"]
        );
    }

    #[test]
    fn a_piece_that_is_cut_short_leaves_pieces_of_the_sizes_said() {
        let rows: Vec<(i32, i64)> = (0..8).map(|offset| (0, offset)).collect();
        let mut intake = intake(&rows, &[], &[(0, 8)], Cut::Columns);
        let piece = intake.piece(100).unwrap().unwrap();
        let piece = intake.shorten(&piece, 3, &[1, 4]).unwrap();
        assert_eq!(shown(&piece), "3 rows, bad [], 0:3");
        intake.settle(&piece);
        assert_eq!(intake.unsettled(), 5);
        assert_eq!(pieces(&mut intake, 100), ["1 rows, bad [], 0:4", "4 rows, bad [], 0:8"]);
    }

    #[test]
    fn generated_records_count_from_the_end_and_letters_are_never_cut() {
        let rows: Vec<(i32, i64)> = (0..4).map(|offset| (0, offset)).collect();
        let all = pieces(&mut intake(&rows, &[], &[(0, 4000)], Cut::FromEnd), 3);
        assert_eq!(all, ["3 rows, bad [], 0:3999", "1 rows, bad [], 0:4000"]);
        assert_eq!(pieces(&mut intake(&rows, &[], &[(0, 4)], Cut::Never), 1), ["4 rows, bad [], 0:4"]);
        // Of a partition whose position nobody said.
        let other = [(7, 0), (7, 1)];
        assert_eq!(pieces(&mut intake(&other, &[], &[(0, 4)], Cut::Columns), 1), ["2 rows, bad [], 0:4"]);
        // A batch of bad records alone is one piece.
        assert_eq!(
            pieces(&mut intake(&[], &[(0, 1), (0, 2)], &[(0, 3)], Cut::Columns), 1),
            ["0 rows, bad [0, 1], 0:3"]
        );
    }
}
