//! Random ids for spans.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};

use weir_batch::TraceContext;

/// Generates ids that differ between processes and spans: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014), with a seed that the
/// standard library takes from the operating system. Shared by a query's tasks. Not for secrets.
pub(super) struct TraceIds {
    state: AtomicU64,
}

/// The increment of SplitMix64.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl TraceIds {
    pub(super) fn new() -> TraceIds {
        TraceIds { state: AtomicU64::new(RandomState::new().hash_one(std::process::id())) }
    }

    pub(super) fn trace_id(&self) -> [u8; 16] {
        (u128::from(self.number()) << 64 | u128::from(self.number())).to_be_bytes()
    }

    /// The ids of a sampled span in this trace. `None` if an id is all zeros, once in 2^64.
    pub(super) fn span_of(&self, trace_id: [u8; 16]) -> Option<TraceContext> {
        TraceContext::new(trace_id, self.number().to_be_bytes(), true)
    }

    fn number(&self) -> u64 {
        let mut mixed = self.state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
