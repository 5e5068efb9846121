//! Stand-ins until the sinks' own settings are there.
#![expect(missing_docs, reason = "goes away with the stand-ins")]

use std::path::PathBuf;
use std::time::Duration;

use weir_batch::format::Format;

#[derive(Clone, Debug)]
pub struct StdoutSinkConfig {
    pub format: StdoutFormat,
    pub rows_max: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StdoutFormat {
    Table,
    JsonLines,
    Csv,
}

#[derive(Clone, Debug)]
pub struct FileSinkConfig {
    pub path: PathBuf,
    pub format: Format,
    pub rotate_bytes_max: Option<u64>,
    pub rotate_after: Option<Duration>,
    pub if_exists: IfExists,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfExists {
    Fail,
    Replace,
}
