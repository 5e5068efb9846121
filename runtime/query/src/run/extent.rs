//! How much of a source there is, where that is known, and how much of it was read.

use std::path::PathBuf;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};
use weir_formats::{Format, parquet_rows};

use weir_files::Folders;
use weir_plan::{SourceKind, SourcePlan};
use weir_sources::SEED_BATCH_ROWS;
use weir_state::Positions;

/// How much of a source was read, of how much: records of generators and Parquet files, bytes of other files, offsets of
/// topics. A run that goes on within a file of text counts the bytes that are left; one within a file of Arrow does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
pub struct Extent {
    /// What was read, at most `of`.
    pub read: u64,
    /// All of it.
    pub of: u64,
}

impl Extent {
    fn new(read: u64, of: u64) -> Extent {
        Extent { read: read.min(of), of }
    }

    /// From 0 to 1; an empty source has been read.
    pub fn share(&self) -> f64 {
        if self.of == 0 { 1.0 } else { self.read as f64 / self.of as f64 }
    }
}

/// What is known of a source's size when an attempt begins.
#[derive(Debug)]
pub(super) enum Size {
    /// Records of its one partition.
    Records(u64),
    /// Records of each file.
    Rows(Vec<u64>),
    /// Bytes, and how many had been read by earlier attempts.
    Bytes { of: u64, before: u64 },
    /// A topic's, from where each partition began to its end.
    ToEnd(Positions),
}

impl Size {
    /// Takes note of where partitions begin; those that are known have begun.
    pub(super) fn begin(&mut self, at: &Positions) {
        let Size::ToEnd(began) = self else { return };
        for (partition, next) in at.iter() {
            if began.get(partition).is_none() {
                began.set(partition.clone(), next);
            }
        }
    }

    /// Of what was read up to these positions.
    pub(super) fn extent(&self, read: &Positions, ends: &Positions, bytes: u64) -> Option<Extent> {
        let records = |position: i64| u64::try_from(position).unwrap_or(0);
        Some(match self {
            Size::Records(of) => Extent::new(read.iter().map(|(_, next)| records(next)).max().unwrap_or(0), *of),
            Size::Rows(rows) => {
                let of_file = |number: i32| usize::try_from(number).ok().and_then(|index| rows.get(index)).copied();
                let done = read.iter().map(|(file, next)| records(next).min(of_file(file.number).unwrap_or(0)));
                Extent::new(
                    done.fold(0, u64::saturating_add),
                    rows.iter().fold(0, |sum, rows| rows.saturating_add(sum)),
                )
            }
            Size::Bytes { of, before } => Extent::new(bytes.saturating_sub(*before), *of),
            Size::ToEnd(began) => {
                let (mut done, mut of) = (0_u64, 0_u64);
                for (partition, from) in began.iter() {
                    let end = ends.get(partition)?;
                    let next = read.get(partition).unwrap_or(from).min(end);
                    done = done.saturating_add(records(next.saturating_sub(from)));
                    of = of.saturating_add(records(end.saturating_sub(from)));
                }
                // Before its partitions are known there is nothing to be a part of.
                if began.is_empty() {
                    return None;
                }
                Extent::new(done, of)
            }
        })
    }
}

/// The size of a source that begins at these positions, and of which so many bytes had been read. Files are read on a blocking
/// thread.
pub(super) async fn size_of(source: &SourcePlan, folders: &Folders, from: &Positions, before: u64) -> Option<Size> {
    match &source.kind {
        SourceKind::Generator { batches } => Some(Size::Records(batches.saturating_mul(SEED_BATCH_ROWS as u64))),
        SourceKind::Nexmark { events, .. } => Some(Size::Records(*events)),
        SourceKind::Kafka(config) if config.until_end => Some(Size::ToEnd(Positions::default())),
        SourceKind::Kafka(_) | SourceKind::Letters(_) | SourceKind::Custom(_) => None,
        SourceKind::File { paths, format, .. } => {
            let (paths, format, folders, from) = (paths.clone(), *format, folders.clone(), from.clone());
            let look = move || of_files(&paths, format, &folders, &from, before);
            // A thread that is lost says nothing of the input.
            tokio::task::spawn_blocking(look).await.unwrap_or_default()
        }
    }
}

