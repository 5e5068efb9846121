//! Any bytes as a file of dead letters.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weir_fuzz_decoders::letters(bytes));
