//! Whose fault each error is, and whether it is retryable.

use std::io;
use std::path::PathBuf;

use expect_test::expect;
use weir_fault::table;

use crate::{Denied, FileError, FileKind, RuntimeFolderError};

#[test]
fn of_files_and_folders() {
    let io = |kind: io::ErrorKind| io::Error::from(kind);
    let path = || PathBuf::from("p");
    let table = table![
        FileError::Io(io(io::ErrorKind::NotFound)),
        FileError::Io(io(io::ErrorKind::Interrupted)),
        FileError::NotRegular { kind: FileKind::Folder },
        FileError::TooLarge { bytes_max: 1 },
        Denied::Outside,
        Denied::BrokenLink,
        Denied::Link,
        RuntimeFolderError::Io { action: "open", path: path(), source: io(io::ErrorKind::NotFound) },
        RuntimeFolderError::NoFolder { path: path() },
        RuntimeFolderError::Foreign { path: path(), uid: 1 },
        RuntimeFolderError::Writable { path: path(), mode: 0o777 },
    ];
    expect![[r#"
        Io: external
        Io: external, retryable
        NotRegular: tenant
        TooLarge: tenant
        Outside: tenant
        BrokenLink: tenant
        Link: tenant
        Io: external
        NoFolder: external
        Foreign: external
        Writable: external
    "#]]
    .assert_eq(&table);
}
