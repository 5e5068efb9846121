//! Stops that come while a worker has no process.

use std::sync::atomic::Ordering;

use weir_frame::QueryId;
use weir_query::Ending;
use weir_worker::QueryAccount;

use super::Host;
use crate::command::running::Run;
use crate::exit::say;
use crate::live::Screen;

impl Host {
    /// A query that is asked to stop while its worker has no process ends at once: nothing of it is read and not committed.
    pub(super) fn stop_between(&mut self, id: QueryId, run: &mut Option<(&mut Run<'_>, &Screen)>) {
        let Some(query) = self.queries.get(&id).filter(|query| !query.is_over()) else { return };
        let (worker, name) = (query.worker, query.name());
        if self.workers.get(&worker).is_none_or(|hosted| hosted.process.load(Ordering::Relaxed) != 0) {
            return;
        }
        if let (Some(name), false) = (name, self.quiet || self.json) {
            say(format_args!(
                "{name}: stopped before its worker was started again; what it committed stays, and the next run continues there"
            ));
        }
        self.ended(id, QueryAccount::new(Ending::Stopped, None, None, false), run);
        if self.queries.values().all(|query| query.worker != worker || query.is_over()) {
            self.end(worker);
        }
    }
}
