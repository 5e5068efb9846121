//! A process that a supervisor started: greeted, confined, at work.

use std::io::Write;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use weir_confine::{Enforced, Walls, confine};
use weir_frame::{FromWorker, Handed, ToWorker, VERSION, WallReport, WallState, WorkerRole, from_standard_input};

use crate::code::Questions;
use crate::network::{self, Connections};
use crate::numbers::Numbers;
use crate::{WorkerError, WorkerSettings, reader, tenant};

/// Serves the supervisor that started this process, on descriptor 0, until it is asked to end or the supervisor goes away. A
/// program that is its own worker calls this first thing in `main`, before it starts a thread.
///
/// `take_place` gives the process its weight against others (see `weir_tenancy::take_place`), before it is confined.
pub fn worker_main(take_place: impl FnOnce(&weir_frame::CpuPlace) -> std::io::Result<()>) -> ExitCode {
    match serve(take_place) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The pipe of last words may be gone with the supervisor.
            drop(writeln!(std::io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(take_place: impl FnOnce(&weir_frame::CpuPlace) -> std::io::Result<()>) -> Result<(), WorkerError> {
    let system = |what| move |source| WorkerError::System { what, source };
    let (sender, mut receiver) = from_standard_input::<FromWorker, ToWorker>().map_err(system("standard input"))?;
    let Some((welcome, descriptors)) = receiver.receive()? else { return Ok(()) };
    let ToWorker::Welcome { version, role, supervisor_pid, cpu, user, handed, settings, .. } = welcome else {
        return Err(WorkerError::Unexpected { expected: "Welcome" });
    };
    if version != VERSION {
        return Err(weir_frame::FrameError::OtherVersion { expected: VERSION, found: version }.into());
    }
    let settings = WorkerSettings::from_bytes(&settings)?;
    take_place(&cpu).map_err(system("the process's weight against others"))?;
    // Descriptors that came by the socket are closed on exec; the lock is held until the process ends.
    let (mut window, mut held) = (None, Vec::new());
    for (what, descriptor) in handed.iter().zip(descriptors) {
        match what {
            Handed::CodeWindow => window = Some(descriptor),
            Handed::Lock | Handed::Input | Handed::Output => held.push(descriptor),
        }
    }
    let window = window.as_ref().map(tenant::window).transpose()?;
    weir_sandbox::Engine::before_confinement();
    let mut confinement = settings.confinement.clone().parent(supervisor_pid);
    if let Some(user) = user {
        confinement = confinement.identity(user.uid, user.gid);
    }
    let walls = confine(&confinement)?;
    let hello = FromWorker::Hello { version: VERSION, role, walls: reports(&walls) };
    sender.send(&hello, &[])?;
    let served = match role {
        // Threads are started from here on: they are confined like this one.
        WorkerRole::Tenant => {
            let numbers = Numbers::default();
            let questions = Questions::new(sender.clone(), numbers.clone());
            let connections = Connections::new(sender.clone(), numbers);
            let by_library = connections.clone();
            network::connect_by(move |host, port| by_library.connect_for_library(host, port));
            tenant::serve(settings, window, (&questions, &connections), sender, receiver)
        }
        WorkerRole::Reader | WorkerRole::Connector => reader::serve(&sender, receiver),
    };
    drop(held);
    served
}

/// Confines a connector as its `Welcome` says, and tells which walls hold: for `weir_tenancy::connector_main`.
///
/// # Errors
///
/// Of settings that cannot be read, and of a step of the confinement that the kernel refuses. The process must end.
pub fn confine_connector(welcome: &ToWorker, _handed: Vec<OwnedFd>) -> std::io::Result<Vec<WallReport>> {
    let ToWorker::Welcome { supervisor_pid, user, settings, .. } = welcome else {
        return Err(std::io::Error::other(WorkerError::Unexpected { expected: "Welcome" }));
    };
    let settings = WorkerSettings::from_bytes(settings).map_err(std::io::Error::other)?;
    let mut confinement = settings.confinement.parent(*supervisor_pid);
    if let Some(user) = user {
        confinement = confinement.identity(user.uid, user.gid);
    }
    confine(&confinement).map(|walls| reports(&walls)).map_err(std::io::Error::other)
}

/// The walls as the supervisor shows them.
fn reports(walls: &Walls) -> Vec<WallReport> {
    let report = |name: &str, enforced: Enforced, note: String| WallReport {
        name: name.to_owned(),
        state: match enforced {
            Enforced::Fully => WallState::InForce,
            Enforced::Partly => WallState::Partly,
            Enforced::No => WallState::Missing,
        },
        note,
    };
    let abi = format!("ABI {}", walls.landlock_abi);
    vec![
        report("seccomp", walls.system_calls, String::new()),
        report("landlock", walls.files, abi),
        report("landlock-scopes", walls.signals, String::new()),
        report("mdwe", walls.executable_memory, String::new()),
    ]
}
