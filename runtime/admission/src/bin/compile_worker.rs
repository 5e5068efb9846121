//! The compile worker as a separate program, for hosts whose own program does not contain it, and for tests.
//!
//! The engine starts `weir-compile-worker`, and communicates through its standard input and output; it is not useful on a terminal.
//! `weir-compile-worker probe WHAT ARGUMENT…` confines itself, and then tries something that a worker must not be able to do.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [probe, what, arguments @ ..] if probe == "probe" => weir_admission::probe_confinement(what, arguments),
        _ => weir_admission::compile_worker(),
    }
}
