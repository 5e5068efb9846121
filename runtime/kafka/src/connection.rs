//! How brokers are reached.

use std::collections::BTreeMap;
use std::fmt;
use weir_batch::Fault;

use weir_text::brief;

use crate::client;
use crate::hidden::HiddenValues;
use crate::options::{self, KafkaOption, KafkaSide};

/// The brokers of a cluster, and librdkafka's options for talking to them.
///
/// It comes from a query file, which is a tenant's: only options of [`KafkaConnection::allowed_options`] can be set.
/// Values of options may be secrets: they appear neither in `Debug` nor in `Display`, nor in any error.
#[derive(Clone, PartialEq, Eq)]
pub struct KafkaConnection {
    /// `host:port`, several with commas between them.
    pub brokers: String,
    /// librdkafka's options by name. TLS and SASL are among them.
    pub options: BTreeMap<String, String>,
}

/// A connection that no client can be made of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
#[non_exhaustive]
pub struct KafkaConnectionError {
    /// The setting: `brokers` or `options`.
    pub key: &'static str,
    /// The option, where it is one's fault.
    pub option: Option<String>,
    /// What is wrong, and what would be right. It names the option and never quotes a value.
    pub reason: String,
}

impl KafkaConnectionError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        false
    }
}

/// How the names of options end that are numbers.
const OF_NUMBERS: [&str; 8] = [".ms", ".bytes", ".kbytes", ".messages", ".size", ".level", ".ttl", ".threshold"];

/// Whether a number is one in full. librdkafka takes `0x7530`, and passes over what stands behind digits: `60s` would be 60 ms.
fn is_number(name: &str, value: &str) -> bool {
    value.parse::<i64>().is_ok() || name == "linger.ms" && value.parse::<f64>().is_ok_and(f64::is_finite)
}

impl KafkaConnection {
    /// A connection without options.
    pub fn new(brokers: impl Into<String>) -> KafkaConnection {
        KafkaConnection { brokers: brokers.into(), options: BTreeMap::new() }
    }

    /// The same with this option.
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> KafkaConnection {
        self.options.insert(name.into(), value.into());
        self
    }

    /// Every option that can be set, with the clients that it is of.
    pub fn allowed_options() -> &'static [KafkaOption] {
        options::ALLOWED
    }

    /// Checks names and values without connecting to anything.
    ///
    /// # Errors
    ///
    /// [`KafkaConnectionError`], which names the option, and the one that was perhaps meant.
    pub fn validate(&self) -> Result<(), KafkaConnectionError> {
        let brokers = |reason: String| Err(KafkaConnectionError { key: "brokers", option: None, reason });
        if self.brokers.is_empty() {
            return brokers("must name at least one broker, as host:port".to_owned());
        }
        for broker in self.brokers.split(',') {
            // No scheme: librdkafka would take it for another security protocol.
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

    /// Checks one option by itself. Whether several go together, [`KafkaConnection::validate`] says.
    ///
    /// # Errors
    ///
    /// As [`KafkaConnection::validate`].
    pub fn validate_option(name: &str, value: &str) -> Result<(), KafkaConnectionError> {
        KafkaConnection::check_option(name, value)
    }

    /// A login without a named mechanism would be GSSAPI's, which runs a command.
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
        // librdkafka does not mind upper case here.
        self.options.get("security.protocol").is_some_and(|protocol| protocol.to_lowercase().contains("sasl"))
    }

    fn check_option(name: &str, value: &str) -> Result<(), KafkaConnectionError> {
        let shown = weir_text::escape_to(name, 80);
        let refuse = |reason: String| Err(KafkaConnectionError { key: "options", option: Some(shown.clone()), reason });
        let Some(option) = options::find(name) else {
            let instead = options::nearest(name).map(|nearest| format!(": did you mean `{nearest}`?"));
            return refuse(format!("`{shown}` cannot be set{}", instead.unwrap_or_default()));
        };
        // PEM has lines. Elsewhere a line end would only forge lines in logs.
        let control = |c: char| c == '\0' || (c.is_control() && !(name.ends_with(".pem") && matches!(c, '\n' | '\r')));
        if value.contains(control) {
            return refuse(format!("`{shown}` contains a control character"));
        }
        // Tells a name from its value only now: setting some of the others would load code at once.
        match client::try_option(name, value) {
            Ok(()) if OF_NUMBERS.iter().any(|end| name.ends_with(end)) && !is_number(name, value) => {
                refuse(format!("`{shown}` must be a decimal number without a unit"))
            }
            Ok(()) => Ok(()),
            Err(Some(description)) if !option.secret => {
                // The rest would quote the value.
                let range = description.split_once("is outside allowed range ").map(|(_, range)| brief(range));
                let range = range.map(|range| format!(": the allowed range is {range}")).unwrap_or_default();
                refuse(format!("librdkafka does not accept this value of `{shown}`{range}"))
            }
            Err(_) => refuse(format!("librdkafka does not accept this value of `{shown}`")),
        }
    }

    /// What texts of its clients must not show.
    pub fn hidden(&self) -> HiddenValues {
        let free = self.options.iter().filter(|(name, _)| options::find(name).is_none_or(|option| option.free));
        HiddenValues::new(free.map(|(_, value)| value.as_str()))
    }

    /// The settings for a client of this side, by librdkafka's names. The caller adds what its own settings say, and never prints
    /// them: passwords and private keys are among them.
    pub fn settings(&self, side: KafkaSide) -> Vec<(String, String)> {
        let mut settings = Vec::new();
        let mut set = |name: &str, value: &str| settings.push((name.to_owned(), value.to_owned()));
        // Once more, for a connection that was never validated: nothing else can get in here.
        for (name, value) in &self.options {
            if options::find(name).is_some_and(|option| option.side.concerns(side)) {
                set(name, value);
            }
        }
        let named = ["sasl.mechanism", "sasl.mechanisms"].iter().any(|name| self.options.contains_key(*name));
        if self.logs_in() && !named {
            // For a connection that was never validated, too: librdkafka's default is GSSAPI, which runs a command. Where
            // nobody logs in it warns of a mechanism.
            set("sasl.mechanisms", "PLAIN");
        }
        set("bootstrap.servers", &self.brokers);
        // Looking at a topic must not make it.
        set("allow.auto.create.topics", "false");
        // A broker is told nothing of this client that it need not know.
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
