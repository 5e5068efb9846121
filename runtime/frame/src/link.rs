//! The sockets between a supervisor and its processes.
//!
//! Three ways of reading are kept apart: a supervisor reads frames of workers without room for descriptors, so that the kernel
//! drops those that a worker sends; a process reads frames of its supervisor with them; and a supervisor reads its connector's
//! with them, because that is how sockets come.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::frame::{Framed, encode};
use crate::rights::{receive_with, send_part};
use crate::{FrameError, Frames};

/// A piece of what is read at once.
const PIECE_BYTES: usize = 64 << 10;

/// Two connected sockets: the supervisor's, which does not block, and the process's, which becomes its descriptor 0.
///
/// # Errors
///
/// No descriptors are left.
pub fn socket_pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((ours, theirs))
}

/// Reads bytes, without room for descriptors: the kernel drops those that were sent with them.
///
/// # Errors
///
/// Of the system: `WouldBlock` where nothing is there and the socket does not block.
pub fn receive_plain(mut socket: &UnixStream, into: &mut [u8]) -> io::Result<usize> {
    // read(2) of a socket has no room for control messages.
    socket.read(into)
}

/// The sending half of a process's socket. Clones share it; each frame is sent as a whole.
#[derive(Debug)]
pub struct FrameSender<F> {
    socket: Arc<UnixStream>,
    // Held while a frame is sent.
    turn: Arc<Mutex<()>>,
    frames: PhantomData<fn(F)>,
}

impl<F> Clone for FrameSender<F> {
    fn clone(&self) -> Self {
        FrameSender { socket: Arc::clone(&self.socket), turn: Arc::clone(&self.turn), frames: PhantomData }
    }
}

impl<F: Framed> FrameSender<F> {
    /// Sends a frame, and waits until the other side has room.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLong`], and those of the system: `BrokenPipe` where the other side has gone.
    pub fn send(&self, frame: &F, descriptors: &[BorrowedFd<'_>]) -> Result<(), FrameError> {
        let bytes = encode(frame)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.write(&bytes, descriptors)
    }

    /// Sends a frame where that can be done at once, for what may be lost: lines of a log, progress. Says whether it was sent.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    pub fn try_send(&self, frame: &F) -> Result<bool, FrameError> {
        let bytes = encode(frame)?;
        let Ok(_turn) = self.turn.try_lock() else { return Ok(false) };
        // A stream socket has room where at most a quarter of its buffer is taken (`unix_writable` of Linux): that is more
        // than a frame of a line has.
        let ready = poll(&mut [PollFd::new(&*self.socket, PollFlags::OUT)], Some(&Timespec::default()));
        if ready.map_err(io::Error::from)? == 0 {
            return Ok(false);
        }
        self.write(&bytes, &[]).map(|()| true)
    }

    fn write(&self, bytes: &[u8], mut descriptors: &[BorrowedFd<'_>]) -> Result<(), FrameError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match send_part(&self.socket, rest, descriptors) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(sent) => {
                    descriptors = &[];
                    rest = rest.get(sent..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// The receiving half of a process's socket.
#[derive(Debug)]
pub struct FrameReceiver<F> {
    socket: Arc<UnixStream>,
    frames: Frames<F>,
    descriptors: VecDeque<OwnedFd>,
    piece: Vec<u8>,
}

impl<F: Framed> FrameReceiver<F> {
    /// Waits for a frame, and gives it with its descriptors. `None` where the supervisor closed the socket: the process has to end.
    ///
    /// # Errors
    ///
    /// All of [`FrameError`] but those about the turn.
    pub fn receive(&mut self) -> Result<Option<(F, Vec<OwnedFd>)>, FrameError> {
        loop {
            if let Some(frame) = self.frames.next_frame()? {
                let expected = frame.descriptors();
                let found = self.descriptors.len();
                if found < expected {
                    return Err(FrameError::Descriptors { kind: "with descriptors", expected, found });
                }
                return Ok(Some((frame, self.descriptors.drain(..expected).collect())));
            }
            match receive_with(&self.socket, &mut self.piece, &mut self.descriptors) {
                Ok(0) => return self.frames.end().map(|()| None),
                Ok(read) => self.frames.extend(self.piece.get(..read).unwrap_or_default()),
                // It was closed with frames in it that nobody had read.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The socket, to be waited on.
    pub fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Both halves of a process's end of its socket.
pub fn halves<Out: Framed, In: Framed>(socket: UnixStream) -> (FrameSender<Out>, FrameReceiver<In>) {
    let socket = Arc::new(socket);
    let sender = FrameSender { socket: Arc::clone(&socket), turn: Arc::default(), frames: PhantomData };
    let receiver =
        FrameReceiver { socket, frames: Frames::default(), descriptors: VecDeque::new(), piece: vec![0; PIECE_BYTES] };
    (sender, receiver)
}

/// Both halves of the socket that is this process's descriptor 0, as a supervisor starts its processes.
///
/// # Errors
///
/// There is no descriptor 0, or none is left.
pub fn from_standard_input<Out: Framed, In: Framed>() -> io::Result<(FrameSender<Out>, FrameReceiver<In>)> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    Ok(halves(UnixStream::from(socket)))
}
