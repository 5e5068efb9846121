//! Questions for connections.

use std::os::fd::OwnedFd;
use std::time::Instant;

use weir_frame::{RequestId, ToWorker};

/// A worker's question that the connector works on. The process is named too: the next one has questions of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) worker: u64,
    pub(crate) pid: u32,
    pub(crate) request: RequestId,
}

/// What a worker asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) request: RequestId,
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A question that waits for the connector, which starts.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) asked: Asked,
    pub(crate) reach: ToWorker,
    /// When it is refused.
    pub(crate) until: Instant,
}

/// What came of it: a connected socket, or a code and a text.
pub(crate) type Outcome = (RequestId, Result<OwnedFd, (String, String)>);
