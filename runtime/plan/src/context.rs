//! The state of resolving a draft.

use std::path::Path;

use weir_admission::TenantId;
use weir_config::{Problems, Topics};

use super::connectors::Connectors;
use super::kafka_uses::TopicUses;
use super::limits::Ceiling;
use super::paths::Paths;

/// Everything that the parts of a query file are checked against, and what they use: one value that is passed through all of them.
pub(super) struct Context<'a> {
    /// The problems so far.
    pub(super) problems: &'a Problems,
    /// The files that are used.
    pub(super) paths: Paths<'a>,
    /// The topics and groups that are used.
    pub(super) topics: TopicUses<'a>,
    /// The sources and sinks of the program.
    pub(super) connectors: &'a Connectors,
    /// The limits for stages.
    pub(super) ceiling: Ceiling<'a>,
}

impl<'a> Context<'a> {
    /// For a query in this folder, without restrictions.
    pub(super) fn new(
        folder: &'a Path,
        ceiling: Ceiling<'a>,
        (tenant, query, rights): (Option<&'a TenantId>, &str, Topics),
        connectors: &'a Connectors,
        problems: &'a Problems,
    ) -> Context<'a> {
        let topics = TopicUses::new(tenant, query, rights, problems);
        Context { problems, paths: Paths::new(folder, problems), topics, connectors, ceiling }
    }
}
