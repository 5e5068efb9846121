//! What worker processes may take of the machine.

use serde::{Deserialize, Serialize};
use weir_config::{ProcessKeys, Setting, Uids, WorkersKeys};

/// What the worker process of one tenant may take. Every number is enforced by the operating system or the supervisor, not by the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProcessLimits {
    /// Private memory beside what the process takes at its start, in bytes; `None` for what instances and buffers may have.
    pub worker_memory_bytes_max: Option<u64>,
    /// Bytes of records that wait in the queues of all its queries.
    pub buffer_bytes_max: u64,
    /// Threads.
    pub threads_max: u64,
    /// Open descriptors.
    pub descriptors_max: u64,
    /// Length of a file that it writes, in bytes.
    pub file_bytes_max: u64,
    /// Bytes on disk of all files in the tenant's folders; `None` for no limit.
    pub disk_bytes_max: Option<u64>,
    /// Files and folders in the tenant's folders; `None` for no limit.
    pub files_max: Option<u64>,
}

impl Default for ProcessLimits {
    fn default() -> ProcessLimits {
        ProcessLimits {
            worker_memory_bytes_max: None,
            buffer_bytes_max: 256 << 20,
            threads_max: 64,
            descriptors_max: 1_024,
            file_bytes_max: 64 << 30,
            disk_bytes_max: None,
            files_max: None,
        }
    }
}

impl ProcessLimits {
    /// What a worker may take that two tenants share: the sum, but of files' lengths the larger one.
    pub(super) fn joined(self, other: &ProcessLimits) -> ProcessLimits {
        let both = |ours: Option<u64>, theirs: Option<u64>| ours.zip(theirs).map(|(one, two)| one.saturating_add(two));
        ProcessLimits {
            worker_memory_bytes_max: both(self.worker_memory_bytes_max, other.worker_memory_bytes_max),
            buffer_bytes_max: self.buffer_bytes_max.saturating_add(other.buffer_bytes_max),
            threads_max: self.threads_max.saturating_add(other.threads_max),
            descriptors_max: self.descriptors_max.saturating_add(other.descriptors_max),
            file_bytes_max: self.file_bytes_max.max(other.file_bytes_max),
            disk_bytes_max: both(self.disk_bytes_max, other.disk_bytes_max),
            files_max: both(self.files_max, other.files_max),
        }
    }

    /// The limits in a tenant's table of a limits file, with `base` for keys that are not set.
    pub(super) fn resolve(keys: &ProcessKeys, base: ProcessLimits) -> ProcessLimits {
        let given = |setting: &Setting<u64>| setting.given().map(|(_, value)| *value);
        ProcessLimits {
            worker_memory_bytes_max: given(&keys.worker_memory_bytes_max).or(base.worker_memory_bytes_max),
            buffer_bytes_max: given(&keys.buffer_bytes_max).unwrap_or(base.buffer_bytes_max),
            threads_max: given(&keys.threads_max).unwrap_or(base.threads_max),
            descriptors_max: given(&keys.descriptors_max).unwrap_or(base.descriptors_max),
            file_bytes_max: given(&keys.file_bytes_max).unwrap_or(base.file_bytes_max),
            disk_bytes_max: given(&keys.disk_bytes_max).or(base.disk_bytes_max),
            files_max: given(&keys.files_max).or(base.files_max),
        }
    }
}

/// What holds for the worker processes of all tenants: the table `[workers]` of a limits file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Workers {
    /// User ids for tenants, one each; `None` where workers run as the supervisor's user.
    pub uids: Option<Uids>,
    /// Whether the folders of a tenant are given to its user.
    pub chown: bool,
    /// Whether workers are started whose limits of memory and threads together exceed what the machine has.
    pub overcommit: bool,
}

impl Workers {
    pub(super) fn resolve(keys: &WorkersKeys) -> Workers {
        Workers {
            uids: keys.uids.value,
            chown: keys.chown.value.unwrap_or(false),
            overcommit: keys.overcommit.value.unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::LimitsFile;

    #[test]
    fn a_tenant_has_its_own_keys_or_those_of_all() {
        let file = LimitsFile::parse(
            "[workers]\nuids = \"200000-200009\"\novercommit = true\n\
             [defaults]\nthreads_max = 96\ndisk_bytes_max = 1048576\n\
             [tenants.acme]\nthreads_max = 48\nfiles_max = 100\n[tenants.beta]\n",
            Path::new("."),
        )
        .unwrap();
        let of = |tenant: &str| file.of(&tenant.parse().unwrap()).unwrap().process;
        let usual = ProcessLimits { threads_max: 96, disk_bytes_max: Some(1 << 20), ..ProcessLimits::default() };
        assert_eq!(of("acme"), ProcessLimits { threads_max: 48, files_max: Some(100), ..usual });
        assert_eq!(of("beta"), usual);
        let uids = Some(Uids::new(200_000, 200_009));
        assert_eq!(file.workers(), Workers { uids, chown: false, overcommit: true });
    }

    #[test]
    fn the_defaults_are_those_of_the_keys() {
        let file = LimitsFile::parse("[tenants.acme]\n", Path::new(".")).unwrap();
        assert_eq!(file.of(&"acme".parse().unwrap()).unwrap().process, ProcessLimits::default());
        let (draft, _) = weir_config::LimitsDraft::read("[defaults]\n").unwrap();
        let keys = draft.defaults.unwrap().process;
        let written = ProcessLimits {
            worker_memory_bytes_max: keys.worker_memory_bytes_max.value,
            buffer_bytes_max: keys.buffer_bytes_max.value.unwrap(),
            threads_max: keys.threads_max.value.unwrap(),
            descriptors_max: keys.descriptors_max.value.unwrap(),
            file_bytes_max: keys.file_bytes_max.value.unwrap(),
            disk_bytes_max: keys.disk_bytes_max.value,
            files_max: keys.files_max.value,
        };
        assert_eq!(written, ProcessLimits::default());
    }

    #[test]
    fn ranges_of_users_are_checked() {
        let is_right = |uids: &str| LimitsFile::parse(&format!("[workers]\nuids = {uids:?}\n"), Path::new(".")).is_ok();
        for right in ["200000-200999", "1000-1001", "1000-4294967294"] {
            assert!(is_right(right), "{right}");
        }
        for wrong in [
            "",
            "0-10",
            "999-2000",
            "2000-1000",
            "1000-1000",
            "1000",
            "1000-",
            "-5",
            "1000-4294967295",
            "a-b",
            "1000-2000-3000",
        ] {
            assert!(!is_right(wrong), "{wrong}");
        }
    }
}
