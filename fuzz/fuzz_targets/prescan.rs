//! Any bytes as a module, up to the compiler.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| weir_corpora::fuzz_prescan(bytes));
