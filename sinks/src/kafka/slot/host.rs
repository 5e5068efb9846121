//! The name of this host, as a part of names of Kafka's.

use sha2::{Digest, Sha256};
use weir_text::hex;

/// The longest host name of Linux, in bytes.
const BYTES_MAX: usize = 64;

/// The name used where the system has none.
const NAMELESS: &str = "host";

/// The host's name. A container has one of its own; one that is given a random name is another host each time.
pub(super) fn host() -> String {
    let told = std::fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
    let told = match String::from_utf8_lossy(&told).trim() {
        "" => std::env::var("HOSTNAME").unwrap_or_default(),
        told => told.to_owned(),
    };
    clean(&told)
}

/// The name with `a-z A-Z 0-9 . _ -` alone, and of bounded length. A name that had to be changed gets some digits of its
/// hash, so that two hosts stay two.
fn clean(told: &str) -> String {
    let told = told.trim();
    if told.is_empty() || told == "(none)" {
        return NAMELESS.to_owned();
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if told.len() <= BYTES_MAX && told.bytes().all(legal) {
        return told.to_owned();
    }
    let hash = Sha256::digest(told.as_bytes());
    let hash = hex(&hash[..4]);
    let kept = told.chars().map(|c| if u8::try_from(c).is_ok_and(legal) { c } else { '-' });
    let kept: String = kept.take(BYTES_MAX - hash.len() - 1).collect();
    format!("{kept}-{hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_kafka_can_bear() {
        for (told, expected) in [
            ("worker-1\n", "worker-1"),
            ("node.example.org", "node.example.org"),
            ("", "host"),
            ("\n", "host"),
            ("(none)\n", "host"),
            ("my host", "my-host-88dd8853"),
        ] {
            assert_eq!(clean(told), expected, "{told:?}");
        }
        let hostile = ["h\u{1b}[31m", "høst", "hæst", &"a".repeat(65), &"é".repeat(4000), "a/../b", "\u{fffd}"];
        let mut names: Vec<String> = hostile.iter().map(|told| clean(told)).collect();
        for name in &names {
            let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            assert!(legal && (1..=BYTES_MAX).contains(&name.len()), "{name:?}");
        }
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), hostile.len(), "hosts stay apart");
    }
}
