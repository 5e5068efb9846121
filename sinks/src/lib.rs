//! Where record batches go: the Sink contract, its conformance check, stdout, file, memory
