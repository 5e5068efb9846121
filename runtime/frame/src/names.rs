//! What the two sides call things. Who a frame is from is known by its socket, never by a number in it.

use std::fmt;

use bincode::{Decode, Encode};

/// A worker process, as the supervisor numbers it. A worker that is started again keeps its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct WorkerId(pub u64);

/// A query that a worker runs, as the supervisor numbers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct QueryId(pub u64);

/// A question. The side that asks chooses the number, and uses it once in the life of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub struct RequestId(pub u64);

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker {}", self.0)
    }
}

impl fmt::Display for QueryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "query {}", self.0)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "request {}", self.0)
    }
}

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum WorkerRole {
    /// Runs the queries of one tenant.
    Tenant,
    /// Reads query files into drafts; has no tenant yet.
    Reader,
    /// Resolves names and connects for workers.
    Connector,
}

impl fmt::Display for WorkerRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            WorkerRole::Tenant => "tenant",
            WorkerRole::Reader => "reader",
            WorkerRole::Connector => "connector",
        })
    }
}

/// A wall around a process, as the process found it after it had confined itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WallReport {
    /// For example `seccomp`, `landlock`, `mdwe`. At most 32 bytes.
    pub name: String,
    /// How much of it holds.
    pub state: WallState,
    /// What is missing, or its version. At most 128 bytes.
    pub note: String,
}

/// How much of a wall holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum WallState {
    /// All of it.
    InForce,
    /// As much as this kernel knows of it.
    Partly,
    /// Nothing: the kernel does not have it, or the operator gave it up.
    Missing,
}

impl fmt::Display for WallState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            WallState::InForce => "in force",
            WallState::Partly => "in part",
            WallState::Missing => "missing",
        })
    }
}
