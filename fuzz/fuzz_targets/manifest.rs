//! Any bytes as the manifest of a module.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weir_corpora::fuzz_manifest(bytes));
