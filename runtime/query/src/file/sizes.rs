//! How many parts a query may have.

use weir_sandbox::TenantId;

use super::problem::{Place, Problems};
use super::table::Table;

/// The most sources, stages and sinks of one query. Each costs a task, descriptors and buffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Sources of a query.
    pub sources_max: u64,
    /// Stages of a query.
    pub stages_max: u64,
    /// Sinks of a query.
    pub sinks_max: u64,
}

impl Default for Sizes {
    /// 64 of each: several times what was seen in use, and a few hundred descriptors.
    fn default() -> Sizes {
        Sizes { sources_max: 64, stages_max: 64, sinks_max: 64 }
    }
}

/// The most that a limits file can allow.
const SIZE_MAX: u64 = 10_000;

impl Sizes {
    /// What a tenant's table of a limits file says, over `base`.
    pub(super) fn read(table: &mut Table<'_>, base: Sizes) -> Sizes {
        let mut size = |key: &'static str, base: u64| {
            table.optional(key).and_then(|item| item.integer(1..=SIZE_MAX)).unwrap_or(base)
        };
        Sizes {
            sources_max: size("sources_max", base.sources_max),
            stages_max: size("stages_max", base.stages_max),
            sinks_max: size("sinks_max", base.sinks_max),
        }
    }

    /// Reports what a query has too many of.
    pub(super) fn check(
        &self,
        root: &Place,
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
            let message = format!("the query has {has} {what}, and a query{of} may have {most}");
            let help = format!("make several queries of it, or raise `{what}_max` in the limits file");
            problems.error(&root.child(what, root.offset), message, help);
        }
    }
}
