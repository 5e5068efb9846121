//! Any bytes as the values of Kafka records, in every format.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weir_fuzz_decoders::records(bytes));
