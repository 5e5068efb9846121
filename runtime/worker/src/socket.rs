//! The two halves of the socket between a process and its supervisor.

use weir_frame::{FrameReceiver, FrameSender, FromWorker, ToWorker};

/// How a process speaks to its supervisor.
pub(crate) type Sender = FrameSender<FromWorker>;
/// How it hears from it.
pub(crate) type Receiver = FrameReceiver<ToWorker>;
