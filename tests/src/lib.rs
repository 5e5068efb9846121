//! End to end tests of Weir, and what they share
