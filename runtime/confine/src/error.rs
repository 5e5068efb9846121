//! Why a process was not confined.

use std::io;
use std::path::PathBuf;

use weir_fault::Fault;

/// A process that is not confined, or only in part: it must end without reading anything of a tenant's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfineError {
    /// Threads that were started earlier would not be confined.
    #[error("{threads} threads run: a process must be confined before it starts a second one")]
    Threads {
        /// How many.
        threads: usize,
    },
    /// The supervisor ended, or somebody else started this process.
    #[error("the parent of this process is {found}: expected process {expected}")]
    Orphan {
        /// The process that was handed over.
        expected: u32,
        /// The process that is the parent; 0 for one outside of this process namespace.
        found: u32,
    },
    /// A folder or file that the process was to have.
    #[error("{path} cannot be opened", path = path.display())]
    Folder {
        /// Its path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The kernel refused a step that depends on no feature.
    #[error("cannot {step}")]
    Step {
        /// What was to be done.
        step: &'static str,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl ConfineError {
    pub(crate) fn step<E: Into<io::Error>>(step: &'static str) -> impl FnOnce(E) -> ConfineError {
        move |source| ConfineError::Step { step, source: source.into() }
    }

    /// Whose fault it is: that of the program for a thread, else that of the machine and its set-up.
    pub fn fault(&self) -> Fault {
        match self {
            ConfineError::Threads { .. } => Fault::Internal,
            ConfineError::Orphan { .. } | ConfineError::Folder { .. } | ConfineError::Step { .. } => Fault::External,
        }
    }

    /// Whether another process may succeed later: never without a change.
    pub fn retryable(&self) -> bool {
        false
    }
}
