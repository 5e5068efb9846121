//! Connections to brokers.

use std::collections::BTreeMap;
use std::fmt;
use weir_batch::Fault;

use weir_text::brief;

use crate::client;
use crate::hidden::HiddenValues;
use crate::options::{self, KafkaOption, KafkaSide};

/// The brokers of a cluster, and options of librdkafka for the connection.
///
/// It comes from a tenant's query file, so only [`KafkaConnection::allowed_options`] can be set. Values of options may be secrets:
/// they never appear in `Debug`, `Display` or errors.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KafkaConnection {
    /// `host:port`, or several separated by commas.
    pub brokers: String,
    /// Options of librdkafka by name, including those of TLS and SASL.
    pub options: BTreeMap<String, String>,
}

/// A connection for which no client can be created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
#[non_exhaustive]
pub struct KafkaConnectionError {
    /// The wrong key: `brokers` or `options`.
    pub key: &'static str,
    /// The wrong option, if the error is about one.
    pub option: Option<String>,
    /// What is wrong, and what to write instead. It may contain the option's name, but never a value.
    pub reason: String,
}

impl KafkaConnectionError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same connection may be valid later.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// The endings of the names of options with numbers.
const OF_NUMBERS: [&str; 8] = [".ms", ".bytes", ".kbytes", ".messages", ".size", ".level", ".ttl", ".threshold"];

/// Whether a text is completely a number. librdkafka accepts `0x7530`, and ignores text after digits: it would read `60s` as 60 ms.
fn is_number(name: &str, value: &str) -> bool {
    value.parse::<i64>().is_ok() || name == "linger.ms" && value.parse::<f64>().is_ok_and(f64::is_finite)
}

impl KafkaConnection {
    /// A connection without options.
    pub fn new(brokers: impl Into<String>) -> KafkaConnection {
        KafkaConnection { brokers: brokers.into(), options: BTreeMap::new() }
    }

