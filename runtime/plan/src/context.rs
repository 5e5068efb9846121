//! What is known while a draft becomes a plan.

use std::path::Path;

use weir_config::{Problems, Topics};
use weir_sandbox::TenantId;

use super::connectors::Connectors;
use super::kafka_uses::TopicUses;
use super::limits::Ceiling;
use super::paths::Paths;

/// Everything that the parts of a query file are held against, and what they use: one value that goes through all of them.
pub(super) struct Context<'a> {
    /// What is wrong so far.
    pub(super) problems: &'a Problems,
    /// The files that are used.
    pub(super) paths: Paths<'a>,
    /// The topics and groups that are used.
    pub(super) topics: TopicUses<'a>,
    /// What the program brings.
    pub(super) connectors: &'a Connectors,
    /// What stages may have.
    pub(super) ceiling: Ceiling<'a>,
}

impl<'a> Context<'a> {
    /// Of a query in this folder, without bounds.
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
