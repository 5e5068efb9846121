//! What supervisor and connector say to each other, after a `Welcome` and a `Hello` as with any process.

use bincode::{Decode, Encode};

use crate::{RequestId, WallReport, WorkerRole};

/// A frame from the supervisor to the connector.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum ToConnector {
    /// A connection to be made. The answer is [`Connected`](FromConnector::Connected) or
    /// [`Refused`](FromConnector::Refused).
    Connect {
        /// The number of the question, of the supervisor's own count.
        request: RequestId,
        /// Whose rate it counts against.
        tenant: String,
        /// A name, or an address as text, as a worker asked for it.
        host: String,
        /// The port.
        port: u16,
        /// Networks that this tenant may reach beside public ones, as `ADDRESS/BITS`.
        allowed: Vec<String>,
    },
}

/// A frame from the connector to the supervisor.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum FromConnector {
    /// The first frame.
    Hello {
        /// Its [`VERSION`](crate::VERSION).
        version: u32,
        /// [`WorkerRole::Connector`].
        role: WorkerRole,
        /// The walls that hold.
        walls: Vec<WallReport>,
    },
    /// A connection was made. Carries one descriptor. This is the only frame to the supervisor that does.
    Connected {
        /// The number of the question.
        request: RequestId,
    },
    /// No connection was made.
    Refused {
        /// The number of the question.
        request: RequestId,
        /// As in [`ConnectRefused`](crate::ToWorker::ConnectRefused).
        code: String,
        /// What is wrong, and what to do.
        text: String,
    },
}
