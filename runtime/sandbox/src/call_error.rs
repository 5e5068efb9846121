//! Why a batch could not be answered.

use std::fmt;

use weir_batch::BatchError;

use crate::{Fault, LimitExceeded, LogLine, ModuleDigest, TenantId, Usage};

/// A call that ended without an answer. Nothing that the function emitted or recorded in it counts, and its instance
/// is gone.
#[derive(Debug)]
#[non_exhaustive]
pub struct CallError {
    /// What ended it.
    pub cause: TrapCause,
    /// Where, and what the guest said.
    pub context: Box<CallContext>,
}

/// Where a call ended, and what the guest said before.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallContext {
    /// Whose module it is.
    pub tenant: TenantId,
    /// The module.
    pub module: ModuleDigest,
    /// The function.
    pub function: String,
    /// What was running.
    pub phase: Phase,
    /// What the call cost up to there.
    pub usage: Usage,
    /// The rows of the batch that count.
    pub rows: usize,
    /// The row at which it ended, among those of the batch that count, where that is known.
    pub row: Option<usize>,
    /// The guest's calls, innermost first; demangled, capped.
    pub backtrace: Vec<String>,
    /// What the guest logged.
    pub logs: Vec<LogLine>,
    /// Log lines beyond the limit.
    pub logs_dropped: u64,
    /// What the guest left to be said: the message of a panic, most often. Escaped and cut.
    pub last_words: Option<String>,
}

/// A part of an instance's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Instantiation, with the start function.
    Start,
    /// The function's init.
    Init,
    /// The function, on a batch.
    Batch,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Phase::Start => "start",
            Phase::Init => "init",
            Phase::Batch => "batch",
        })
    }
}

/// What ended a call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrapCause {
    /// The fuel is used up.
    #[error("out of fuel: limit {limit}")]
    OutOfFuel {
        /// What there was at the start.
        limit: u64,
    },
    /// The CPU time is used up.
    #[error("deadline passed: limit {limit_ms} ms of CPU time")]
    Deadline {
        /// The CPU time that was given. What the call waited while others ran is not counted, and neither is what the
        /// process was stopped.
        limit_ms: u64,
    },
    /// The call got so little of a core that it was ended before its deadline. Not its fault: it can be made again.
    #[error(
        "the machine is too busy: the call got {cpu_ms} ms of CPU time within {passed_ms} ms; its limit is {limit_ms} ms"
    )]
    Starved {
        /// The CPU time that it had.
        cpu_ms: u64,
        /// What its deadline is.
        limit_ms: u64,
        /// How long it ran, in ticks of the engine.
        passed_ms: u64,
    },
    /// A limit of the tenant.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// Calls nested too deeply.
    #[error("stack overflow: calls are nested too deeply")]
    StackOverflow,
    /// The guest gave up: a panic, most often.
    #[error("unreachable code was reached")]
    Unreachable,
    /// A load or store outside of the guest's memory.
    #[error("memory access out of bounds")]
    OutOfBounds,
    /// Arithmetic that has no result, an indirect call of the wrong type, …
    #[error("trap: {0}")]
    Trap(String),
    /// A host function that has no room for a status was called with what it refuses.
    #[error("invalid call of {import}: {detail}")]
    BadHostCall {
        /// The host function.
        import: &'static str,
        /// What was wrong.
        detail: String,
    },
    /// The function answered with a code of its own.
    #[error("the function failed with code {code}")]
    Failed {
        /// The code, not 0.
        code: i32,
    },
    /// The function said that it was done, and what it emitted does not hold together.
    #[error("malformed output: {0}")]
    MalformedOutput(#[from] Malformed),
    /// Every slot of the engine's pool is taken.
    #[error("no instance is free: all {limit} are in use")]
    PoolExhausted {
        /// The slots there are.
        limit: u32,
    },
    /// The tenant has as many instances as it may.
    #[error(transparent)]
    InstanceQuota(LimitExceeded),
    /// The tenant is quarantined.
    #[error("the tenant is quarantined because the host panicked in one of its calls: {reason}")]
    Quarantined {
        /// What the panic said.
        reason: String,
    },
    /// The batch is not of the schema that the function was bound to.
    #[error("the batch has the schema ({found}), but the function was bound to ({expected})")]
    Schema {
        /// What the function was bound to.
        expected: String,
        /// The batch's.
        found: String,
    },
    /// The instance was given a function that its module does not have.
    #[error("the module has no such function")]
    WrongModule,
    /// A host function panicked: a fault of this program.
    #[error("the host panicked: {message}")]
    HostPanic {
        /// What the panic said.
        message: String,
    },
    /// Columns that could not be put together: a fault of this program, or a column beyond 2 GiB.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Anything else that the engine reports.
    #[error("the engine failed: {0}")]
    Engine(String),
}

