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
    /// CPU time, checks and compiling together; that of the worker where one compiled.
    pub cpu: Duration,
    /// Time on the clock.
    pub wall: Duration,
    /// The most that the worker held, or by how much the resident set rose where this process compiled; `None` where the
    /// system cannot tell.
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
    // What is made better afterwards is part of the cost.
    let apart = admitted.as_ref().ok().map(|module| {
        module.wait_optimised(ground.patience());
        module.compile_cost()
    });
    let worker = apart.and_then(|cost| cost.cpu).unwrap_or_default();
    UploadCost {
        admitted: admitted.is_ok(),
        cpu: process::cpu_time().saturating_sub(cpu) + worker,
        wall: started.elapsed(),
        peak_bytes: apart.and_then(|cost| cost.memory_bytes_peak).or(peak_bytes),
        bytes: bytes.len(),
        native_bytes: admitted.ok().map(|module| module.native_bytes()),
    }
}
