//! The compile worker as a program of its own, for hosts whose own binary does not offer it, and for tests.
//!
//! `weir-compile-worker` speaks on its standard input and output with the engine that started it, and is of no use by
//! hand. `weir-compile-worker probe WHAT ARGUMENT…` confines itself and then tries what a worker may not do.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [probe, what, arguments @ ..] if probe == "probe" => weir_admission::probe_confinement(what, arguments),
        _ => weir_admission::compile_worker(),
    }
}
