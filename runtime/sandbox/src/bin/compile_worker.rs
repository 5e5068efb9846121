//! The compile worker as a program of its own, for hosts whose own binary does not offer it, and for tests.
//!
//! `weir-compile-worker` speaks on its standard input and output with the engine that started it, and is of no use by
//! hand. `weir-compile-worker probe WHAT` confines itself and then tries what a worker may not do.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("probe"), Some(what)) => weir_sandbox::probe_confinement(&what),
        _ => weir_sandbox::compile_worker(),
    }
}
