//! Starts a process: its control socket as descriptor 0, one pipe as 1 and 2, nothing else, and an empty environment.
//!
//! std starts it by `posix_spawn` as long as nothing asks for a fork: no `pre_exec`, no change of the user. What the process changes in
//! itself (session, user, walls) it does after its `Welcome`.

use std::io::{self, PipeReader};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use weir_frame::socket_pair;

use crate::WorkerSpec;
use crate::process::PidFd;

/// A process that was just started and has heard nothing yet.
#[derive(Debug)]
pub(crate) struct Spawned {
    pub(crate) child: Child,
    pub(crate) pid_fd: PidFd,
    pub(crate) socket: UnixStream,
    pub(crate) output: PipeReader,
}

/// The limit of stacks is this process's own, and a child has what its parent has when it is started.
static STACK_LIMIT: Mutex<()> = Mutex::new(());

pub(crate) fn spawn(spec: &WorkerSpec, stack_bytes_max: u64) -> io::Result<Spawned> {
    let (ours, theirs) = socket_pair()?;
    let (output, input) = io::pipe()?;
    fcntl_setfl(&output, fcntl_getfl(&output)? | OFlags::NONBLOCK)?;
    let mut command = Command::new(&spec.program);
    command
        .args(&spec.arguments)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .stdout(Stdio::from(input.try_clone()?))
        .stderr(Stdio::from(input));
    let mut child = with_stack_limit(stack_bytes_max, || command.spawn())?;
    // Not reaped yet, so its number is its own.
    match PidFd::open(child.id()) {
        Ok(Some(pid_fd)) => Ok(Spawned { child, pid_fd, socket: ours, output }),
        opened => {
            drop(child.kill());
            drop(child.wait());
            Err(opened.err().unwrap_or_else(|| io::ErrorKind::NotFound.into()))
        }
    }
}

/// glibc gives each thread of a C library a stack of `RLIMIT_STACK` as it was at exec, 8 MiB as a rule, all of which counts
/// against `RLIMIT_DATA`.
fn with_stack_limit<T>(bytes_max: u64, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _turn = STACK_LIMIT.lock().unwrap_or_else(PoisonError::into_inner);
    let before = getrlimit(Resource::Stack);
    let current = before.maximum.map_or(bytes_max, |maximum| maximum.min(bytes_max));
    setrlimit(Resource::Stack, Rlimit { current: Some(current), maximum: before.maximum })?;
    let started = start();
    setrlimit(Resource::Stack, before)?;
    started
}
