//! What a worker is started with.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use weir_frame::{Handed, WorkerId, WorkerRole, WorkerUser};

use crate::DiskLimits;

/// A process to be started, and started again when it crashes.
#[derive(Debug)]
#[non_exhaustive]
pub struct WorkerSpec {
    /// Who it works for. Only shown, never believed from a frame.
    pub tenant: String,
    /// What it is for.
    pub role: WorkerRole,
    /// The program: `/proc/self/exe` as a rule.
    pub program: PathBuf,
    /// What makes the program a worker. Visible to every process of the machine: no secrets.
    pub arguments: Vec<OsString>,
    /// The file that is locked while a process of this tenant lives. It is made where it is missing.
    pub lock: Option<PathBuf>,
    /// The user that the process becomes.
    pub user: Option<WorkerUser>,
    /// Its weight against other workers, from 1 to 10,000.
    pub weight: u32,
    /// The CPU time that it may use in a second, in percent of a core. Where a cgroup is delegated, the kernel keeps it; else the process
    /// does, which is told at each start what those before it have used ([`ProcessStart`]).
    pub cpu_percent_max: Option<u32>,
    /// The memory that it may use, as its own backstops have it.
    pub memory_bytes_max: u64,
    /// Networks that it may be connected to: `public` for every public address, `10.1.0.0/16`, `fd00::/8`, or one address.
    pub allowed_networks: Vec<String>,
    /// The threads that it may have.
    pub threads_max: u32,
    /// What the folders of its tenant may hold. The worker is ended where they hold more, by a tenth.
    pub disk: Option<DiskLimits>,
    /// Makes the settings and descriptors of each start.
    pub equip: Equip,
}

impl WorkerSpec {
    /// A worker of a tenant: `/proc/self/exe` with these arguments, without settings.
    pub fn new(tenant: impl Into<String>, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> WorkerSpec {
        WorkerSpec {
            tenant: tenant.into(),
            role: WorkerRole::Tenant,
            program: "/proc/self/exe".into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            lock: None,
            user: None,
            weight: 100,
            cpu_percent_max: None,
            memory_bytes_max: 256 << 20,
            allowed_networks: vec!["public".to_owned()],
            threads_max: 32,
            disk: None,
            equip: Equip::default(),
        }
    }
}

/// What one start of a process is given.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Equipment {
    /// [`Welcome`](weir_frame::ToWorker::Welcome)'s settings.
    pub settings: Vec<u8>,
    /// Descriptors beside the lock: a code window. At most three.
    pub descriptors: Vec<(Handed, OwnedFd)>,
}

impl Equipment {
    /// Settings, and descriptors with what they are.
    pub fn new(settings: Vec<u8>, descriptors: Vec<(Handed, OwnedFd)>) -> Equipment {
        Equipment { settings, descriptors }
    }
}

/// A start of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProcessStart {
    /// The worker.
    pub worker: WorkerId,
    /// CPU time that its processes have used beyond `cpu_percent_max`, and that this one has to do without.
    pub cpu_debt: Duration,
}

type Make = dyn FnMut(ProcessStart) -> io::Result<Equipment> + Send;

/// Makes the equipment of each start of a worker: a new process has a new code window. Runs in the supervisor's thread: it must not
/// wait for anything.
#[derive(Default)]
pub struct Equip(Option<Box<Make>>);

impl Equip {
    /// With a function that is called before each start.
    pub fn new(make: impl FnMut(ProcessStart) -> io::Result<Equipment> + Send + 'static) -> Equip {
        Equip(Some(Box::new(make)))
    }

    pub(crate) fn make(&mut self, start: ProcessStart) -> io::Result<Equipment> {
        self.0.as_mut().map_or_else(|| Ok(Equipment::default()), |make| make(start))
    }
}

impl fmt::Debug for Equip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Equip")
    }
}
