//! Any bytes as a query file.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weir_corpora::fuzz_query_file(bytes));
