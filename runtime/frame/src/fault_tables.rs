//! Whose fault each error is, and whether it is retryable.

use std::io;

use expect_test::expect;
use weir_fault::table;

use crate::FrameError;

#[test]
fn of_frames() {
    let table = table![
        FrameError::Io(io::ErrorKind::BrokenPipe.into()),
        FrameError::Io(io::ErrorKind::WouldBlock.into()),
        FrameError::OtherVersion { expected: 1, found: 2 },
        FrameError::UnknownKind { kind: 1 },
        FrameError::TooLong { kind: "Log", bytes: 2, bytes_max: 1 },
        FrameError::TooShort { bytes: 1 },
        FrameError::Invalid { kind: "Log", reason: String::new() },
        FrameError::CutOff { bytes: 1 },
        FrameError::Descriptors { kind: "Hand", expected: 1, found: 0 },
        FrameError::OutOfTurn { kind: "Log", reason: String::new() },
    ];
    expect![[r#"
        Io: external
        Io: external, retryable
        OtherVersion: external
        UnknownKind: tenant
        TooLong: tenant
        TooShort: tenant
        Invalid: tenant
        CutOff: external
        Descriptors: tenant
        OutOfTurn: tenant
    "#]]
    .assert_eq(&table);
}
