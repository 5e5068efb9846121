//! Limits of resources.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{Budgets, ConfineError};

/// Sets soft and hard limits, none above what the process has already.
pub(crate) fn set(budgets: &Budgets) -> Result<(), ConfineError> {
    lower(Resource::Core, 0, 0)?;
    #[cfg(target_os = "linux")]
    if budgets.file_bytes_max.is_some() {
        crate::process::fail_writes_that_are_too_long()?;
    }
    for (resource, most) in [
        (Resource::As, budgets.address_space_bytes_max),
        (Resource::Data, budgets.data_bytes_max),
        (Resource::Fsize, budgets.file_bytes_max),
        (Resource::Nofile, budgets.descriptors_max),
    ] {
        if let Some(most) = most {
            lower(resource, most, most)?;
        }
    }
    if let Some(most) = budgets.cpu_s_max {
        // The first ends the process by a signal of its own, by which its cause is known.
        lower(Resource::Cpu, most, most.saturating_add(1))?;
    }
    // Memory that cannot be taken back, queues, and precedence over others.
    #[cfg(target_os = "linux")]
    for resource in [Resource::Memlock, Resource::Msgqueue, Resource::Nice, Resource::Rtprio] {
        lower(resource, 0, 0)?;
    }
    Ok(())
}

fn lower(resource: Resource, soft: u64, hard: u64) -> Result<(), ConfineError> {
    let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let limit = Rlimit { current: Some(soft.min(most)), maximum: Some(hard.min(most)) };
    setrlimit(resource, limit).map_err(ConfineError::step("limit the resources of this process"))
}
