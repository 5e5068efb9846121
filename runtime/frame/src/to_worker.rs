//! What the supervisor says to a process.

use bincode::{Decode, Encode};

use crate::{QueryId, RequestId, WorkerId, WorkerRole};

/// A frame from the supervisor. Kinds are numbered in this order: new ones are added at the end, under a new
/// [`VERSION`](crate::VERSION).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ToWorker {
    /// The first frame, before the process confines itself. Carries a descriptor for each of `handed`.
    Welcome {
        /// The supervisor's [`VERSION`](crate::VERSION). A process of another version ends.
        version: u32,
        /// What this process is for.
        role: WorkerRole,
        /// Its number.
        worker: WorkerId,
        /// The process id of the supervisor: what the parent's id has to be after the parent-death signal was set.
        supervisor_pid: u32,
        /// How it weighs against others, which it does to itself before it is confined.
        cpu: CpuPlace,
        /// The user and group that it becomes, where it has to change them.
        user: Option<WorkerUser>,
        /// What the descriptors are, in their order.
        handed: Vec<Handed>,
        /// What else the process has to know: paths, limits, secrets. Whoever builds the worker chooses the form.
        settings: Vec<u8>,
    },
    /// A query file to be read into a draft, for a reader. The answer is [`Needs`](crate::FromWorker::Needs), or
    /// [`Draft`](crate::FromWorker::Draft) without one where the file cannot be read.
    Read {
        /// The number of the question.
        request: RequestId,
        /// The name of the file, for messages.
        file: String,
        /// Its text, as it was found: not checked, perhaps no UTF-8.
        text: Vec<u8>,
    },
    /// What the file that is being read may have. The answer is [`Draft`](crate::FromWorker::Draft).
    Grant {
        /// The number of the question of `Read`.
        request: RequestId,
        /// The limits of the tenant that the file speaks for: whoever builds the reader chooses the form. Empty where it may speak for
        /// no tenant.
        limits: Vec<u8>,
        /// Variables of the environment that it may read, with their values.
        variables: Vec<(String, Vec<u8>)>,
    },
    /// A query to resolve. The answer is [`Resolved`](crate::FromWorker::Resolved) or [`Refused`](crate::FromWorker::Refused).
    Run {
        /// Its number.
        query: QueryId,
        /// The draft that a reader made.
        draft: Vec<u8>,
        /// The tenant's limits.
        limits: Vec<u8>,
        /// The folder that relative paths start from: the bytes of an absolute path.
        base_folder: Vec<u8>,
    },
    /// A query that was resolved is to run. The answer is [`Started`](crate::FromWorker::Started) or
    /// [`Refused`](crate::FromWorker::Refused).
    Go {
        /// The query.
        query: QueryId,
    },
    /// Code is in the window: the answer to [`Compile`](crate::FromWorker::Compile). With `more`, better code of the same
    /// module follows under the same number.
    Code {
        /// The number of the question.
        request: RequestId,
        /// Where in the window it begins.
        window_offset: u64,
        /// How long it is.
        code_bytes: u64,
        /// Whether another answer follows.
        more: bool,
        /// What else is known of it (tier, cost): whoever builds the worker chooses the form.
        about: Vec<u8>,
    },
    /// The module was refused: the other answer to `Compile`.
    CodeRefused {
        /// The number of the question.
        request: RequestId,
        /// The code of the error, as in docs/errors.md.
        code: String,
        /// What is wrong, where, and what to do.
        text: String,
        /// The refusal as a value: whoever builds the worker chooses the form.
        about: Vec<u8>,
    },
    /// The answer to [`Connect`](crate::FromWorker::Connect). Carries one descriptor: the connected socket.
    Connected {
        /// The number of the question.
        request: RequestId,
    },
    /// The other answer to `Connect`.
    ConnectRefused {
        /// The number of the question.
        request: RequestId,
        /// `denied`, `not_found`, `timed_out`, `unreachable`, `too_many`, `unavailable`.
        code: String,
        /// What is wrong, and what to do.
        text: String,
    },
    /// A descriptor for a query that was resolved and is about to be run: its standard input, or the socket by which it hands over what
    /// it writes to the standard output. Carries one descriptor.
    Hand {
        /// The query, whose `Go` follows.
        query: QueryId,
        /// What the descriptor is.
        handed: Handed,
    },
    /// Steers a query.
    Steer {
        /// The query.
        query: QueryId,
        /// What it is to do.
        steering: Steering,
    },
    /// Somebody looks at a query: [`Progress`](crate::FromWorker::Progress) is wanted now.
    Look {
        /// The query.
        query: QueryId,
    },
    /// Every query is to stop at a commit, and the process to end.
    End {
        /// The time after which the process is killed.
        grace_ms: u64,
    },
    /// A connection that a worker asks for, for the connector. The answer is [`Reached`](crate::FromWorker::Reached) or
    /// [`NotReached`](crate::FromWorker::NotReached).
    Reach {
        /// The number of the question, of the supervisor's own count.
        request: RequestId,
        /// Whose it is.
        tenant: String,
        /// A name, or an address as text, as the worker asked for it.
        host: String,
        /// The port.
        port: u16,
        /// Networks that this tenant may reach: `public`, or `ADDRESS/BITS`.
        allowed: Vec<String>,
    },
}

/// What a query is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Steering {
    /// Commit, and wait.
    Pause,
    /// Go on.
    Resume,
    /// Commit, and end: [`Ended`](crate::FromWorker::Ended) follows.
    Stop,
}

/// What a descriptor that is handed over is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Handed {
    /// The memory that compiled code is written to by the supervisor, and read and run by the worker.
    CodeWindow,
    /// The locked file of the tenant's state folder. To be held until the process ends, and not to be used.
    Lock,
    /// What a query reads as its standard input: for reading only, and shared with nobody.
    Input,
    /// A socket to the process that writes the query's rows to its standard output.
    Output,
}

/// How a process weighs against others for CPU time. One of the two at most is set: nice is void between sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Encode, Decode)]
pub struct CpuPlace {
    /// Make a session of its own, with this nice value of the session (`/proc/self/autogroup`).
    pub session_nice: Option<i8>,
    /// Stay in the supervisor's session, with this nice value of the process.
    pub nice: Option<i8>,
}

/// A user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub struct WorkerUser {
    /// The user's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
}
