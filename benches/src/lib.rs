//! Benches of Weir.
