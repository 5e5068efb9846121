//! What a process may still do.

use std::path::PathBuf;

#[cfg(feature = "bincode")]
use bincode::{Decode, Encode};

use crate::Wall;

/// What a process is for. It decides which system calls are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "bincode", derive(Encode, Decode))]
#[non_exhaustive]
pub enum Role {
    /// Computes and answers on descriptors that it has: no thread, no file, no socket. Any other call ends it.
    CompileWorker,
    /// Everything else of one tenant: threads, files of its folders, and connected sockets that it was handed. It cannot make a
    /// socket.
    TenantWorker,
    /// Resolves names and connects TCP and UDP sockets for workers that cannot. It listens nowhere, and has no sockets of other
    /// kinds. What it reads and writes of files is stated as for a worker; to resolve names it needs `/etc/resolv.conf`,
    /// `/etc/hosts` and `/etc/nsswitch.conf`.
    Connector,
}

/// What a process may use up. `None` leaves what it inherited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "bincode", derive(Encode, Decode))]
pub struct Budgets {
    /// Reserved addresses (`RLIMIT_AS`), page tables in proportion. A pool of instances reserves 4 GiB and more each.
    pub address_space_bytes_max: Option<u64>,
    /// Private memory that can be written, used or not (`RLIMIT_DATA`). Neither shared memory nor page tables count.
    pub data_bytes_max: Option<u64>,
    /// Length of a file that is written (`RLIMIT_FSIZE`). The call that goes further gets `EFBIG`: SIGXFSZ, which would end the process,
    /// is ignored.
    pub file_bytes_max: Option<u64>,
    /// Open descriptors (`RLIMIT_NOFILE`).
    pub descriptors_max: Option<u64>,
    /// CPU time of all threads since the process started (`RLIMIT_CPU`): SIGXCPU ends it, and SIGKILL a second later. For
    /// processes that do one piece of work.
    pub cpu_s_max: Option<u64>,
}

/// Whom a process runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "bincode", derive(Encode, Decode))]
pub struct Identity {
    /// Real, effective and saved user id.
    pub uid: u32,
    /// Real, effective and saved group id; there are no supplementary groups.
    pub gid: u32,
}

/// What a process may still do once it called [`confine`](crate::confine) with this.
///
/// Without folders it can open nothing. Its standard input, output and error stay open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "bincode", derive(Encode, Decode))]
pub struct Confinement {
    pub(crate) role: Role,
    pub(crate) budgets: Budgets,
    pub(crate) parent: Option<u32>,
    pub(crate) keep: Vec<i32>,
    pub(crate) identity: Option<Identity>,
    pub(crate) reads: Vec<PathBuf>,
    pub(crate) writes: Vec<PathBuf>,
    pub(crate) given_up: Vec<Wall>,
    pub(crate) ends_unknown_calls: bool,
}

impl Confinement {
    /// For a process that compiles one upload.
    pub fn compile_worker(budgets: Budgets) -> Confinement {
        Confinement::new(Role::CompileWorker, budgets)
    }

    /// For a process that runs the queries of one tenant, or reads its query files (then without folders to write to).
    pub fn tenant_worker(budgets: Budgets) -> Confinement {
        Confinement::new(Role::TenantWorker, budgets)
    }

    /// For a process that connects on behalf of workers.
    pub fn connector(budgets: Budgets) -> Confinement {
        Confinement::new(Role::Connector, budgets)
    }

    fn new(role: Role, budgets: Budgets) -> Confinement {
        Confinement {
            role,
            budgets,
            parent: None,
            keep: Vec::new(),
            identity: None,
            reads: Vec::new(),
            writes: Vec::new(),
            given_up: Vec::new(),
            ends_unknown_calls: false,
        }
    }

    /// The process id of the supervisor, as the supervisor sees it. A worker whose parent is another one (its supervisor ended
    /// before the kernel knew that the worker is to end with it) is not confined, and should end.
    #[must_use]
    pub fn parent(mut self, process_id: u32) -> Confinement {
        self.parent = Some(process_id);
        self
    }

    /// Inherited descriptors that stay open beside 0, 1 and 2: control socket, lock, code window. All others are closed, except
    /// those that this process opened itself (with close-on-exec, as Rust's standard library does).
    #[must_use]
    pub fn keep(mut self, descriptors: impl IntoIterator<Item = i32>) -> Confinement {
        self.keep.extend(descriptors);
        self
    }

    /// Whom it runs as from now on; needs `CAP_SETUID` and `CAP_SETGID`. Without this, it stays who it is.
    #[must_use]
    pub fn identity(mut self, uid: u32, gid: u32) -> Confinement {
        self.identity = Some(Identity { uid, gid });
        self
    }

    /// A file, or a folder with everything below it, that may be read and listed. It must exist.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Confinement {
        self.reads.push(path.into());
        self
    }

    /// A file, or a folder with everything below it, that may be read, written, and truncated, and in which files and folders
    /// may be made, removed, and renamed: no symbolic links, sockets, pipes or devices. It must exist.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>) -> Confinement {
        self.writes.push(path.into());
        self
    }

    /// Leaves out a wall: for tests that show what another one stops by itself.
    #[must_use]
    pub fn without(mut self, wall: Wall) -> Confinement {
        self.given_up.push(wall);
        self
    }

    /// Has a system call that is in no list end this process, with a line that says its number: for tests, so that a library that makes
    /// a new call is noticed. Without this, such a call gets `ENOSYS`.
    #[must_use]
    pub fn end_unknown_calls(mut self) -> Confinement {
        self.ends_unknown_calls = true;
        self
    }

    pub(crate) fn has(&self, wall: Wall) -> bool {
        !self.given_up.contains(&wall)
    }
}
