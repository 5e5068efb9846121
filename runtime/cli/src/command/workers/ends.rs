//! What an operator can do about a worker that ended.

use weir_tenancy::{DiskExcess, EndCause};

/// Why a worker of a tenant ended, with the key of the limits file that says how much it may have.
pub(super) fn with_remedy(cause: &EndCause, tenant: &str) -> String {
    let key = match cause {
        EndCause::Memory => "worker_memory_bytes_max",
        EndCause::TooManyThreads { .. } => "threads_max",
        EndCause::OverDisk { excess: DiskExcess::Bytes { .. } } => return of_disk(cause, "disk_bytes_max", tenant),
        EndCause::OverDisk { excess: DiskExcess::Files { .. } } => return of_disk(cause, "files_max", tenant),
        _ => return cause.to_string(),
    };
    format!("{cause}; raise `{key}` of `[tenants.{tenant}]` in the limits file, or have the tenant do less at once")
}

fn of_disk(cause: &EndCause, key: &str, tenant: &str) -> String {
    format!("{cause}; delete files, or raise `{key}` of `[tenants.{tenant}]` in the limits file")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named_with_their_key() {
        let cause = EndCause::TooManyThreads { threads: 40, threads_max: 32 };
        assert_eq!(
            with_remedy(&cause, "acme"),
            "was ended: 40 threads, where the maximum is 32; raise `threads_max` of `[tenants.acme]` in the limits file, or have the tenant do less at once"
        );
        assert_eq!(with_remedy(&EndCause::Silent, "acme"), "was ended: it did not say hello");
    }
}
