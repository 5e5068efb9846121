//! When the folders of a worker are counted, and what comes of it.

use std::time::Instant;

use crate::EndCause;
use crate::disk::{Walked, WantedWalk};
use crate::keeper::{Keeper, end};
use crate::worker::Stage;

impl Keeper {
    /// Has the folders of a process walked, if that is due. For a process that was just looked at.
    pub(crate) fn want_walk(&mut self, number: u64, now: Instant) {
        let Some(worker) = self.workers.get_mut(&number) else { return };
        let Some(limits) = &worker.spec.disk else { return };
        let Stage::Process { process, .. } = &mut worker.stage else { return };
        if process.disk.wants(process.stat.cpu_ticks, now) {
            self.walker.want(WantedWalk { worker: number, pid: process.pid, limits: limits.clone() });
        }
    }

    /// The folders of a process were walked.
    pub(crate) fn walked(&mut self, walked: Walked) {
        let Walked { worker: number, pid, used, excess, took } = walked;
        let Some(worker) = self.workers.get_mut(&number) else { return };
        worker.disk = Some(used);
        let Stage::Process { process, .. } = &mut worker.stage else { return };
        process.disk.walked(took, Instant::now());
        if let Some(excess) = excess
            && process.pid == pid
        {
            end(process, EndCause::OverDisk { excess });
        }
    }
}
