//! A query's share of the cores.

use std::fmt;
use std::sync::Arc;

use crate::gate::Share;
use crate::presence::Presence;

/// A query's share of the cores: of its tenant's part, as much as each other query of the tenant that competes has,
/// whatever the number of its instances. [`Module::query_share`](crate::Module::query_share) makes one, and
/// [`Instance::in_share`](crate::Instance::in_share) has an instance run by it. A clone is the same share, and costs two
/// reference counts.
#[derive(Clone)]
pub struct QueryShare {
    share: Arc<Share>,
    // Holds the tenant's account open.
    _presence: Arc<Presence>,
}

impl QueryShare {
    /// The one that all instances of the tenant have in common that are of no query.
    pub(crate) fn common(presence: &Arc<Presence>) -> QueryShare {
        QueryShare { share: Arc::clone(presence.share()), _presence: Arc::clone(presence) }
    }

    /// A new one.
    pub(crate) fn new(presence: &Arc<Presence>) -> QueryShare {
        QueryShare { share: Arc::new(presence.account().share()), _presence: Arc::clone(presence) }
    }

    pub(crate) fn share(&self) -> &Arc<Share> {
        &self.share
    }
}

impl fmt::Debug for QueryShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueryShare").finish_non_exhaustive()
    }
}
