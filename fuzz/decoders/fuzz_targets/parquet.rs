//! Any bytes as a file of Parquet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_formats::Format;

fuzz_target!(|bytes: &[u8]| weir_fuzz_decoders::file(Format::Parquet, bytes));
