//! What compiling a module took.

use std::time::Duration;

/// What compiling a module took, both tiers together where it was compiled twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompileCost {
    /// Wall-clock time until there was code that could run; of code from the cache, until that was found fit.
    pub time: Duration,
    /// CPU time of the worker process, its start included. `None` where the code was compiled in this process or came
    /// from the cache.
    pub cpu: Option<Duration>,
    /// The most memory that the worker process held, in bytes. `None` as above.
    pub memory_bytes_peak: Option<u64>,
}