    /// Adds an option.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> KafkaConnection {
        self.options.insert(name.into(), value.into());
        self
    }

    /// All options that can be set, and for which clients.
    pub fn allowed_options() -> &'static [KafkaOption] {
        options::ALLOWED
    }

    /// Checks names and values without connecting.
    ///
    /// # Errors
    ///
    /// [`KafkaConnectionError`] with the name of the option and a suggestion.
    pub fn validate(&self) -> Result<(), KafkaConnectionError> {
        let brokers = |reason: String| Err(KafkaConnectionError { key: "brokers", option: None, reason });
        if self.brokers.is_empty() {
            return brokers("must name at least one broker, as host:port".to_owned());
        }
        for broker in self.brokers.split(',') {
            // Schemes are not allowed: librdkafka would interpret them as another security protocol.
            let of_address = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]%".contains(&byte);
            if broker.is_empty() || !broker.bytes().all(of_address) {
                let broker = weir_text::escape_to(broker, 80);
                return brokers(format!("`{broker}` is not host:port"));
            }
        }
        for (name, value) in &self.options {
            KafkaConnection::check_option(name, value)?;
        }
        self.check_login()
    }

    /// Checks a single option. [`KafkaConnection::validate`] also checks combinations.
    ///
    /// # Errors
    ///
    /// As [`KafkaConnection::validate`].
    pub fn validate_option(name: &str, value: &str) -> Result<(), KafkaConnectionError> {
        KafkaConnection::check_option(name, value)
    }

    /// Without a named mechanism, a login would use GSSAPI, which runs a command.
    fn check_login(&self) -> Result<(), KafkaConnectionError> {
        let (one, other) = (self.options.get("sasl.mechanism"), self.options.get("sasl.mechanisms"));
        let refuse = |reason: String| {
            Err(KafkaConnectionError { key: "options", option: Some("sasl.mechanism".to_owned()), reason })
        };
        if one.is_some() && other.is_some() {
            return refuse("`sasl.mechanism` and `sasl.mechanisms` are one option: set it once".to_owned());
        }
        let names = options::MECHANISMS.join(", ");
        match one.or(other) {
            Some(mechanism) if !options::MECHANISMS.contains(&mechanism.as_str()) => {
                refuse(format!("`sasl.mechanism` must be one of {names}"))
            }
            None if self.logs_in() => refuse(format!("`sasl.mechanism` is missing: set one of {names}")),
            _ => Ok(()),
        }
    }

    fn logs_in(&self) -> bool {
        // librdkafka accepts upper case here.
        self.options.get("security.protocol").is_some_and(|protocol| protocol.to_lowercase().contains("sasl"))
    }

    fn check_option(name: &str, value: &str) -> Result<(), KafkaConnectionError> {
        let shown = weir_text::escape_to(name, 80);
        let refuse = |reason: String| Err(KafkaConnectionError { key: "options", option: Some(shown.clone()), reason });
        let Some(option) = options::find(name) else {
            let instead = options::nearest(name).map(|nearest| format!(": did you mean `{nearest}`?"));
            return refuse(format!("`{shown}` cannot be set{}", instead.unwrap_or_default()));
        };
        // PEM contains line ends. In other values a line end could only forge log lines.
        let control = |c: char| c == '\0' || (c.is_control() && !(name.ends_with(".pem") && matches!(c, '\n' | '\r')));
        if value.contains(control) {
            return refuse(format!("`{shown}` contains a control character"));
        }
        // The client is asked only about allowed names: setting some other options would load code at once.
        match client::try_option(name, value) {
            Ok(()) if OF_NUMBERS.iter().any(|end| name.ends_with(end)) && !is_number(name, value) => {
                refuse(format!("`{shown}` must be a decimal number without a unit"))
            }
            Ok(()) => Ok(()),
            Err(Some(description)) if !option.secret => {
                // The rest of the text contains the value.
                let range = description.split_once("is outside allowed range ").map(|(_, range)| brief(range));
                let range = range.map(|range| format!(": the allowed range is {range}")).unwrap_or_default();
                refuse(format!("librdkafka does not accept this value of `{shown}`{range}"))
            }
            Err(_) => refuse(format!("librdkafka does not accept this value of `{shown}`")),
        }
    }

    /// The values that texts of this connection's clients must not show.
    pub fn hidden(&self) -> HiddenValues {
        let free = self.options.iter().filter(|(name, _)| options::find(name).is_none_or(|option| option.free));
        HiddenValues::new(free.map(|(_, value)| value.as_str()))
    }

    /// The settings for a client of this side, with librdkafka's names. The caller adds settings of its own, and must not print
    /// them: they contain passwords and private keys.
    pub fn settings(&self, side: KafkaSide) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let mut set = |name: &str, value: &str| settings.push((name.to_owned(), value.to_owned()));
        // Checks the names again, in case the connection was never validated.
        for (name, value) in &self.options {
            if options::find(name).is_some_and(|option| option.side.concerns(side)) {
                set(name, value);
            }
        }
        let named = ["sasl.mechanism", "sasl.mechanisms"].iter().any(|name| self.options.contains_key(*name));
        if self.logs_in() && !named {
            // Also for a connection that was never validated: librdkafka's default is GSSAPI, which runs a command. Without a
            // login, setting a mechanism would cause a warning.
            set("sasl.mechanisms", "PLAIN");
        }
        set("bootstrap.servers", &self.brokers);
        // Reading a topic must not create it.
        set("allow.auto.create.topics", "false");
        // Do not send metrics of this client to the broker.
        set("enable.metrics.push", "false");
        settings
    }
}

/// The brokers.
impl fmt::Display for KafkaConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.brokers)
    }
}

impl fmt::Debug for KafkaConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: BTreeMap<&str, &str> = self.options.keys().map(|name| (name.as_str(), "…")).collect();
        f.debug_struct("KafkaConnection").field("brokers", &self.brokers).field("options", &options).finish()
    }
}
