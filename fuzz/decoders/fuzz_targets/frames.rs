//! Any bytes as what comes through the socket between a supervisor and a worker.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weir_fuzz_decoders::frames(bytes));
