//! Any bytes as the state that a query keeps.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weir_fuzz_decoders::kept_state(bytes));
