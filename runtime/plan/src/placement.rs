//! Which worker a tenant's queries run in.

use serde::{Deserialize, Serialize};
use weir_admission::TenantId;
use weir_config::{PlacementKeys, Problems, WorkerTier};

/// Which worker process a tenant's queries run in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Placement {
    /// One that has this tenant alone.
    #[default]
    OfTenant,
    /// One for each query.
    OfQuery,
    /// One that all tenants of a group of this name share.
    OfGroup(String),
}

impl Placement {
    /// What a tenant's table says, with `base` for what it does not say.
    pub(super) fn resolve(keys: &PlacementKeys, base: &Placement, problems: &Problems) -> Placement {
        let PlacementKeys { tier, worker_group } = keys;
        let group = worker_group.given().and_then(|(place, group)| {
            // What names a group is what can name a tenant.
            let legal = group.parse::<TenantId>();
            if legal.is_err() {
                let help = "use 1 to 63 characters of a-z, 0-9, `-` and `_`";
                problems.error(place, "is not the name of a group", help);
            }
            legal.ok().map(|legal| (place, legal.to_string()))
        });
        match (tier.given().map(|(_, tier)| *tier), group) {
            (Some(WorkerTier::Isolated), Some((place, _))) => {
                let message = "a tenant of the tier `isolated` shares no worker with others";
                problems.error(place, message, "remove `worker_group`, or set `tier = \"standard\"`");
                Placement::OfQuery
            }
            (Some(WorkerTier::Isolated), None) => Placement::OfQuery,
            (_, Some((_, group))) => Placement::OfGroup(group),
            (Some(WorkerTier::Standard), None) if *base == Placement::OfQuery => Placement::OfTenant,
            (Some(WorkerTier::Standard) | None, None) => base.clone(),
        }
    }
}
