//! What a query uses of the world that it shares with others.

use bincode::{Decode, Encode};

use super::kafka_uses::GroupUse;
use super::paths::{FileUse, UseKind};
use super::plan::{DeadLettersPlan, Plan};
use super::source_plan::SourceKind;
use weir_config::Spot;
use weir_files::{Folders, is_standard_input};
use weir_sinks::SinkConfig;

/// Files and groups that one query uses: more than any query file can name, few enough to be compared.
const USES_MAX: usize = 100_000;
const GROUPS_MAX: usize = 1_000;

/// Clients of Kafka that one query has.
const KAFKA_CLIENTS_MAX: usize = 1_000;

/// What a query uses that others may use as well: its name, files, consumer groups and its tenant's instances. Plain values: a
/// process that compares queries of several workers gets them in a message.
#[derive(Clone, Debug, Encode, Decode)]
pub struct Claims {
    /// The query's name.
    pub name: String,
    /// Its tenant.
    pub tenant: String,
    /// Sources, sinks and dead letters that are topics: each has a client with threads of its own.
    pub kafka_clients: usize,
    /// Whether another process of the query continues where this one has committed, because positions are stored.
    pub resumes: bool,
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

    /// Instances that it holds at once.
    pub fn instances(&self) -> usize {
        self.instances
    }

    /// Whether it writes rows to the standard output.
    pub fn writes_standard_output(&self) -> bool {
        self.uses.iter().any(|used| matches!(used.kind, UseKind::Stdout))
    }

    /// Whether it reads the standard input that another process hands over.
    pub fn reads_standard_input(&self) -> bool {
        let is_read = |used: &FileUse| matches!(&used.kind, UseKind::Read { path, .. } if is_standard_input(path));
        self.uses.iter().any(is_read)
    }

    /// Whether it reads something that cannot be read again: a pipe, a terminal, the standard input of another process.
    pub fn reads_once(&self) -> bool {
        self.uses.iter().any(|used| matches!(used.kind, UseKind::Read { regular: false, .. }))
    }

    /// The claims that a query of a tenant with these folders can have: files elsewhere are left out, so that a process that was
    /// taken over keeps no query of another tenant from its own files. `None` where no query claims as much.
    #[must_use]
    pub fn within(mut self, folders: &Folders) -> Option<Claims> {
        if self.uses.len() > USES_MAX || self.groups.len() > GROUPS_MAX {
            return None;
        }
        self.kafka_clients = self.kafka_clients.min(KAFKA_CLIENTS_MAX);
        self.uses.retain(|used| match &used.kind {
            UseKind::This { .. } | UseKind::Stdout => true,
            UseKind::Read { path, .. } | UseKind::Write { path, .. } => {
                folders.paths().is_none() || folders.root_of(path).is_some() || is_standard_input(path)
            }
        });
        Some(self)
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
    fn kafka_clients(&self) -> usize {
        let sources = self.sources.iter().filter(|source| matches!(source.kind, SourceKind::Kafka(_))).count();
        let sinks = self.sinks.iter().filter(|sink| matches!(sink.config, SinkConfig::Kafka(_))).count();
        sources + sinks + usize::from(matches!(self.dead_letters, Some(DeadLettersPlan::Kafka(_))))
    }

    /// What it uses that other queries may use as well: see [`clashes`](super::clashes).
    pub fn claims(&self) -> Claims {
        Claims {
            name: self.name.clone(),
            tenant: self.tenant.to_string(),
            kafka_clients: self.kafka_clients(),
            resumes: self.delivery.state.is_some() || self.sources.iter().all(|source| source.kind.kept_by_group()),
            name_spot: self.name_spot.clone(),
            instances: self.instances_max(),
            instances_max: self.limits.instances_max,
            uses: self.uses.clone(),
            groups: self.groups.clone(),
        }
    }
}
