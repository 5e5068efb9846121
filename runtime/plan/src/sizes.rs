//! The maximum number of parts of a query.

use serde::{Deserialize, Serialize};
use weir_admission::TenantId;
use weir_config::{KeyPlace, Problems, SizeKeys};

/// The maximum number of sources, stages and sinks of a query. Each costs a task, file descriptors and buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Sizes {
    /// Sources of a query.
    pub sources_max: u64,
    /// Stages of a query.
    pub stages_max: u64,
    /// Sinks of a query.
    pub sinks_max: u64,
}

impl Default for Sizes {
    fn default() -> Sizes {
        Sizes { sources_max: 64, stages_max: 64, sinks_max: 64 }
    }
}

impl Sizes {
    /// The sizes in a tenant's table of a limits file, with `base` for keys that are not set.
    pub(super) fn resolve(keys: &SizeKeys, base: Sizes) -> Sizes {
        let given = |setting: &weir_config::Setting<u64>| setting.given().map(|(_, value)| *value);
        Sizes {
            sources_max: given(&keys.sources_max).unwrap_or(base.sources_max),
            stages_max: given(&keys.stages_max).unwrap_or(base.stages_max),
            sinks_max: given(&keys.sinks_max).unwrap_or(base.sinks_max),
        }
    }

    /// Reports parts of which a query has too many.
    pub(super) fn check(
        &self,
        (sources, stages, sinks): (usize, usize, usize),
        tenant: Option<&TenantId>,
        problems: &Problems,
    ) {
        for (what, has, most) in [
            ("sources", sources, self.sources_max),
            ("stages", stages, self.stages_max),
            ("sinks", sinks, self.sinks_max),
        ] {
            if has as u64 <= most {
                continue;
            }
            let of = tenant.map(|tenant| format!(" of tenant `{tenant}`")).unwrap_or_default();
            let message = format!("the query has {has} {what}, but a query{of} may have only {most}");
            let help = format!("split it into several queries, or raise `{what}_max` in the limits file");
            problems.error(&KeyPlace::default().child(what, 0), message, help);
        }
    }
}
