//! Whose fault each error is, and whether it is retryable.

use std::io;

use expect_test::expect;
use weir_fault::table;

use crate::{ConfineError, Wall, WindowError};

#[test]
#[cfg(target_os = "linux")]
fn of_confinement() {
    let source = || io::Error::from(io::ErrorKind::NotFound);
    let table = table![
        ConfineError::Threads { threads: 2 },
        ConfineError::Orphan { expected: 2, found: 1 },
        ConfineError::Folder { path: "p".into(), source: source() },
        ConfineError::Step { step: "s", source: source() },
        "x".parse::<Wall>().unwrap_err(),
        WindowError::Full { bytes: 2, free_bytes: 1 },
        WindowError::Size { bytes: 0 },
        WindowError::Sealed,
        WindowError::Place { offset: 1, bytes: 1 },
        WindowError::Step { step: "s", source: source() },
    ];
    expect![[r#"
        Threads: internal
        Orphan: external
        Folder: external
        Step: external
        UnknownWall: external
        Full: external
        Size: external
        Sealed: internal
        Place: internal
        Step: external
    "#]]
    .assert_eq(&table);
}
