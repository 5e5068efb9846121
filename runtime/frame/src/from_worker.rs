//! What a process says to the supervisor. All of it is hostile: a process may have been taken over by a tenant.

use bincode::{Decode, Encode};

use crate::{QueryId, RequestId, WallReport, WorkerRole};

/// A frame to the supervisor. Kinds are numbered in this order: new ones are added at the end, under a new
/// [`VERSION`](crate::VERSION).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FromWorker {
    /// The first frame, after the process has confined itself.
    Hello {
        /// Its [`VERSION`](crate::VERSION).
        version: u32,
        /// What it believes to be for.
        role: WorkerRole,
        /// The walls that hold.
        walls: Vec<WallReport>,
    },
    /// What a query file asks for before it can be read further.
    Needs {
        /// The number of the question.
        request: RequestId,
        /// The tenant that the file names. Whether it may is for the supervisor to decide.
        tenant: Option<String>,
        /// The variables of the environment that it names.
        variables: Vec<String>,
    },
    /// What a reader made of a query file: a draft, or problems, or both.
    Draft {
        /// The number of the question.
        request: RequestId,
        /// The draft, where the file has one.
        draft: Option<Vec<u8>>,
        /// What is wrong with the file.
        problems: Vec<DraftProblem>,
    },
    /// A piece of a module to be compiled. Pieces of one module follow each other, without gaps.
    Compile {
        /// The number of the question.
        request: RequestId,
        /// Whose it is: a tenant that this worker works for.
        tenant: String,
        /// How long the module is.
        module_bytes: u32,
        /// Where in it this piece begins.
        offset: u32,
        /// At most [`CHUNK_BYTES_MAX`](crate::CHUNK_BYTES_MAX).
        chunk: Vec<u8>,
    },
    /// Asks for a connection.
    Connect {
        /// The number of the question.
        request: RequestId,
        /// A name, or an address as text.
        host: String,
        /// A port of TCP.
        port: u16,
    },
    /// A query was resolved, and waits for [`Go`](crate::ToWorker::Go).
    Resolved {
        /// The query.
        query: QueryId,
        /// Its name, as its file gives it.
        name: String,
        /// The longest time between two commits, in milliseconds, where it commits by time.
        commit_ms: Option<u64>,
        /// What it uses that others may use as well: whoever builds the worker chooses the form.
        claims: Vec<u8>,
        /// What is odd in its file, but can be run.
        warnings: Vec<DraftProblem>,
    },
    /// A query runs.
    Started {
        /// The query.
        query: QueryId,
    },
    /// A query cannot be run.
    Refused {
        /// The query.
        query: QueryId,
        /// The code of the error, as in docs/errors.md; empty where it has none.
        code: String,
        /// What is wrong, where, and what to do.
        text: String,
    },
    /// How far a query is.
    Progress {
        /// The query.
        query: QueryId,
        /// Counters and states. Whoever builds the worker chooses the form.
        bytes: Vec<u8>,
    },
    /// What the process works on. Sent when `held` becomes more than zero and when it becomes zero, and several times in
    /// `worker_stall_ms_max` while it is more. A process that holds work whose `done` does not grow is ended.
    Work {
        /// Units of work at hand: batches, calls, commits.
        held: u64,
        /// Units done since the start. Never less than before.
        done: u64,
    },
    /// A line for the log.
    Log {
        /// How much it matters.
        level: LineLevel,
        /// The part of the program.
        target: String,
        /// The line, not escaped.
        text: String,
    },
    /// Something that happened.
    Event {
        /// The query, where it is about one.
        query: Option<QueryId>,
        /// What kind of event it is: a word.
        code: String,
        /// What happened.
        text: String,
    },
    /// A query has ended.
    Ended {
        /// The query.
        query: QueryId,
        /// How.
        end: QueryEnd,
        /// What came of it. Whoever builds the worker chooses the form.
        summary: Vec<u8>,
    },
    /// The connector has made a connection. Carries one descriptor: no other frame to the supervisor does.
    Reached {
        /// The number of the question.
        request: RequestId,
    },
    /// The connector has made no connection.
    NotReached {
        /// The number of the question.
        request: RequestId,
        /// As in [`ConnectRefused`](crate::ToWorker::ConnectRefused).
        code: String,
        /// What is wrong, and what to do.
        text: String,
    },
    /// Spans of a query that runs, and lines of its functions.
    Telemetry {
        /// The query.
        query: QueryId,
        /// Whoever builds the worker chooses the form.
        bytes: Vec<u8>,
    },
}

/// How a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Encode, Decode)]
pub enum QueryEnd {
    /// Its sources have ended, and all that was read of them is committed.
    Complete,
    /// It was asked to stop, and did so at a commit. It can be run again from there.
    Stopped,
    /// It failed.
    Failed,
}

/// Something that is wrong with a query file.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct DraftProblem {
    /// Its line, from 1; 0 where it is about the whole file.
    pub line: u32,
    /// What is wrong, where, and what to do.
    pub text: String,
}

/// How much a line of a log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
pub enum LineLevel {
    /// Something failed.
    Error,
    /// Something may fail.
    Warn,
    /// Something happened.
    Info,
    /// For whoever looks for a fault.
    Debug,
}
