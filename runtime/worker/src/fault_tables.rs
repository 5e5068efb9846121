//! Whose fault each error is, and whether it is retryable.

use expect_test::expect;
use weir_fault::table;

use crate::WorkerError;

#[test]
fn of_workers() {
    let table = table![
        WorkerError::Frame(weir_frame::FrameError::TooShort { bytes: 1 }),
        WorkerError::System { what: "threads", source: std::io::ErrorKind::WouldBlock.into() },
        WorkerError::Invalid { what: "a draft", reason: String::new() },
        WorkerError::Unexpected { expected: "Welcome" },
    ];
    expect![[r#"
        Frame: tenant
        System: external, retryable
        Invalid: tenant
        Unexpected: internal
    "#]]
    .assert_eq(&table);
}
