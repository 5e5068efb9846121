//! Files that appear whole or not at all.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::{Expect, expect};
use tempfile::TempDir;
use weir_batch::Fault;
use weir_batch::arrow::array::Int64Array;
use weir_batch::{Batch, DataType, Field, Schema};
use weir_formats::Format;
use weir_sinks::{FileSink, FileSinkConfig, IfExists, Sink, SinkError};

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![Field::new("delay", DataType::I64)]).unwrap())
}

fn batch(delays: &[i64]) -> Arc<Batch> {
    Arc::new(Batch::new(schema(), vec![Arc::new(Int64Array::from(delays.to_vec()))]).unwrap())
}

fn csv(folder: &Path) -> FileSinkConfig {
    FileSinkConfig::new(folder.join("late.csv"), Format::Csv)
}

async fn open(config: &FileSinkConfig) -> FileSink {
    FileSink::open(config, &schema()).await.unwrap()
}

/// Every file of the folder with its content, one a line.
fn check(folder: &TempDir, expect: Expect) {
    let mut files: Vec<String> = folder
        .path()
        .read_dir()
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let content = if path.is_dir() { "folder".to_owned() } else { fs::read_to_string(&path).unwrap() };
            format!("{} {content:?}\n", path.file_name().unwrap().display())
        })
        .collect();
    files.sort();
    expect.assert_eq(&files.concat());
}

async fn check_open(config: &FileSinkConfig, expect: Expect) -> SinkError {
    let error = FileSink::open(config, &schema()).await.map(|_| ()).unwrap_err();
    let folder = config.path.parent().unwrap_or(Path::new("")).display().to_string();
    expect.assert_eq(&format!("{:?}: {error}", error.fault()).replace(&folder, "FOLDER"));
    error
}

