//! What a limits file says of worker processes: of each tenant's, and of all of them.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::key::SettingKind;
use crate::kinds::{Boolean, Integer};
use crate::table::Item;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

keys! {
    /// What the worker process of a tenant may take of the machine (`weir run --workers`).
    pub struct ProcessKeys {
        /// Private memory of the worker beside what it takes at its start: buffers, queues and instances. Beyond it, only this tenant's worker is refused memory, or ends. Default: `instances_max` instances of `memory_bytes_max`, and `buffer_bytes_max`.
        worker_memory_bytes_max: Integer(64 * MIB, 16 << 40);
        /// Bytes of records that wait in the queues of all queries of the tenant. Sources wait when it is reached.
        buffer_bytes_max: Integer(MIB, 1 << 40) = 256 * MIB;
        /// Threads of the worker, beside those of Kafka clients. A worker with more is ended.
        threads_max: Integer(32, 10_000) = 64;
        /// Open files, pipes and connections of the worker.
        descriptors_max: Integer(64, MIB) = 1024;
        /// Length of a file that the worker writes. Beyond it, writing fails like on a full disk.
        file_bytes_max: Integer(MIB, 1 << 50) = 64 * GIB;
        /// Bytes on disk of all files in the tenant's `folders`. A worker that writes is ended when they exceed it by 10 %. Default: no limit.
        disk_bytes_max: Integer(MIB, 1 << 50);
        /// Files and folders in the tenant's `folders`. A worker that writes is ended when they exceed it by 10 %. Default: no limit, or 1,000,000 with `disk_bytes_max`.
        files_max: Integer(16, 100_000_000);
    }
}

keys! {
    /// The table `workers`: what holds for the worker processes of all tenants (`weir run --workers`).
    pub struct WorkersKeys {
        /// User ids for tenants, such as `"200000-200999"`: the worker of each tenant runs as a user and group of its own. Needs the capabilities CAP_SETUID, CAP_SETGID and CAP_KILL, and `--registry`.
        uids: UidRange;
        /// Whether the tenant's `folders` are given to its user when its worker starts. Needs CAP_CHOWN.
        chown: Boolean = false;
        /// Whether workers are started whose limits of memory and threads together exceed what the machine has.
        overcommit: Boolean = false;
    }
}

/// User ids: `200000-200999`.
pub struct UidRange;

/// No id of the system's own users, which distributions keep below it.
const UID_LEAST: u32 = 1_000;

impl SettingKind for UidRange {
    type Value = Uids;

    fn read(&self, item: &Item<'_>) -> Option<Uids> {
        let text = item.text()?;
        let range = text.split_once('-').and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        match range {
            // The last one means "leave it as it is".
            Some((first, last)) if (UID_LEAST..last).contains(&first) && last < u32::MAX => Some(Uids { first, last }),
            _ => {
                let help = format!(
                    "write the first id, {UID_LEAST} or more, and a larger last one, for example `200000-200999`"
                );
                item.error("is not a range of user ids", help);
                None
            }
        }
    }

    fn schema(&self) -> Json {
        json!({ "type": "string", "pattern": "^[0-9]{4,10}-[0-9]{4,10}$" })
    }

    fn values(&self) -> String {
        "`first-last`".to_owned()
    }
}

/// A range of user ids, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Uids {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl Uids {
    /// From the first to the last.
    pub fn new(first: u32, last: u32) -> Uids {
        Uids { first, last }
    }

    /// All of them.
    pub fn range(self) -> RangeInclusive<u32> {
        self.first..=self.last
    }
}
