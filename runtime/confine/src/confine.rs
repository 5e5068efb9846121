//! The one function, in the order that the crate's page explains.

use crate::{ConfineError, Confinement, Walls, limits};
#[cfg(target_os = "linux")]
use crate::{Wall, calls, descriptors, files, privileges, process};

/// Takes away from this process what the confinement does not leave it, for good. Call it before any thread starts and before
/// anything of a tenant's is read.
///
/// # Errors
///
/// More than one thread, another parent than expected, a folder that does not exist, or a step that the kernel refuses. The
/// process is then confined in part, and must end. What the kernel does not have is no error: see [`Walls::missing`].
#[cfg(target_os = "linux")]
pub fn confine(confinement: &Confinement) -> Result<Walls, ConfineError> {
    process::refuse_threads()?;
    process::remember_the_page_size();
    descriptors::close_inherited(&confinement.keep)?;
    process::offer_to_the_oom_killer();
    privileges::drop_all(confinement.identity)?;
    limits::set(&confinement.budgets)?;
    process::end_with_parent(confinement.parent)?;
    process::close_to_others()?;
    let executable_memory = process::refuse_new_code(confinement.has(Wall::Mdwe));
    let files::Domain { files, signals, abi: landlock_abi } = files::enter_domain(confinement)?;
    if confinement.ends_unknown_calls {
        process::name_unknown_calls()?;
    }
    let system_calls = match confinement.has(Wall::Seccomp) {
        true => calls::refuse(confinement.role, confinement.ends_unknown_calls),
        false => crate::Enforced::No,
    };
    Ok(Walls { system_calls, files, signals, executable_memory, landlock_abi })
}

/// Limits the resources of this process. This system has none of the walls.
///
/// # Errors
///
/// A limit that is refused.
#[cfg(not(target_os = "linux"))]
pub fn confine(confinement: &Confinement) -> Result<Walls, ConfineError> {
    limits::set(&confinement.budgets)?;
    Ok(Walls::NONE)
}
