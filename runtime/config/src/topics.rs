//! The topics, brokers and secrets that a tenant's queries keep to.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Which topics a tenant's queries may read and write, at which brokers, and which variables of the environment they may
/// send there. Kafka's own access control is the fence that holds against anything else than a query file: this one says
/// early what it would say late, and where all tenants share a user it is the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Topics {
    // `None` is any.
    topics: Option<Arc<[Pattern]>>,
    brokers: Option<Arc<[String]>>,
    env: Option<Arc<[Pattern]>>,
}

/// A name, or all names that begin with one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    text: String,
    prefix: bool,
}

impl Pattern {
    /// `acme.*`, or a whole name; `None` of what is none, since `legal` says so or a `*` is elsewhere than at the end.
    pub(crate) fn parse(written: &str, legal: impl Fn(&str) -> bool) -> Option<Pattern> {
        let (text, prefix) = written.strip_suffix('*').map_or((written, false), |text| (text, true));
        legal(text).then(|| Pattern { text: text.to_owned(), prefix })
    }

    fn matches(&self, name: &str) -> bool {
        if self.prefix { name.starts_with(&self.text) } else { name == self.text }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text, if self.prefix { "*" } else { "" })
    }
}

fn matches(patterns: Option<&Arc<[Pattern]>>, name: &str) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.matches(name)))
}

/// How many of them an error names.
const SHOWN_MAX: usize = 8;

fn listed<T: fmt::Display>(all: Option<&Arc<[T]>>) -> String {
    let all = all.map(|all| &**all).unwrap_or_default();
    let mut listed: Vec<String> = all.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    if all.len() > SHOWN_MAX {
        listed.push(format!("{} more", all.len() - SHOWN_MAX));
    }
    listed.join(", ")
}

impl Topics {
    /// No bounds.
    pub fn anything() -> Topics {
        Topics::default()
    }

    /// Whether there are bounds for topics. Groups have to begin with the tenant's name then.
    pub fn is_bounded(&self) -> bool {
        self.topics.is_some()
    }

    /// Whether the topic is one of them.
    pub fn allows(&self, topic: &str) -> bool {
        matches(self.topics.as_ref(), topic)
    }

    /// Whether the broker, as `host:port`, is one of them.
    pub fn allows_broker(&self, broker: &str) -> bool {
        self.brokers.as_ref().is_none_or(|brokers| brokers.iter().any(|it| it.eq_ignore_ascii_case(broker)))
    }

    /// Whether the variable of the environment may be used.
    pub fn allows_env(&self, name: &str) -> bool {
        matches(self.env.as_ref(), name)
    }

    /// `acme.*, shared-in`.
    pub fn topics_listed(&self) -> String {
        listed(self.topics.as_ref())
    }

    /// `kafka-1:9092, kafka-2:9092`.
    pub fn brokers_listed(&self) -> String {
        listed(self.brokers.as_ref())
    }

    /// `ACME_*`.
    pub fn env_listed(&self) -> String {
        listed(self.env.as_ref())
    }

    /// What a tenant has of the process's environment under a limits file that says nothing of it: nothing. A query file
    /// could send it anywhere.
    pub fn without_env(mut self) -> Topics {
        self.env.get_or_insert_with(|| Arc::new([]));
        self
    }

    /// Keeps to these topics.
    pub fn set_topics(&mut self, topics: Vec<Pattern>) {
        self.topics = Some(topics.into());
    }

    /// Keeps to these variables.
    pub fn set_env(&mut self, env: Vec<Pattern>) {
        self.env = Some(env.into());
    }

    /// Keeps to these brokers.
    pub fn set_brokers(&mut self, brokers: Vec<String>) {
        self.brokers = Some(brokers.into());
    }
}
