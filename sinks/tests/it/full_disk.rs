//! No room, by a limit on the size of files: it needs no mount and no rights, so it runs everywhere.

use std::process::Command;
use std::sync::Arc;

use weir_batch::Fault;
use weir_batch::arrow::array::Int64Array;
use weir_batch::{Batch, DataType, Field, Schema};
use weir_formats::Format;
use weir_sinks::{FileSink, FileSinkConfig, Sink, SinkError};

const FOLDER: &str = "WEIR_TEST_FULL_DISK_FOLDER";

/// Runs [`under_the_limit`] in a process whose files may have 64 KiB (and which gets an error, not a signal).
#[test]
fn a_file_beyond_the_limit_is_a_typed_error_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let limited = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 128; exec "$0" --exact --nocapture full_disk::under_the_limit"#])
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&limited.stdout);
    assert!(limited.status.success() && output.contains("1 passed"), "{output}");
    assert!(output.contains("5 formats were refused"), "{output}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "nothing torn and nothing hidden is left");
}

/// Without the limit, by itself, it has nothing to do.
#[tokio::test]
async fn under_the_limit() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let schema = Arc::new(Schema::new(vec![Field::new("value", DataType::I64)]).unwrap());
    // Numbers that no codec shrinks below the limit.
    let values = (0..100_000_i64).map(|row| row.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64));
    let values = Int64Array::from_iter_values(values);
    let batch = Arc::new(Batch::new(Arc::clone(&schema), vec![Arc::new(values)]).unwrap());
    let mut refused = 0;
    for format in Format::ALL {
        let path = std::path::Path::new(&folder).join(format!("full.{}", format.suffix()));
        let mut sink = FileSink::open(&FileSinkConfig::new(&path, format), &schema).await.unwrap();
        let written = match sink.write(Arc::clone(&batch)).await {
            Ok(_) => sink.close().await,
            Err(error) => Err(error),
        };
        let error = written.unwrap_err();
        assert!(matches!(error, SinkError::TooLarge { .. }), "{format}: {error:?}");
        assert_eq!((error.fault(), error.retryable()), (Fault::Tenant, false));
        assert!(matches!(sink.close().await, Err(SinkError::AfterError)));
        assert!(!path.exists());
        refused += 1;
    }
    println!("{refused} formats were refused");
}
