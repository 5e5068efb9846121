//! Bytes of a socket, as frames.

use std::marker::PhantomData;

use crate::frame::{FRAME_BYTES_MAX, Framed, LENGTH_BYTES, decode, length_of};
use crate::{FrameError, FromWorker, WorkerRole};

/// Takes bytes as they come, in pieces of any size, and gives the frames in them. Holds one frame and one piece at most:
/// the length of a frame is checked when its first eight bytes are there. After an error nothing more comes of it.
#[derive(Debug)]
pub struct Frames<F> {
    bytes: Vec<u8>,
    // Where the next frame begins.
    at: usize,
    is_broken: bool,
    // The longest frame, where it is less than that of its kind.
    bytes_max: usize,
    frames: PhantomData<fn() -> F>,
}

impl<F> Default for Frames<F> {
    fn default() -> Self {
        Frames { bytes: Vec::new(), at: 0, is_broken: false, bytes_max: FRAME_BYTES_MAX, frames: PhantomData }
    }
}

impl Frames<FromWorker> {
    /// Of a process of this role: what waits for the rest of its frame takes no more memory than the longest frame that the role sends.
    pub fn of(role: WorkerRole) -> Frames<FromWorker> {
        let bytes_max = match role {
            WorkerRole::Reader => FRAME_BYTES_MAX,
            WorkerRole::Tenant => 4 << 20,
            WorkerRole::Connector => 64 << 10,
        };
        Frames { bytes_max, ..Frames::default() }
    }
}

impl<F: Framed> Frames<F> {
    /// Adds what was read.
    pub fn extend(&mut self, piece: &[u8]) {
        if !self.is_broken {
            self.bytes.drain(..self.at);
            self.at = 0;
            self.bytes.extend_from_slice(piece);
        }
    }

    /// The next whole frame, or `None` until more is read.
    ///
    /// # Errors
    ///
    /// Every variant of [`FrameError`] that is about a frame by itself. The next call gives `None`.
    pub fn next_frame(&mut self) -> Result<Option<F>, FrameError> {
        let taken = self.take();
        if taken.is_err() {
            self.is_broken = true;
            self.bytes = Vec::new();
            self.at = 0;
        }
        taken
    }

    fn take(&mut self) -> Result<Option<F>, FrameError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let Some(length) = length_of::<F>(rest)? else { return Ok(None) };
        if length > self.bytes_max {
            return Err(FrameError::TooLong { kind: "of this role", bytes: length, bytes_max: self.bytes_max });
        }
        let end = LENGTH_BYTES.saturating_add(length);
        let Some(value) = rest.get(LENGTH_BYTES..end) else { return Ok(None) };
        let frame = decode(value)?;
        self.at = self.at.saturating_add(end);
        if self.at == self.bytes.len() {
            self.at = 0;
            // A long frame's memory is not kept for the short ones that follow.
            if self.bytes.capacity() > KEPT_BYTES {
                self.bytes = Vec::new();
            }
            self.bytes.clear();
        }
        Ok(Some(frame))
    }

    /// The bytes that wait for the rest of their frame.
    pub fn pending_bytes(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    /// What the end of the socket means here.
    ///
    /// # Errors
    ///
    /// [`FrameError::CutOff`] where it came in the middle of a frame.
    pub fn end(&self) -> Result<(), FrameError> {
        match self.pending_bytes() {
            0 => Ok(()),
            bytes => Err(FrameError::CutOff { bytes }),
        }
    }
}

const KEPT_BYTES: usize = 64 << 10;