#[tokio::test]
async fn nothing_is_seen_before_the_flush() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = open(&csv(folder.path())).await;
    sink.write(batch(&[61, 5])).await.unwrap();
    assert!(!folder.path().join("late.csv").exists());
    sink.flush().await.unwrap();
    check(
        &folder,
        expect![[r#"
        late.csv "delay\n61\n5\n"
    "#]],
    );
    let error = sink.write(batch(&[1])).await.unwrap_err();
    assert!(matches!(error, SinkError::Published { .. }), "{error}");
    drop(sink);
    check(
        &folder,
        expect![[r#"
        late.csv "delay\n61\n5\n"
    "#]],
    );
}

#[tokio::test]
async fn a_sink_that_is_dropped_publishes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = open(&csv(folder.path())).await;
    sink.write(batch(&[61, 5])).await.unwrap();
    assert_eq!(folder.path().read_dir().unwrap().count(), 1, "the hidden file");
    drop(sink);
    check(&folder, expect![""]);
}

#[tokio::test]
async fn a_stream_without_records_leaves_an_empty_file_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = csv(folder.path());
    open(&config).await.close().await.unwrap();
    config.numbered = true;
    let mut sink = open(&config).await;
    sink.write(batch(&[])).await.unwrap();
    sink.flush().await.unwrap();
    sink.close().await.unwrap();
    check(
        &folder,
        expect![[r#"
        late.csv "delay\n"
    "#]],
    );
}

#[tokio::test]
async fn numbers_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = csv(folder.path());
    config.numbered = true;
    for first in [1, 10] {
        let mut sink = open(&config).await;
        sink.write(batch(&[first])).await.unwrap();
        sink.flush().await.unwrap();
        sink.write(batch(&[first + 1])).await.unwrap();
        sink.close().await.unwrap();
        assert_eq!(sink.stats().files, 2);
    }
    check(
        &folder,
        expect![[r#"
        late-000001.csv "delay\n1\n"
        late-000002.csv "delay\n2\n"
        late-000003.csv "delay\n10\n"
        late-000004.csv "delay\n11\n"
    "#]],
    );
}

#[tokio::test]
async fn two_sinks_over_one_path_take_different_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = csv(folder.path());
    config.numbered = true;
    let (mut one, mut two) = (open(&config).await, open(&config).await);
    for round in 0..20 {
        one.write(batch(&[round])).await.unwrap();
        two.write(batch(&[round])).await.unwrap();
        let (one, two) = tokio::join!(one.flush(), two.flush());
        one.unwrap();
        two.unwrap();
    }
    one.close().await.unwrap();
    two.close().await.unwrap();
    assert_eq!(folder.path().read_dir().unwrap().count(), 40);
}

#[tokio::test]
async fn files_rotate_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = csv(folder.path());
    config.rotate_bytes_max = Some(12);
    let mut sink = open(&config).await;
    for delay in [1, 2, 3, 4, 5, 6, 7] {
        sink.write(batch(&[delay])).await.unwrap();
    }
    sink.close().await.unwrap();
    assert_eq!(sink.stats().bytes, 12 + 12 + 8);
    check(
        &folder,
        expect![[r#"
        late-000001.csv "delay\n1\n2\n3\n"
        late-000002.csv "delay\n4\n5\n6\n"
        late-000003.csv "delay\n7\n"
    "#]],
    );
}

#[tokio::test]
async fn files_rotate_by_time_without_further_records() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = csv(folder.path());
    config.rotate_after = Some(Duration::from_millis(20));
    let mut sink = open(&config).await;
    assert_eq!(sink.next_deadline(), None, "nothing is pending");
    sink.write(batch(&[])).await.unwrap();
    assert_eq!(sink.next_deadline(), None, "nothing is pending");
    sink.write(batch(&[1])).await.unwrap();
    let deadline = sink.next_deadline().unwrap();
    assert!(deadline <= Instant::now() + Duration::from_millis(20));
    tokio::time::sleep_until(deadline.into()).await;
    sink.tick().await.unwrap();
    assert_eq!(sink.next_deadline(), None);
    check(
        &folder,
        expect![[r#"
        late-000001.csv "delay\n1\n"
    "#]],
    );
    sink.close().await.unwrap();
}

#[tokio::test]
async fn before_the_deadline_a_tick_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = csv(folder.path());
    config.rotate_after = Some(Duration::from_secs(3600));
    let mut sink = open(&config).await;
    sink.write(batch(&[1])).await.unwrap();
    sink.tick().await.unwrap();
    assert_eq!(sink.stats().files, 0);
    assert!(sink.next_deadline().is_some());
}

#[tokio::test]
async fn an_existing_file_is_kept_or_replaced_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = csv(folder.path());
    fs::write(&config.path, "old").unwrap();
    let error = check_open(
        &config,
        expect!["Tenant: FOLDER/late.csv already exists: remove it, choose another path, or allow replacing it"],
    )
    .await;
    assert!(matches!(error, SinkError::FileExists { .. }));

    config.if_exists = IfExists::Replace;
    let mut sink = open(&config).await;
    sink.write(batch(&[1])).await.unwrap();
    assert_eq!(fs::read(&config.path).unwrap(), b"old");
    sink.close().await.unwrap();
    check(
        &folder,
        expect![[r#"
        late.csv "delay\n1\n"
    "#]],
    );
}

#[tokio::test]
async fn a_file_that_appears_meanwhile_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let config = csv(folder.path());
    let mut sink = open(&config).await;
    sink.write(batch(&[1])).await.unwrap();
    fs::write(&config.path, "another's").unwrap();
    let error = sink.close().await.unwrap_err();
    assert!(matches!(error, SinkError::FileExists { .. }), "{error}");
    assert!(matches!(sink.close().await, Err(SinkError::AfterError)));
    check(
        &folder,
        expect![[r#"
        late.csv "another's"
    "#]],
    );
}

#[tokio::test]
async fn leftovers_of_the_dead_go_and_the_living_stay() {
    let folder = tempfile::tempdir().unwrap();
    let config = csv(folder.path());
    let mut living = open(&config).await;
    living.write(batch(&[1])).await.unwrap();
    let hidden = folder.path().read_dir().unwrap().next().unwrap().unwrap().path();
    for dead in [".late.csv.1-2-3.part", ".late.csv.old.1-2-3.part", ".other.csv.1-2-3.part"] {
        fs::write(folder.path().join(dead), "").unwrap();
    }
    let other = open(&config).await;
    assert!(hidden.exists(), "a living sink's file is locked");
    drop(other);
    living.close().await.unwrap();
    check(
        &folder,
        expect![[r#"
        .late.csv.old.1-2-3.part ""
        .other.csv.1-2-3.part ""
        late.csv "delay\n1\n"
    "#]],
    );
}

#[tokio::test]
async fn paths_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| FileSinkConfig::new(folder.path().join(name), Format::Csv);
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    check_open(&path("sub"), expect!["Tenant: FOLDER/sub is a folder: a file sink needs the path of a file"]).await;
    let error = check_open(
        &path("file/late.csv"),
        expect![[r#"External: cannot create the folder FOLDER: File exists (os error 17)"#]],
    )
    .await;
    assert!(!error.retryable());
    let mut device = FileSinkConfig::new("/dev/null", Format::Csv);
    device.if_exists = IfExists::Replace;
    check_open(&device, expect!["Tenant: FOLDER/null is not a regular file: a file sink needs the path of a file"])
        .await;
    // The system's own folder takes no files, not even root's.
    check_open(
        &FileSinkConfig::new("/proc/late.csv", Format::Csv),
        expect!["External: cannot create a file beside FOLDER/late.csv: No such file or directory (os error 2)"],
    )
    .await;
    check_open(
        &FileSinkConfig::new("/proc/sub/late.csv", Format::Csv),
        expect!["External: cannot create the folder FOLDER: No such file or directory (os error 2)"],
    )
    .await;
}

#[tokio::test]
async fn missing_folders_are_made() {
    let folder = tempfile::tempdir().unwrap();
    let config = FileSinkConfig::new(folder.path().join("a/b/late.csv"), Format::Csv);
    open(&config).await.close().await.unwrap();
    assert_eq!(fs::read(&config.path).unwrap(), b"delay\n");
}

#[test]
fn settings_that_cannot_be() {
    let check = |change: &dyn Fn(&mut FileSinkConfig), expect: &str| {
        let mut config = FileSinkConfig::new("folder/late.csv", Format::Csv);
        assert!(config.validate().is_ok());
        change(&mut config);
        let error = config.validate().unwrap_err();
        assert_eq!((error.fault(), error.to_string().as_str()), (Fault::Tenant, expect));
    };
    for path in ["", "/", "folder/", "folder/..", ".."] {
        check(&|config| config.path = path.into(), "path: must end in the name of a file");
    }
    check(&|config| config.rotate_bytes_max = Some(0), "rotate_bytes_max: must be at least 1");
    check(&|config| config.rotate_after = Some(Duration::ZERO), "rotate_ms_max: must be at least 1");
}

/// A folder that vanishes under the sink.
#[tokio::test]
async fn an_error_at_the_publishing_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = csv(&folder.path().join("sub"));
    let mut sink = open(&config).await;
    sink.write(batch(&[1])).await.unwrap();
    fs::remove_dir_all(folder.path().join("sub")).unwrap();
    let error = sink.flush().await.unwrap_err();
    assert_eq!(error.fault(), Fault::External, "{error}");
    assert!(matches!(sink.write(batch(&[1])).await, Err(SinkError::AfterError)));
    check(&folder, expect![""]);
}

/// The one hidden file in the folder.
fn hidden(folder: &Path) -> std::path::PathBuf {
    let mut parts = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    parts.find(|path| path.extension().is_some_and(|end| end == "part")).expect("a hidden file")
}

#[tokio::test]
async fn an_unfinished_file_that_is_not_what_was_written_is_not_committed() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("was removed", |part| fs::remove_file(part).unwrap()),
        ("was replaced", |part| {
            fs::remove_file(part).unwrap();
            std::os::unix::fs::symlink("/etc/hostname", part).unwrap();
        }),
        ("was replaced", |part| {
            let whole = fs::read(part).unwrap();
            fs::remove_file(part).unwrap();
            fs::write(part, whole).unwrap();
        }),
        ("was replaced", |part| {
            fs::remove_file(part).unwrap();
            fs::create_dir(part).unwrap();
        }),
        ("was cut", |part| fs::OpenOptions::new().write(true).open(part).unwrap().set_len(0).unwrap()),
        ("was written to", |part| {
            use std::io::Write as _;
            fs::OpenOptions::new().append(true).open(part).unwrap().write_all(b"7\n").unwrap();
        }),
    ];
    let rows: Vec<i64> = (0..20_000).collect();
    for (found, change) in changes {
        // In two steps, for a manifest; and in one.
        for two_steps in [true, false] {
            // Before the last rows come, and after.
            for more in [true, false] {
                let folder = tempfile::tempdir().unwrap();
                let mut config = csv(folder.path());
                config.numbered = two_steps;
                config.held_until_flush = two_steps;
                // Finished by the second write, and held, where no rows follow.
                config.rotate_bytes_max = (two_steps && !more).then_some(1);
                if found == "was written to" && (more || !two_steps) {
                    // Rows may come behind these, as far as the file can tell.
                    continue;
                }
                let mut sink = open(&config).await;
                sink.write(batch(&rows)).await.unwrap();
                change(&hidden(folder.path()));
                let written = if more { sink.write(batch(&rows)).await.map(drop) } else { Ok(()) };
                let ended = match (written, two_steps) {
                    (Err(error), _) => Err(error),
                    (Ok(()), true) => sink.prepare().await.map(drop),
                    (Ok(()), false) => sink.flush().await,
                };
                let error = ended.expect_err(found);
                assert!(matches!(error, SinkError::PartChanged { .. }), "{found}: {error}");
                assert!(error.to_string().contains(&format!(".part {found} before it was published")), "{error}");
                assert_eq!((error.fault(), error.retryable()), (Fault::External, true));
                drop(sink);
                let visible = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name());
                let visible: Vec<_> = visible.filter(|name| !name.as_encoded_bytes().starts_with(b".")).collect();
                assert!(visible.is_empty(), "{found}: {visible:?}");
            }
        }
    }
}
