//! Runs tenants WebAssembly functions over record batches, within limits
