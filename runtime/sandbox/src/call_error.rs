//! Errors of calls.

use std::fmt;

use weir_batch::BatchError;

use crate::{Fault, LimitExceeded, LogLine, ModuleDigest, TenantId, Usage};

/// A call ended with an error. Its output and metrics are discarded, and its instance is gone.
#[derive(Debug)]
#[non_exhaustive]
pub struct CallError {
    /// The cause.
    pub cause: TrapCause,
    /// Where it happened, and what the guest logged.
    pub context: Box<CallContext>,
}

/// Where a call ended, and what the guest logged before.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CallContext {
    /// The owner of the module.
    pub tenant: TenantId,
    /// The module.
    pub module: ModuleDigest,
    /// The function.
    pub function: String,
    /// The phase.
    pub phase: Phase,
    /// The cost of the call so far.
    pub usage: Usage,
    /// The number of rows in the batch that count.
    pub rows: usize,
    /// The row at which it ended, among the rows that count, if known.
    pub row: Option<usize>,
    /// The guest's stack, innermost call first; demangled, with a limited length.
    pub backtrace: Vec<String>,
    /// The guest's log lines.
    pub logs: Vec<LogLine>,
    /// Log lines beyond the limit.
    pub logs_dropped: u64,
    /// The guest's last words: usually the message of a panic. Escaped and cut.
    pub last_words: Option<String>,
}

/// A phase of an instance's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Instantiation, including the start function.
    Start,
    /// The function's init.
    Init,
    /// A call with a batch.
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

/// The cause of a failed call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrapCause {
    /// The fuel was used up.
    #[error("out of fuel: limit {limit}")]
    OutOfFuel {
        /// The initial amount.
        limit: u64,
    },
    /// The CPU time was used up.
    #[error("deadline passed: limit {limit_ms} ms of CPU time")]
    Deadline {
        /// The limit of CPU time. Time in which other threads ran, or in which the process was stopped, does not count.
        limit_ms: u64,
    },
    /// The call got so little CPU time that it was ended before its deadline. This is not its fault, and it can be repeated.
    #[error(
        "the machine is too busy: the call got {cpu_ms} ms of CPU time within {passed_ms} ms; its limit is {limit_ms} ms"
    )]
    Starved {
        /// The CPU time that it got.
        cpu_ms: u64,
        /// The limit of CPU time.
        limit_ms: u64,
        /// How long it ran, in ticks of the engine.
        passed_ms: u64,
    },
    /// A limit of the tenant was reached.
    #[error(transparent)]
    Limit(#[from] LimitExceeded),
    /// Calls were nested too deeply.
    #[error("stack overflow: calls are nested too deeply")]
    StackOverflow,
    /// The guest gave up: usually a panic.
    #[error("unreachable code was reached")]
    Unreachable,
    /// An access outside of the guest's memory.
    #[error("memory access out of bounds")]
    OutOfBounds,
    /// Another trap, such as a division by zero or an indirect call of the wrong type.
    #[error("trap: {0}")]
    Trap(String),
    /// A host function whose result cannot express an error was called with invalid arguments.
    #[error("invalid call of {import}: {detail}")]
    BadHostCall {
        /// The host function.
        import: &'static str,
        /// What was wrong.
        detail: String,
    },
    /// The function returned an error code.
    #[error("the function failed with code {code}")]
    Failed {
        /// The code, not 0.
        code: i32,
    },
    /// The function reported success, but its output is inconsistent.
    #[error("malformed output: {0}")]
    MalformedOutput(#[from] Malformed),
    /// All slots of the engine's pool are in use.
    #[error("no instance is free: all {limit} are in use")]
    PoolExhausted {
        /// The number of slots.
        limit: u32,
    },
    /// The tenant has its maximum number of instances.
    #[error(transparent)]
    InstanceQuota(LimitExceeded),
    /// The tenant is quarantined.
    #[error("the tenant is quarantined because the host panicked in one of its calls: {reason}")]
    Quarantined {
        /// The message of the panic.
        reason: String,
    },
    /// The batch does not have the schema to which the function was bound.
    #[error("the batch has the schema ({found}), but the function was bound to ({expected})")]
    Schema {
        /// The schema of the binding.
        expected: String,
        /// The schema of the batch.
        found: String,
    },
    /// The instance was created for a function that its module does not have.
    #[error("the module has no such function")]
    WrongModule,
    /// A host function panicked, which is a bug of the host.
    #[error("the host panicked: {message}")]
    HostPanic {
        /// The message of the panic.
        message: String,
    },
    /// Columns could not be assembled: a bug of the host, or a column beyond 2 GiB.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// Any other error of the engine.
    #[error("the engine failed: {0}")]
    Engine(String),
}

/// Inconsistent output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Some rows have no answer.
    #[error("emit_filter covered {found} of {rows} rows")]
    Relation {
        /// The number of rows with an answer.
        found: usize,
        /// The number of rows in the batch.
        rows: usize,
    },
    /// A column is shorter than the others.
    #[error("field `{field}` has {found} values for {expected} output rows")]
    ColumnRows {
        /// The field.
        field: String,
        /// The number of emitted values.
        found: usize,
        /// The number of output rows.
        expected: usize,
    },
    /// A failed row has output.
    #[error("row {row} failed by row_error but also has output")]
    FailedRow {
        /// The row.
        row: usize,
    },
    /// A row of a map has neither output nor failed.
    #[error("row {row} of a map has no output but did not fail by row_error")]
    MissingRow {
        /// The row.
        row: usize,
    },
}

impl Malformed {
    /// Who has to act: the author of the function.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same call may succeed later: no, because guests are deterministic.
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

    /// Who has to act.
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

    /// Whether the same call may succeed later: if time or other calls took part.
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

    /// Who has to act.
    pub fn fault(&self) -> Fault {
        self.cause.fault()
    }

    /// Whether the same call may succeed later: guests are deterministic, but time is not.
    pub fn retryable(&self) -> bool {
        self.cause.retryable()
    }

    /// Whether the call was ended because it got too little CPU time, and should be repeated.
    pub fn starved(&self) -> bool {
        matches!(self.cause, TrapCause::Starved { .. })
    }

    /// Whether nothing was run because no instance was free, so that the call can be repeated when other calls have ended.
    pub fn no_instance(&self) -> bool {
        matches!(self.cause, TrapCause::PoolExhausted { .. } | TrapCause::InstanceQuota(_))
    }
}

/// One line: place, cause, and the guest's last words.
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
