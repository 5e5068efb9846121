//! Any bytes as a sequence of host calls, assembled, admitted and called.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| drop(weir_corpora::fuzz_host_functions(bytes)));