/// Of regular files; of anything else nothing is known.
fn of_files(paths: &[PathBuf], format: Format, folders: &Folders, from: &Positions, before: u64) -> Option<Size> {
    let mut sizes = Vec::with_capacity(paths.len());
    for (index, path) in paths.iter().enumerate() {
        let file = folders.open(path).ok()?;
        let number = i32::try_from(index).unwrap_or(i32::MAX);
        let at = from.iter().find(|(file, _)| file.number == number);
        let mark = at.and_then(|(partition, _)| from.mark(partition));
        let left = |read: u64| Some(file.metadata().ok()?.len().saturating_sub(read));
        sizes.push(match (format, at.map_or(0, |(_, next)| next)) {
            (Format::Parquet, _) => parquet_rows(file).ok()?,
            (_, 0) => left(0)?,
            // What was added to a file that was read to its end.
            (_, Positions::END) => mark.map_or(Some(0), |mark| left(mark.seen.bytes))?,
            (_, _within) => left(mark?.place.at.text()?.byte)?,
        });
    }
    Some(match format {
        Format::Parquet => Size::Rows(sizes),
        _ => Size::Bytes { of: sizes.iter().fold(0, |sum, size| size.saturating_add(sum)), before },
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use weir_formats::{PlaceAt, ResumePlace, TextLayout, TextPlace};

    use super::*;
    use weir_state::{FileMark, Partition, Seen};

    fn at(positions: &[(i32, i64)]) -> Positions {
        let partition = |number| Partition::new("it", number);
        positions.iter().map(|&(number, next)| (partition(number), next)).collect()
    }

    #[test]
    fn a_part_of_what_there_is() {
        let check = |size: Size, read: &[(i32, i64)], ends: &[(i32, i64)], bytes: u64, expect: Option<(u64, u64)>| {
            let extent = size.extent(&at(read), &at(ends), bytes);
            assert_eq!(extent.map(|extent| (extent.read, extent.of)), expect, "{size:?}");
        };
        check(Size::Records(1000), &[], &[], 0, Some((0, 1000)));
        check(Size::Records(1000), &[(0, 250)], &[], 0, Some((250, 1000)));
        check(Size::Rows(vec![10, 0, 30]), &[(0, i64::MAX), (2, 5)], &[], 0, Some((15, 40)));
        check(Size::Rows(vec![10]), &[(7, 5)], &[], 0, Some((0, 10)));
        check(Size::Bytes { of: 100, before: 40 }, &[], &[], 65, Some((25, 100)));
        // A file that has grown.
        check(Size::Bytes { of: 100, before: 0 }, &[], &[], 165, Some((100, 100)));
        check(Size::ToEnd(at(&[])), &[], &[], 0, None);
        check(Size::ToEnd(at(&[(0, 100), (1, 0)])), &[(0, 150)], &[(0, 200), (1, 10)], 0, Some((50, 110)));
        // The end of a partition is not known yet.
        check(Size::ToEnd(at(&[(0, 100)])), &[(0, 150)], &[], 0, None);
        assert_eq!(Extent::new(0, 0).share(), 1.0);
    }

    #[test]
    fn of_text_that_is_read_on_the_bytes_that_are_left() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = ["done", "half", "new"].iter().map(|name| folder.path().join(name)).collect();
        paths.iter().for_each(|path| std::fs::write(path, [b'\n'; 100]).unwrap());
        let mark = |bytes: u64| {
            let place = TextPlace { byte: bytes, line: 1, column: 0, layout: TextLayout::Lines, cut_off: false };
            let seen = Seen { size: 90, bytes, head: String::new(), tail_bytes: 0, tail: String::new(), inode: 0 };
            Arc::new(FileMark { place: ResumePlace { record: 7, at: PlaceAt::Text(place) }, seen })
        };
        let file = |number| Partition::new("it", number);
        let size = |from: &Positions| {
            of_files(&paths, Format::JsonLines, &Folders::default(), from, 5).map(|size| format!("{size:?}"))
        };
        let mut from = Positions::default();
        from.set_in_file(file(0), Positions::END, mark(90), None);
        from.set_in_file(file(1), 7, mark(40), None);
        assert_eq!(size(&from).unwrap(), "Bytes { of: 170, before: 5 }", "10 were added, 60 and 100 are left");
        // Positions of an earlier version say nothing of bytes.
        assert_eq!(size(&at(&[(0, Positions::END)])).unwrap(), "Bytes { of: 200, before: 5 }");
        assert_eq!(size(&at(&[(0, Positions::END), (1, 7)])), None);
    }

    #[test]
    fn partitions_begin_once() {
        let mut size = Size::ToEnd(Positions::default());
        size.begin(&at(&[(0, 5)]));
        size.begin(&at(&[(0, 9), (1, 2)]));
        assert_eq!(size.extent(&at(&[(0, 9)]), &at(&[(0, 15), (1, 2)]), 0), Some(Extent { read: 4, of: 10 }));
    }
}
