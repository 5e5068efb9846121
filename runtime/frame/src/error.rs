//! Why a frame was not sent or taken.

use std::io;

use weir_fault::Fault;

/// A frame that is not sent or not taken. After an error of the receiving side nothing more can be read from its socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The other side is of another version.
    #[error(
        "frames of version {found}: expected version {expected}; restart the supervisor, so that all its processes are of one version"
    )]
    OtherVersion {
        /// What this side has.
        expected: u32,
        /// What the other side has.
        found: u32,
    },
    /// There is no frame of this number in this direction.
    #[error("a frame of the unknown kind {kind}")]
    UnknownKind {
        /// The number.
        kind: u32,
    },
    /// A frame that states more bytes than its kind may have, or would have.
    #[error("a frame {kind} of {bytes} bytes: the maximum is {bytes_max}")]
    TooLong {
        /// Its kind.
        kind: &'static str,
        /// Its bytes.
        bytes: usize,
        /// The most.
        bytes_max: usize,
    },
    /// A frame without room for its kind.
    #[error("a frame of {bytes} bytes: expected a kind of four bytes")]
    TooShort {
        /// Its bytes.
        bytes: usize,
    },
    /// A frame whose bytes are no value of its kind.
    #[error("an invalid frame {kind}: {reason}")]
    Invalid {
        /// Its kind.
        kind: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// The socket ended in the middle of a frame.
    #[error("the socket ended within a frame, after {bytes} bytes of it")]
    CutOff {
        /// What came of the frame.
        bytes: usize,
    },
    /// Not the descriptors that the frame goes with.
    #[error("a frame {kind} with {found} descriptors: expected {expected}")]
    Descriptors {
        /// Its kind.
        kind: &'static str,
        /// What belongs to it.
        expected: usize,
        /// What came with it.
        found: usize,
    },
    /// A frame that may not come now.
    #[error("a frame {kind} out of turn: {reason}")]
    OutOfTurn {
        /// Its kind.
        kind: &'static str,
        /// Why not now.
        reason: String,
    },
}

impl FrameError {
    /// Whose fault it is. A worker's frames are a tenant's: only one that was taken over sends others than it should.
    pub fn fault(&self) -> Fault {
        match self {
            FrameError::Io(_) | FrameError::OtherVersion { .. } | FrameError::CutOff { .. } => Fault::External,
            FrameError::UnknownKind { .. }
            | FrameError::TooLong { .. }
            | FrameError::TooShort { .. }
            | FrameError::Invalid { .. }
            | FrameError::Descriptors { .. }
            | FrameError::OutOfTurn { .. } => Fault::Tenant,
        }
    }

    /// Whether the same may succeed later: where the system was interrupted.
    pub fn retryable(&self) -> bool {
        matches!(self, FrameError::Io(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock))
    }

    /// Whether the other side sent what no side of this version sends.
    pub fn is_garbage(&self) -> bool {
        self.fault() == Fault::Tenant
    }
}
