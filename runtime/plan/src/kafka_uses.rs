//! The topics that a query reads and writes.

use bincode::{Decode, Encode};
use weir_admission::TenantId;
use weir_kafka::KafkaConnection;

use weir_config::{KeyPlace, Problems, Spot, Topics, clip};

/// Limits topics to those of the tenant, and remembers which topics are read and written.
pub(super) struct TopicUses<'a> {
    tenant: Option<&'a TenantId>,
    query: String,
    problems: &'a Problems,
    rights: Topics,
    read: Vec<TopicUse>,
    written: Vec<TopicUse>,
    groups: Vec<GroupUse>,
}

impl TopicUse {
    fn new(place: &KeyPlace, connection: Option<&KafkaConnection>, topic: &str) -> TopicUse {
        TopicUse { place: place.clone(), brokers: brokers_of(connection), topic: topic.to_owned() }
    }
}

/// A topic that the query uses.
struct TopicUse {
    place: KeyPlace,
    brokers: Vec<String>,
    topic: String,
}

/// A consumer group that the query uses.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct GroupUse {
    /// The place of the key.
    pub(super) spot: Spot,
    brokers: Vec<String>,
    /// The group.
    pub(super) group: String,
}

impl GroupUse {
    /// Whether the other source is a member of the same group, as far as the names of brokers tell.
    pub(super) fn meets(&self, other: &GroupUse) -> bool {
        self.group == other.group && same_cluster(&self.brokers, &other.brokers)
    }
}

fn same_cluster(one: &[String], other: &[String]) -> bool {
    one.iter().any(|broker| other.contains(broker))
}

/// Empty for an invalid connection, so that other mistakes are reported too.
fn brokers_of(connection: Option<&KafkaConnection>) -> Vec<String> {
    let brokers = connection.map(|connection| connection.brokers.split(',').map(str::to_ascii_lowercase));
    brokers.into_iter().flatten().collect()
}

impl<'a> TopicUses<'a> {
    /// For a query of this tenant; without restrictions if there is no limits file.
    pub(super) fn new(
        tenant: Option<&'a TenantId>,
        query: &str,
        rights: Topics,
        problems: &'a Problems,
    ) -> TopicUses<'a> {
        TopicUses {
            tenant,
            query: query.to_owned(),
            problems,
            rights,
            read: Vec::new(),
            written: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn tenant(&self) -> &str {
        self.tenant.map_or("default", TenantId::as_str)
    }

    pub(super) fn rights(&self) -> &Topics {
        &self.rights
    }

    /// The group of a source without a `group`.
    pub(super) fn group(&self) -> String {
        format!("{}.{}", self.tenant(), self.query)
    }

    /// Whether the query may use this broker; otherwise reports the reason.
    pub(super) fn broker(&self, place: &KeyPlace, broker: &str) -> bool {
        if self.rights.allows_broker(broker) {
            return true;
        }
        let message = format!("`{}` is not an allowed broker of tenant `{}`", clip(broker), self.tenant());
        self.problems.error(place, message, format!("use {}", self.rights.brokers_listed()));
        false
    }

    fn topic(&self, place: &KeyPlace, topic: &str) -> bool {
        let allowed = self.rights.allows(topic);
        if !allowed {
            let listed = self.rights.topics_listed();
            let message = format!("topic `{}` is not allowed for tenant `{}`: {listed}", clip(topic), self.tenant());
            self.problems.error(place, message, "use one of these, or add it in the limits file");
        }
        allowed
    }

    /// Checks a topic that is read, and remembers it.
    pub(super) fn reads(&mut self, place: &KeyPlace, connection: Option<&KafkaConnection>, topic: &str) -> bool {
        self.read.push(TopicUse::new(place, connection, topic));
        self.topic(place, topic)
    }

    /// Checks a topic that is written, and remembers it.
    pub(super) fn writes(&mut self, place: &KeyPlace, connection: Option<&KafkaConnection>, topic: &str) -> bool {
        self.written.push(TopicUse::new(place, connection, topic));
        self.topic(place, topic)
    }

    /// Checks a group, and remembers it.
    pub(super) fn joins(&mut self, place: &KeyPlace, connection: Option<&KafkaConnection>, group: &str) -> bool {
        let begins = format!("{}.", self.tenant());
        let owned = !self.rights.is_bounded() || group.starts_with(&begins);
        if !owned {
            let message = format!("group `{}` is not allowed for tenant `{}`", clip(group), self.tenant());
            self.problems.error(
                place,
                message,
                format!("begin it with `{begins}`, or remove it; the default is `{}`", self.group()),
            );
        }
        let it = GroupUse { spot: self.problems.spot(place), brokers: brokers_of(connection), group: group.to_owned() };
        if let Some(other) = self.groups.iter().find(|other| other.meets(&it)) {
            let message = format!(
                "`{}` also uses group `{}`, so each source would get only half of the records",
                other.spot.key,
                clip(group)
            );
            let help = format!("use another group, for example `group = \"{}.2\"`", self.group());
            self.problems.error(place, message, help);
        }
        self.groups.push(it);
        owned
    }

    /// Checks whether the tenant may use a transactional id.
    pub(super) fn transacts(&self, place: &KeyPlace, id: &str) {
        let begins = format!("{}.", self.tenant());
        if self.rights.is_bounded() && !id.starts_with(&begins) {
            let message = format!("transactional id `{}` is not allowed for tenant `{}`", clip(id), self.tenant());
            self.problems.error(
                place,
                message,
                format!("begin it with `{begins}`, or remove it; the default is `{}`", self.group()),
            );
        }
    }

    /// Reports topics that the query both reads and writes: its records would circulate forever.
    pub(super) fn check_loops(&self) {
        for written in &self.written {
            let same = |read: &&TopicUse| read.topic == written.topic && same_cluster(&read.brokers, &written.brokers);
            if let Some(read) = self.read.iter().find(same) {
                let message = format!("`{}` reads this topic, so it would read the output again", read.place.key);
                self.problems.error(&written.place, message, "write to another topic");
            }
        }
    }

    /// The groups of the query.
    pub(super) fn into_groups(self) -> Vec<GroupUse> {
        self.groups
    }
}
