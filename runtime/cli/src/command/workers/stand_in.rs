//! In builds for tests, another program in the place of a tenant's worker: one that plays a worker that was taken over.

use weir_tenancy::WorkerSpec;

/// `TENANT,TENANT=PROGRAM`. Not in releases.
const VARIABLE: &str = "WEIR_TEST_WORKERS";

/// Changes the program of the tenants that the variable names.
pub(super) fn stand_in(spec: &mut WorkerSpec) {
    let Ok(value) = std::env::var(VARIABLE) else { return };
    let Some((tenants, program)) = value.split_once('=') else { return };
    if tenants.split(',').any(|tenant| tenant == spec.tenant) {
        spec.program = program.into();
    }
}
