//! Running the command as a person would.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository's root")
}

/// The command with these arguments, in this folder.
pub(crate) fn weir(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir"));
    command.args(args).current_dir(folder).env_remove("WEIR_LOG");
    // Not in the home of whoever runs the tests.
    command.env("WEIR_CODE_CACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("code"));
    // A library that makes a system call that no list of a worker's has is noticed.
    command.env("WEIR_UNKNOWN_CALLS", "end");
    // Nor among their queries.
    command.env("WEIR_RUNTIME_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("run"));
    command
}

/// Lets queries of several tenants share one process: for tests of what they do to each other there, and of what this process says of
/// several queries.
pub(crate) const ONE_PROCESS: &str = "--allow-weak=seccomp,landlock,landlock-scopes,mdwe";

/// What a finished command said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the command to its end.
pub(crate) fn run(folder: &Path, args: &[&str]) -> Said {
    said(weir(folder, args).output().expect("the weir command"))
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
        err: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
    }
}

/// The closing summary among the JSON lines on standard error.
pub(crate) fn summary(said: &Said) -> serde_json::Value {
    said.err
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|value| value.get("summary").cloned())
        .unwrap_or_else(|| panic!("no summary on standard error:\n{}", said.err))
}