/// Output that does not hold together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Not every row was answered for.
    #[error("emit_filter covered {found} of {rows} rows")]
    Relation {
        /// The rows covered.
        found: usize,
        /// The rows of the batch.
        rows: usize,
    },
    /// A column is shorter than the others.
    #[error("field `{field}` has {found} values for {expected} output rows")]
    ColumnRows {
        /// The field.
        field: String,
        /// The values emitted.
        found: usize,
        /// The output rows.
        expected: usize,
    },
    /// A row has output although it failed.
    #[error("row {row} failed by row_error but also has output")]
    FailedRow {
        /// The row.
        row: usize,
    },
    /// A map's row has no output although it did not fail.
    #[error("row {row} of a map has no output but did not fail by row_error")]
    MissingRow {
        /// The row.
        row: usize,
    },
}

impl Malformed {
    /// Whose fault it is: the function emitted it.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same may succeed later: guests are deterministic.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl TrapCause {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            TrapCause::OutOfFuel { .. } => "out_of_fuel",
            TrapCause::Deadline { .. } => "deadline",
            TrapCause::Starved { .. } => "starved",
            TrapCause::Limit(limit) => match limit.name {
                "memory" => "memory_limit",
                "table" => "table_limit",
                "output bytes" => "output_bytes_limit",
                _ => "output_rows_limit",
            },
            TrapCause::StackOverflow => "stack_overflow",
            TrapCause::Unreachable => "unreachable",
            TrapCause::OutOfBounds => "out_of_bounds",
            TrapCause::Trap(_) => "trap",
            TrapCause::BadHostCall { .. } => "bad_host_call",
            TrapCause::Failed { .. } => "failed",
            TrapCause::MalformedOutput(_) => "malformed_output",
            TrapCause::PoolExhausted { .. } => "pool_exhausted",
            TrapCause::InstanceQuota(_) => "instances_limit",
            TrapCause::Quarantined { .. } => "quarantined",
            TrapCause::Schema { .. } => "schema",
            TrapCause::WrongModule => "wrong_module",
            TrapCause::HostPanic { .. } => "host_panic",
            TrapCause::Batch(_) => "batch",
            TrapCause::Engine(_) => "engine",
        }
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            TrapCause::PoolExhausted { .. } | TrapCause::Starved { .. } => Fault::External,
            TrapCause::Quarantined { .. }
            | TrapCause::Schema { .. }
            | TrapCause::WrongModule
            | TrapCause::HostPanic { .. }
            | TrapCause::Batch(_)
            | TrapCause::Engine(_) => Fault::Internal,
            TrapCause::OutOfFuel { .. }
            | TrapCause::Deadline { .. }
            | TrapCause::Limit(_)
            | TrapCause::StackOverflow
            | TrapCause::Unreachable
            | TrapCause::OutOfBounds
            | TrapCause::Trap(_)
            | TrapCause::BadHostCall { .. }
            | TrapCause::Failed { .. }
            | TrapCause::MalformedOutput(_)
            | TrapCause::InstanceQuota(_) => Fault::Tenant,
        }
    }

    /// Whether the same call may end otherwise at another time: where time, or other calls, took part.
    pub fn retryable(&self) -> bool {
        matches!(
            self,
            TrapCause::Deadline { .. }
                | TrapCause::Starved { .. }
                | TrapCause::PoolExhausted { .. }
                | TrapCause::InstanceQuota(_)
        )
    }
}

impl CallError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        self.cause.code()
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.cause.fault()
    }

    /// Whether the same call may end otherwise at another time: guests are deterministic, but time is not.
    pub fn retryable(&self) -> bool {
        self.cause.retryable()
    }

    /// Whether the call was ended because the machine gave it no core, and is to be made again as it was.
    pub fn starved(&self) -> bool {
        matches!(self.cause, TrapCause::Starved { .. })
    }

    /// Whether nothing of the batch was run, for want of an instance, so that the same call can be made again once
    /// others have ended.
    pub fn no_instance(&self) -> bool {
        matches!(self.cause, TrapCause::PoolExhausted { .. } | TrapCause::InstanceQuota(_))
    }
}

/// One line: where, what, and the guest's last words.
impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CallContext { tenant, module, function, phase, rows, row, last_words, .. } = &*self.context;
        write!(f, "{tenant}, module {module:.12}, function {function}, ")?;
        match (phase, row) {
            (Phase::Start, _) => f.write_str("at instantiation")?,
            (Phase::Init, _) => f.write_str("in init")?,
            (Phase::Batch, Some(row)) => write!(f, "row {row} of a batch of {rows}")?,
            (Phase::Batch, None) => write!(f, "in a batch of {rows} rows")?,
        }
        write!(f, ": {}", self.cause)?;
        match last_words {
            Some(words) => write!(f, ": {words}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CallError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            TrapCause::Limit(limit) | TrapCause::InstanceQuota(limit) => Some(limit),
            TrapCause::MalformedOutput(malformed) => Some(malformed),
            TrapCause::Batch(error) => Some(error),
            _ => None,
        }
    }
}
