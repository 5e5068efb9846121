//! Fresh ids for the trace contexts of batches.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use weir_batch::TraceContext;

/// Hands out trace contexts that differ between processes and batches: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)
/// from a seed that the standard library draws from the system. Not for secrets.
pub(crate) struct TraceIds {
    state: u64,
}

impl TraceIds {
    pub(crate) fn new() -> TraceIds {
        TraceIds { state: RandomState::new().hash_one(std::process::id()) }
    }

    pub(crate) fn next(&mut self) -> Option<TraceContext> {
        let trace_id = (u128::from(self.number()) << 64 | u128::from(self.number())).to_be_bytes();
        TraceContext::new(trace_id, self.number().to_be_bytes(), false)
    }

    fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
