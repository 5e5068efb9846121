//! Capabilities, groups and ids.

use rustix::io::Errno;
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::ConfineError;
use crate::confinement::Identity;

/// Becomes `identity`, if any, and gives up all capabilities. This process has one thread, so that what is a thread's is its own.
pub(crate) fn drop_all(identity: Option<Identity>) -> Result<(), ConfineError> {
    // Only a privileged process can and has to: without new privileges, no program brings any back.
    for number in 0..64 {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // The last one that the kernel knows was before this.
            Err(Errno::INVAL) => break,
            Err(Errno::PERM) => break,
            Err(error) => return Err(ConfineError::step("limit the capabilities of this process")(error)),
        }
    }
    if let Some(Identity { uid, gid }) = identity {
        // The kernel takes this value for "leave it as it is".
        if uid == u32::MAX || gid == u32::MAX {
            return Err(ConfineError::step::<Errno>("change the user and group id")(Errno::INVAL));
        }
        let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
        set_thread_groups(&[]).map_err(ConfineError::step("leave the groups of the user"))?;
        set_thread_res_gid(gid, gid, gid).map_err(ConfineError::step("change the group id"))?;
        set_thread_res_uid(uid, uid, uid).map_err(ConfineError::step("change the user id"))?;
    }
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, none).map_err(ConfineError::step("give up the capabilities of this process"))?;
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have none.
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(ConfineError::step("give up the capabilities of this process")(error)),
    }
}
