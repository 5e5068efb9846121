//! Tests of files that change while they are read, and of positions within a batch.

use std::fs;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use expect_test::{Expect, expect};
use weir_batch::arrow::array::{AsArray, Int64Array};
use weir_batch::arrow::datatypes::Int64Type;
use weir_batch::{Batch, DataType, Field, Schema};
use weir_formats::{Fill, Format, PlaceAt, open_encoder};

use super::{FileSource, OnChange};
use crate::{Source, SourceBatch, SourceError, SourceEvent};
use weir_state::{Partition, Positions};

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("id", DataType::I64)]).unwrap())
}

fn lines(ids: std::ops::Range<u64>) -> String {
    ids.map(|id| format!("{id:06}\n")).collect()
}

fn source(path: &Path, format: Format, on_change: OnChange) -> FileSource {
    FileSource::new(vec![path.to_owned()], format, schema(), Fill::from(10)).on_change(on_change)
}

async fn next(source: &mut FileSource) -> Result<Option<SourceBatch>, SourceError> {
    match source.next().await? {
        Some(SourceEvent::Batch(batch)) => Ok(Some(batch)),
        Some(other) => panic!("{other:?}"),
        None => Ok(None),
    }
}

fn ids(batch: &SourceBatch) -> Vec<i64> {
    batch.batch.to_arrow().unwrap().column(0).as_primitive::<Int64Type>().values().to_vec()
}

/// The remaining ids or the error, with the number of files that were read again.
async fn rest(source: &mut FileSource, folder: &Path) -> String {
    let count = Arc::new(AtomicU64::new(0));
    source.count_read_anew(&count);
    let mut found = Vec::new();
    loop {
        match next(source).await {
            Ok(Some(batch)) => found.extend(ids(&batch)),
            Ok(None) => {
                let anew = count.load(std::sync::atomic::Ordering::Relaxed);
                return format!("{} to {:?}, {} ids, {anew} anew", found[0], found.last().unwrap(), found.len());
            }
            Err(error) => return error.to_string().replace(&folder.display().to_string(), "."),
        }
    }
}

