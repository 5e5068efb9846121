//! What a query uses of the world that it shares with others.

use bincode::{Decode, Encode};

use super::kafka_uses::GroupUse;
use super::paths::FileUse;
use super::plan::Plan;
use weir_config::Spot;

/// What a query uses that others may use as well: its name, files, consumer groups and its tenant's instances. Plain values: a
/// process that compares queries of several workers gets them in a message.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Claims {
    /// The query's name.
    pub name: String,
    /// Its tenant.
    pub tenant: String,
    pub(super) name_spot: Spot,
    /// Instances that it holds at once.
    pub(super) instances: usize,
    /// Instances that its tenant may have.
    pub(super) instances_max: usize,
    pub(super) uses: Vec<FileUse>,
    pub(super) groups: Vec<GroupUse>,
}

impl Claims {
    /// The same claims, of this tenant: whose process said them is known to whoever listened.
    #[must_use]
    pub fn of(self, tenant: impl Into<String>) -> Claims {
        Claims { tenant: tenant.into(), ..self }
    }

    /// What it is called in a message about the query `to`: one tenant is not told names of another one.
    pub(super) fn called_to(&self, to: &Claims) -> String {
        match self.tenant == to.tenant {
            true => format!("query `{}` of tenant `{}`", self.name, self.tenant),
            false => "a query of another tenant in this run".to_owned(),
        }
    }
}

impl Plan {
    /// What it uses that other queries may use as well: see [`clashes`](super::clashes).
    pub fn claims(&self) -> Claims {
        Claims {
            name: self.name.clone(),
            tenant: self.tenant.to_string(),
            name_spot: self.name_spot.clone(),
            instances: self.instances_max(),
            instances_max: self.limits.instances_max,
            uses: self.uses.clone(),
            groups: self.groups.clone(),
        }
    }
}
