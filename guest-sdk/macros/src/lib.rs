//! The macros of weir-guest
