//! Why a worker could not do its work.

use weir_confine::ConfineError;
use weir_fault::Fault;
use weir_frame::FrameError;

/// An error that ends a worker process, or a value of one that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// A frame could not be sent or read.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The process could not be confined.
    #[error("the process cannot be confined: {0}")]
    Confine(#[from] ConfineError),
    /// The system refused.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Bytes that are no such value.
    #[error("invalid {what}: {reason}")]
    Invalid {
        /// What they are to be.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The supervisor sent another frame than the one that has to come now.
    #[error("expected a frame {expected} from the supervisor")]
    Unexpected {
        /// What has to come.
        expected: &'static str,
    },
    /// The code window could not be mapped.
    #[error(transparent)]
    Window(#[from] weir_confine::WindowError),
    /// The engine could not be set up.
    #[error(transparent)]
    Engine(#[from] weir_sandbox::EngineError),
}

impl WorkerError {
    /// Whose fault it is. Values come from the other process, which may have been taken over by a tenant.
    pub fn fault(&self) -> Fault {
        match self {
            WorkerError::Frame(error) => error.fault(),
            WorkerError::Confine(error) => error.fault(),
            WorkerError::System { .. } => Fault::External,
            WorkerError::Window(error) => error.fault(),
            WorkerError::Invalid { .. } => Fault::Tenant,
            WorkerError::Unexpected { .. } => Fault::Internal,
            WorkerError::Engine(error) => error.fault(),
        }
    }

    /// Whether the same may succeed later.
    pub fn retryable(&self) -> bool {
        match self {
            WorkerError::Frame(error) => error.retryable(),
            WorkerError::Confine(error) => error.retryable(),
            WorkerError::System { .. } => true,
            WorkerError::Window(error) => error.retryable(),
            WorkerError::Invalid { .. } | WorkerError::Unexpected { .. } => false,
            WorkerError::Engine(error) => error.retryable(),
        }
    }
}