/// A file of 100 lines, changed in place after ten of them.
async fn check(on_change: OnChange, change: impl FnOnce(&Path), expect: &Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.csv");
    fs::write(&path, format!("id\n{}", lines(0..100))).unwrap();
    let mut source = source(&path, Format::Csv, on_change);
    assert_eq!(ids(&next(&mut source).await.unwrap().unwrap()).len(), 10);
    change(&path);
    expect.assert_eq(&rest(&mut source, folder.path()).await);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read() {
    use OnChange::{Fail, Follow};
    let write = |text: String| move |path: &Path| fs::write(path, text).unwrap();
    let append = |text: String| {
        move |path: &Path| fs::OpenOptions::new().append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap()
    };
    let other = || format!("id\n{}", lines(500..600));
    check(Fail, write(other()), &expect![[r#"./in.csv: the file was rewritten while it was read (from 703 to 703 bytes): run the query when the file is complete, or set `on_change = "follow"` with a `state` in `[delivery]`"#]]).await;
    check(Follow, write(other()), &expect!["500 to 599, 100 ids, 1 anew"]).await;
    check(Fail, write("id\n".to_owned()), &expect![[r#"./in.csv: the file has shrunk while it was read (from 703 to 3 bytes): run the query when the file is complete, or set `on_change = "follow"` with a `state` in `[delivery]`"#]]).await;
    check(Fail, write(format!("id\n{}", lines(500..700))), &expect![[r#"./in.csv: the file was rewritten while it was read (from 703 to 1403 bytes): run the query when the file is complete, or set `on_change = "follow"` with a `state` in `[delivery]`"#]]).await;
    // Everything was read before.
    check(Fail, append(lines(100..200)), &expect!["10 to 199, 190 ids, 0 anew"]).await;
    check(Follow, append(lines(100..200)), &expect!["10 to 199, 190 ids, 0 anew"]).await;
    check(Fail, write(format!("id\n{}", lines(0..100))), &expect!["10 to 99, 90 ids, 0 anew"]).await;
    // The open file stays unchanged; the name belongs to another file.
    let replace = |path: &Path| {
        fs::write(path.with_extension("new"), format!("id\n{}", lines(500..600))).unwrap();
        fs::rename(path.with_extension("new"), path).unwrap();
    };
    check(Fail, replace, &expect!["10 to 99, 90 ids, 0 anew"]).await;
}

fn positions(batch: &SourceBatch, next: i64) -> Positions {
    let mut positions = batch.positions.clone();
    let partition = positions.iter().next().unwrap().0.clone();
    positions.set_within(partition, next);
    positions
}

#[tokio::test]
async fn a_position_within_a_batch_goes_on_at_the_beginning_of_that() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.csv");
    fs::write(&path, format!("id\n{}", lines(0..100))).unwrap();
    let mut first = source(&path, Format::Csv, OnChange::Fail);
    for batch in 0..3 {
        let read = next(&mut first).await.unwrap().unwrap();
        let within = positions(&read, batch * 10 + 4);
        let (partition, _) = within.iter().next().unwrap();
        assert_eq!(within.mark(partition).unwrap().place.record, batch * 10);
        let mut again = source(&path, Format::Csv, OnChange::Fail);
        again.seek(&within).await.unwrap();
        let read = next(&mut again).await.unwrap().unwrap();
        assert_eq!(ids(&read), (batch * 10 + 4..batch * 10 + 10).collect::<Vec<_>>());
        assert_eq!(
            rest(&mut again, folder.path()).await,
            format!("{} to 99, {} ids, 0 anew", batch * 10 + 10, 90 - batch * 10)
        );
        // The part of the batch that was read is compared, although it is decoded again.
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(&format!("{:06}", batch * 10 + 2), "555555")).unwrap();
        let error = source(&path, Format::Csv, OnChange::Fail).seek(&within).await.unwrap_err();
        assert!(error.to_string().contains("the file was rewritten since its position was stored"), "{error}");
        fs::write(&path, text).unwrap();
    }
}

/// A file of this format with three parts of ten ids, beginning with this id.
fn parts(path: &PathBuf, format: Format, first: i64) {
    let mut file = fs::File::create(path).unwrap();
    file.rewind().unwrap();
    let mut encoder = open_encoder(format, &schema(), file).unwrap();
    for part in 0..3 {
        let ids = Int64Array::from_iter_values(first + part * 10..first + part * 10 + 10);
        encoder.write(&Batch::new(schema(), vec![Arc::new(ids)]).unwrap()).unwrap();
        encoder.flush().unwrap();
    }
    encoder.finish().unwrap();
}

#[tokio::test]
async fn a_binary_file_that_has_changed_is_another_file() {
    let folder = tempfile::tempdir().unwrap();
    for format in [Format::Parquet, Format::ArrowIpc] {
        let path = folder.path().join(format!("in.{}", format.suffix()));
        parts(&path, format, 0);
        let mut first = source(&path, format, OnChange::Fail);
        let read = next(&mut first).await.unwrap().unwrap();
        let partition = read.positions.iter().next().unwrap().0.clone();
        let mark = read.positions.mark(&partition).unwrap();
        assert_eq!(mark.place.record, 10);
        assert!(matches!(mark.place.at, PlaceAt::RowGroup(1) | PlaceAt::Block(1)), "{mark:?}");
        for (next_id, kept) in [(10, read.positions.clone()), (7, positions(&read, 7))] {
            let mut again = source(&path, format, OnChange::Fail);
            again.seek(&kept).await.unwrap();
            assert_eq!(rest(&mut again, folder.path()).await, format!("{next_id} to 29, {} ids, 0 anew", 30 - next_id));
        }
        parts(&path, format, 100);
        let error = source(&path, format, OnChange::Fail).seek(&read.positions).await.unwrap_err();
        assert!(error.to_string().contains("the file was rewritten since its position was stored"), "{error}");
        // The open file was overwritten.
        let said = rest(&mut first, folder.path()).await;
        assert!(said.contains("the file was rewritten while it was read (from "), "{said}");
        let mut again = source(&path, format, OnChange::Follow);
        again.seek(&read.positions).await.unwrap();
        assert_eq!(rest(&mut again, folder.path()).await, "100 to 129, 30 ids, 1 anew");
        let end = Positions::from_iter([(Partition::new(partition.origin, 0), Positions::END)]);
        let mut older = source(&path, format, OnChange::Fail);
        older.seek(&end).await.unwrap();
        assert!(next(&mut older).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_run_that_tries_again_goes_on_with_a_file_that_was_written_on_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in.csv");
    fs::write(&path, format!("id\n{}", lines(0..20))).unwrap();
    let mut first = source(&path, Format::Csv, OnChange::Fail);
    let within = next(&mut first).await.unwrap().unwrap().positions;
    next(&mut first).await.unwrap();
    let end = next(&mut first).await.unwrap().unwrap().positions;
    assert!(next(&mut first).await.unwrap().is_none());
    fs::write(&path, format!("id\n{}", lines(0..40))).unwrap();
    for kept in [&within, &end] {
        let error = source(&path, Format::Csv, OnChange::Fail).seek(kept).await.unwrap_err();
        assert!(
            error.to_string().contains("the file has grown since its position was stored (from 143 to 283"),
            "{error}"
        );
    }
    let mut again = source(&path, Format::Csv, OnChange::Fail).again(true);
    again.seek(&within).await.unwrap();
    assert_eq!(rest(&mut again, folder.path()).await, "10 to 39, 30 ids, 0 anew");
    // The end of the file was reached: bytes written after it are for the next run.
    let mut again = source(&path, Format::Csv, OnChange::Fail).again(true);
    again.seek(&end).await.unwrap();
    assert!(next(&mut again).await.unwrap().is_none());
    // This run would not have read other contents.
    fs::write(&path, format!("id\n{}", lines(500..540))).unwrap();
    let error = source(&path, Format::Csv, OnChange::Fail).again(true).seek(&within).await.unwrap_err();
    assert!(error.to_string().contains("the file was rewritten since its position was stored"), "{error}");
}
