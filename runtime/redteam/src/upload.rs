//! What an upload costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::case::Case;
use crate::ground::{Ground, tenant};
use crate::process;

/// What an upload cost, with nothing else going on in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadCost {
    /// Whether it was admitted.
    pub admitted: bool,
    /// CPU time of all threads, checks and compiling together.
    pub cpu: Duration,
    /// Time on the clock.
    pub wall: Duration,
    /// By how much the resident set rose while it went on; `None` where the system cannot tell.
    pub peak_bytes: Option<u64>,
    /// Size of what was handed in.
    pub bytes: usize,
    /// Machine code that it became.
    pub native_bytes: Option<usize>,
}

/// Hands the bytes of an attack in once, on this thread.
pub(crate) fn upload_cost(ground: &Ground, case: &Case, bytes: &Arc<Vec<u8>>) -> UploadCost {
    let tenant = tenant(&case.name);
    let (cpu, started) = (process::cpu_time(), Instant::now());
    let (admitted, peak_bytes) = process::peak_bytes_of(|| ground.engine().admit(&tenant, bytes, ground.limits()));
    UploadCost {
        admitted: admitted.is_ok(),
        cpu: process::cpu_time().saturating_sub(cpu),
        wall: started.elapsed(),
        peak_bytes,
        bytes: bytes.len(),
        native_bytes: admitted.ok().map(|module| module.native_bytes()),
    }
}
