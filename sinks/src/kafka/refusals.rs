//! Records that only a broker can refuse, and how the one that it refuses is found.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_kafka::KafkaProblem;

/// More suspects than a batch of a producer holds (`batch.num.messages` is 10,000): several batches may be on their way.
const SUSPECTS_MAX: usize = 100_000;

/// What brokers refused, remembered while a query goes back to its last commit and tries again. A clone is the same memory.
///
/// A broker refuses a batch of records as a whole, so that at first every record of the batch is a suspect. When the query
/// has gone back, suspects are sent one at a time: the one that is refused alone is guilty. After one more return it is no
/// longer sent, and its sink names it as refused. Records are told by a hash of topic, key and value: a query's functions
/// are deterministic, and a record of the same content is refused as well.
#[derive(Clone, Default)]
pub struct BrokerRefusals {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    // Its keys are random, so that no record can be made to look like another.
    hashes: (RandomState, RandomState),
    memory: Mutex<Memory>,
    // Whether there is anything to look for: until then no record is hashed.
    any: AtomicBool,
    learned: AtomicU64,
}

#[derive(Default)]
struct Memory {
    suspects: HashSet<Content>,
    // Those of the attempt at hand.
    failed: HashMap<Content, KafkaProblem>,
    guilty: HashMap<Content, KafkaProblem>,
}

/// What a record holds, as two hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Content(u64, u64);

/// What is known of a record before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing.
    Unknown,
    /// It is to be sent alone.
    Suspect(Content),
    /// It is not to be sent.
    Guilty(KafkaProblem),
}

impl BrokerRefusals {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn content(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Content {
        let hash = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            for part in [Some(topic.as_bytes()), key, value] {
                hasher.write_u64(part.map_or(u64::MAX, |part| part.len() as u64));
                hasher.write(part.unwrap_or_default());
            }
            hasher.finish()
        };
        Content(hash(&self.shared.hashes.0), hash(&self.shared.hashes.1))
    }

    /// What is known of a record.
    pub(super) fn standing(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Standing {
        if !self.shared.any.load(Ordering::Acquire) {
            return Standing::Unknown;
        }
        let content = self.content(topic, key, value);
        let memory = self.memory();
        match memory.guilty.get(&content) {
            Some(problem) => Standing::Guilty(problem.clone()),
            None if memory.suspects.contains(&content) => Standing::Suspect(content),
            None => Standing::Unknown,
        }
    }

    /// A record failed, alone or with the others of its batch.
    pub(super) fn failed(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, problem: KafkaProblem) {
        let content = self.content(topic, key, value);
        let mut memory = self.memory();
        if memory.failed.len() < SUSPECTS_MAX {
            memory.failed.insert(content, problem);
        }
    }

    /// A suspect was taken when it was sent alone.
    pub(super) fn cleared(&self, content: Content) {
        self.memory().suspects.remove(&content);
    }

    /// Draws conclusions from what failed since the last time, before everything is opened again. Says whether something new
    /// is known, so that another attempt gets further.
    pub fn learn(&self) -> bool {
        let mut memory = self.memory();
        let failed = std::mem::take(&mut memory.failed);
        let before = (memory.suspects.len(), memory.guilty.len());
        // One that failed with nothing beside it is guilty: alone in its batch, or sent alone as a suspect. Sinks that share
        // a producer may have sent one each.
        let alone = failed.len() == 1 || failed.keys().all(|content| memory.suspects.contains(content));
        for (content, problem) in failed {
            if alone {
                memory.suspects.remove(&content);
                memory.guilty.insert(content, problem);
            } else {
                memory.suspects.insert(content);
            }
        }
        let learned = before != (memory.suspects.len(), memory.guilty.len());
        drop(memory);
        if learned {
            self.shared.any.store(true, Ordering::Release);
            self.shared.learned.fetch_add(1, Ordering::Relaxed);
        }
        learned
    }
}

/// A memory is no setting: two that are otherwise the same are the same.
impl PartialEq for BrokerRefusals {
    fn eq(&self, _: &BrokerRefusals) -> bool {
        true
    }
}

impl Eq for BrokerRefusals {}

impl fmt::Debug for BrokerRefusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerRefusals").field("learned", &self.shared.learned).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use weir_kafka::ErrorCode;

    use super::*;

    fn too_large() -> KafkaProblem {
        KafkaProblem::MessageTooLarge(ErrorCode::of_librdkafka(10))
    }

    #[test]
    fn a_batch_is_narrowed_to_the_record_that_is_refused_alone() {
        let memory = BrokerRefusals::default();
        let standing = |value: &[u8]| memory.standing("t", None, Some(value));
        assert_eq!(standing(b"large"), Standing::Unknown);
        for value in [&b"small"[..], b"large"] {
            memory.failed("t", None, Some(value), too_large());
        }
        assert!(memory.learn());
        let Standing::Suspect(small) = standing(b"small") else { panic!("no suspect") };
        memory.cleared(small);
        memory.failed("t", None, Some(b"large"), too_large());
        assert!(memory.learn());
        assert_eq!(standing(b"small"), Standing::Unknown);
        assert_eq!(standing(b"large"), Standing::Guilty(too_large()));
        // Nothing new: another attempt would be in vain.
        assert!(!memory.learn());
    }

    #[test]
    fn null_is_not_empty_and_a_key_is_no_value() {
        let memory = BrokerRefusals::default();
        let all = [
            (None, Some(&b""[..])),
            (None, None),
            (Some(&b""[..]), None),
            (Some(b"a"), Some(b"")),
            (Some(b""), Some(b"a")),
        ];
        let contents: HashSet<Content> = all.iter().map(|(key, value)| memory.content("t", *key, *value)).collect();
        assert_eq!(contents.len(), all.len());
    }
}
