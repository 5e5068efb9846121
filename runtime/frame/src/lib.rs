//! What a supervisor and its processes say to each other: typed frames over a Unix socket.
//!
//! ```
//! use weir_frame::{Frames, FromWorker, QueryId, ToWorker, encode, halves};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The process's side: its end of the socket, in two halves.
//! let (supervisor, worker) = weir_frame::socket_pair()?;
//! let (sender, mut receiver) = halves::<FromWorker, ToWorker>(worker);
//! sender.send(&FromWorker::Started { query: QueryId(7) }, &[])?;
//!
//! // The supervisor's side: bytes as they come, without room for descriptors.
//! let mut frames = Frames::<FromWorker>::default();
//! let mut piece = [0; 4096];
//! let read = weir_frame::receive_plain(&supervisor, &mut piece)?;
//! frames.extend(&piece[..read]);
//! assert_eq!(frames.next_frame()?, Some(FromWorker::Started { query: QueryId(7) }));
//!
//! weir_frame::send_part(&supervisor, &encode(&ToWorker::End { grace_ms: 100 })?, &[])?;
//! assert!(matches!(receiver.receive()?, Some((ToWorker::End { grace_ms: 100 }, _))));
//! # Ok(())
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`ToWorker`], [`FromWorker`]**: the frames of a process's socket. What only workers understand (drafts, limits, progress, summaries) is bytes here. Each kind has a longest
//! value ([`Framed::KINDS`]). On the wire: length, kind, value.
//!
//! **The turn.** The supervisor begins with [`ToWorker::Welcome`], before the process is confined; the process answers
//! [`FromWorker::Hello`] when it is. A `Run` is answered by `Started` or `Refused`, a `Read` by `Draft`. [`Turns`] keeps account for
//! the supervisor, and says which frame of a worker may not come now.
//!
//! **[`Frames`]**: bytes in, frames out. Nothing is allocated for a length that its kind may not have.
//!
//! **[`FrameSender`], [`FrameReceiver`]**: a process's side. They block; a process has one thread that receives.
//!
//! **Descriptors** go from the supervisor to a process, with the frames that say so ([`Framed::descriptors`]), and from the connector to
//! the supervisor. What a worker sends is read without room for them ([`receive_plain`]).
//!
//! **[`FrameError`]**: why a frame was not sent or taken. After one that [is garbage](FrameError::is_garbage) the worker is ended.

mod error;
#[cfg(test)]
mod fault_tables;
mod frame;
mod frames;
mod from_worker;
mod link;
mod names;
mod rights;
#[cfg(test)]
mod tests;
mod to_worker;
mod turns;

pub use error::FrameError;
pub use frame::{CHUNK_BYTES_MAX, FRAME_BYTES_MAX, Framed, VERSION, encode};
pub use frames::Frames;
pub use from_worker::{DraftProblem, FromWorker, LineLevel, QueryEnd};
pub use link::{FrameReceiver, FrameSender, from_standard_input, halves, receive_plain, socket_pair};
pub use names::{QueryId, RequestId, WallReport, WallState, WorkerId, WorkerRole};
pub use rights::{receive_with, send_part};
pub use to_worker::{CpuPlace, Handed, Steering, ToWorker, WorkerUser};
pub use turns::{QUESTIONS_MAX, Turns};
