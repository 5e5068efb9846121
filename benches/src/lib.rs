//! What the benches share: CPU time as a criterion measurement, and a stage's guest over a batch on one thread.
//!
//! Each bench file opens with its question and its cost model, and pairs the thing with native Rust doing the same work in
//! the same run. `README.md` beside this crate says how to run them and what they said.

mod cpu_time;
mod guest;

pub use cpu_time::CpuTime;
pub use guest::{Guest, one_thread};
