//! The topics that a query reads and writes.

use bincode::{Decode, Encode};
use weir_kafka::KafkaConnection;
use weir_sandbox::TenantId;

use weir_config::{KeyPlace, Problems, Spot, Topics, clip};

/// Keeps topics to the tenant's, and remembers which are read and which are written.
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

/// A topic in use.
struct TopicUse {
    place: KeyPlace,
    brokers: Vec<String>,
    topic: String,
}

/// A consumer group in use.
#[derive(Clone, Debug, Encode, Decode)]
pub(super) struct GroupUse {
    /// The key that says so.
    pub(super) spot: Spot,
    brokers: Vec<String>,
    /// The group.
    pub(super) group: String,
}

impl GroupUse {
    /// Whether the other one is a member of the same group, as far as brokers' names tell.
    pub(super) fn meets(&self, other: &GroupUse) -> bool {
        self.group == other.group && same_cluster(&self.brokers, &other.brokers)
    }
}

fn same_cluster(one: &[String], other: &[String]) -> bool {
    one.iter().any(|broker| other.contains(broker))
}

/// None of a connection that could not be read: what else is wrong is told all the same.
fn brokers_of(connection: Option<&KafkaConnection>) -> Vec<String> {
    let brokers = connection.map(|connection| connection.brokers.split(',').map(str::to_ascii_lowercase));
    brokers.into_iter().flatten().collect()
}

impl<'a> TopicUses<'a> {
    /// For a query of this tenant; without bounds where there is no limits file.
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

    /// The group of a source that names none.
    pub(super) fn group(&self) -> String {
        format!("{}.{}", self.tenant(), self.query)
    }

    /// Whether this broker may be talked to; or the reason why not, reported.
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

    /// A topic to be read, remembered.
    pub(super) fn reads(&mut self, place: &KeyPlace, connection: Option<&KafkaConnection>, topic: &str) -> bool {
        self.read.push(TopicUse::new(place, connection, topic));
        self.topic(place, topic)
    }

    /// A topic to be written, remembered.
    pub(super) fn writes(&mut self, place: &KeyPlace, connection: Option<&KafkaConnection>, topic: &str) -> bool {
        self.written.push(TopicUse::new(place, connection, topic));
        self.topic(place, topic)
    }

    /// A group to be a member of, remembered.
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

    /// A transactional id; or the reason why it is not the tenant's, reported.
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

    /// Reports topics that the query writes and reads: its records would go round for ever.
    pub(super) fn check_loops(&self) {
        for written in &self.written {
            let same = |read: &&TopicUse| read.topic == written.topic && same_cluster(&read.brokers, &written.brokers);
            if let Some(read) = self.read.iter().find(same) {
                let message = format!("`{}` reads this topic, so it would read the output again", read.place.key);
                self.problems.error(&written.place, message, "write to another topic");
            }
        }
    }

    /// The groups that the query is a member of.
    pub(super) fn into_groups(self) -> Vec<GroupUse> {
        self.groups
    }
}
