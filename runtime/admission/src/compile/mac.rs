//! Authentication of code that was out of this process's hands.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub(crate) const MAC_BYTES: usize = 32;

/// A key for HMAC-SHA-256 (RFC 2104).
#[derive(Clone)]
pub(crate) struct Key([u8; MAC_BYTES]);

impl Key {
    /// A key from the system's randomness.
    pub(crate) fn random() -> Result<Key, std::io::Error> {
        let mut bytes = [0; MAC_BYTES];
        getrandom::fill(&mut bytes).map_err(std::io::Error::from)?;
        Ok(Key(bytes))
    }

    pub(crate) fn from_bytes(bytes: [u8; MAC_BYTES]) -> Key {
        Key(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; MAC_BYTES] {
        &self.0
    }

    /// The code of these parts. Each counts with its length, so that no two lists of parts have the same.
    pub(crate) fn mac(&self, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        self.hmac(parts).finalize().into_bytes().into()
    }

    /// Whether this is the code of these parts; takes the same time whatever the difference.
    pub(crate) fn verifies(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.hmac(parts).verify_slice(mac).is_ok()
    }

    fn hmac(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        // A key that is shorter than a block is filled up with zeroes, as the RFC does.
        let mut block = [0; 64];
        block[..MAC_BYTES].copy_from_slice(&self.0);
        let mut hmac = Hmac::<Sha256>::new(&block.into());
        for part in parts {
            hmac.update(&(part.len() as u64).to_le_bytes());
            hmac.update(part);
        }
        hmac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_key_are_what_is_authenticated() {
        let key = Key::from_bytes([7; 32]);
        let mac = key.mac(&[b"ab", b"c"]);
        assert!(key.verifies(&[b"ab", b"c"], &mac));
        assert!(!key.verifies(&[b"a", b"bc"], &mac));
        assert!(!key.verifies(&[b"abc"], &mac));
        assert!(!key.verifies(&[b"ab", b"c"], &mac[..31]));
        assert!(!Key::from_bytes([8; 32]).verifies(&[b"ab", b"c"], &mac));
        assert_ne!(Key::random().unwrap().as_bytes(), Key::random().unwrap().as_bytes());
    }
}
