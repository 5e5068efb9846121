//! Identities of tenants.

use crate::Fault;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// A tenant's identity: `[a-z0-9][a-z0-9_-]{0,62}`. It can be used in paths, topics and metric labels without escaping.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(
    // Always in the form above: only `from_str` creates it.
    Arc<str>,
);

/// Text that is not a tenant's identity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid tenant `{text}`: use 1 to 63 of a-z, 0-9, `_` and `-`, a letter or digit first")]
pub struct TenantIdError {
    // Escaped and cut, because it came from outside.
    text: String,
}

impl TenantIdError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        Fault::Tenant
    }

    /// Whether the same text may be valid later.
    pub fn retryable(&self) -> bool {
        false
    }
}

impl TenantId {
    /// The identity as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TenantId {
    type Err = TenantIdError;

    fn from_str(text: &str) -> Result<TenantId, TenantIdError> {
        let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts = text.bytes().next().is_some_and(word);
        let holds = text.bytes().all(|byte| word(byte) || byte == b'_' || byte == b'-');
        if starts && holds && text.len() <= 63 {
            Ok(TenantId(text.into()))
        } else {
            Err(TenantIdError { text: weir_text::escape_to(text, 80) })
        }
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantId({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_a_tenant() {
        for text in ["a", "0", "acme", "acme-2_eu", &"a".repeat(63)] {
            assert_eq!(text.parse::<TenantId>().map(|id| id.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "-a", "_a", "A", "a/b", "..", "a b", "é", "a\n", &"a".repeat(64)] {
            assert!(text.parse::<TenantId>().is_err(), "{text:?}");
        }
    }
}
