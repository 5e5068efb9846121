//! The id of a topic, which distinguishes a deleted topic from a new one with the same name (KIP-516).

use std::fmt;
use std::sync::Arc;
use weir_fault::Fault;

use serde::{Deserialize, Serialize};

/// A topic's id in Kafka's notation: 16 bytes in base64 without padding (22 characters).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicId(Arc<str>);

/// A text that is not a topic id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a topic id must have {} base64 characters", TopicId::LETTERS)]
pub struct NoTopicId;

impl NoTopicId {
    /// Who has to act: the id came from a broker or a damaged manifest.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same text may be valid later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl TopicId {
    const LETTERS: usize = 22;

    /// Parses an id. Kafka's tools and librdkafka use different characters for two of the base64 digits; both are accepted.
    ///
    /// # Errors
    ///
    /// A text of another length, or with other characters.
    pub fn new(text: &str) -> Result<TopicId, NoTopicId> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
        if text.len() != TopicId::LETTERS || !text.bytes().all(legal) {
            return Err(NoTopicId);
        }
        Ok(TopicId(text.replace('+', "-").replace('/', "_").into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for TopicId {
    type Error = NoTopicId;

    fn try_from(text: String) -> Result<TopicId, NoTopicId> {
        TopicId::new(&text)
    }
}

impl From<TopicId> for String {
    fn from(id: TopicId) -> String {
        id.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_22_letters_of_base64_in_either_spelling() {
        let id = TopicId::new("TH/hal5BTCuhPtKYkolFv+").unwrap();
        assert_eq!(id, TopicId::new("TH_hal5BTCuhPtKYkolFv-").unwrap());
        for text in [
            "",
            "TH/hal5BTCuhPtKYkolFvw=",
            "TH/hal5BTCuhPtKYkolFv",
            "TH/hal5BTCuhPtKYkolF\u{e9}",
            "TH hal5BTCuhPtKYkolFvw",
        ] {
            assert_eq!(TopicId::new(text), Err(NoTopicId), "{text}");
        }
    }
}
