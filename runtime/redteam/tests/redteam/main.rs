//! The runner over attacks that hosts withstand, and over some that must fail.

mod looped;
mod measured;
