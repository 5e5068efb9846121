//! Standard output of a process that has none of its own: rows go over a socket to the process that started it, which writes them.
//!
//! The descriptor itself is not handed over. Whoever holds a terminal's could read what is typed there, a file's could be cut short,
//! and `O_NONBLOCK` set on it would hold for everybody who shares it. Over the socket the other process sees bytes and marks:
//! rows count as written when it says that they are, and a process that is killed leaves no part of a batch behind.

use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::event::{PollFd, PollFlags, poll};

use crate::standard_output::{Cancel, LOOK_EVERY, StandardOutput, cancelled};

/// Four bytes before each piece: its length, or one of these.
const MARK: u32 = 0;
const BEGIN: u32 = u32::MAX;

/// The longest piece.
const PIECE_BYTES_MAX: usize = 64 << 10;

/// Bytes of a batch that wait for its mark. What is longer is written as it comes.
const HELD_BYTES_MAX: usize = 1 << 20;

/// The way to a standard output that another process writes to. Empty until it is handed over. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct HandedOutput(Arc<OnceLock<Line>>);

#[derive(Debug)]
struct Line {
    socket: UnixStream,
    state: Mutex<State>,
}

/// What an earlier sink has left undone on the socket.
#[derive(Debug, Default)]
struct State {
    // The rest of a piece that was begun.
    unsent: Vec<u8>,
    // Marks that are not answered.
    owed: u32,
}

impl PartialEq for HandedOutput {
    fn eq(&self, other: &HandedOutput) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for HandedOutput {}

impl HandedOutput {
    /// Takes the socket, one end of [`HandedOutput::pair`]. Only the first one counts.
    ///
    /// # Errors
    ///
    /// The socket cannot be made non-blocking.
    pub fn hand(&self, socket: OwnedFd) -> io::Result<()> {
        let socket = UnixStream::from(socket);
        socket.set_nonblocking(true)?;
        self.0.set(Line { socket, state: Mutex::default() }).ok();
        Ok(())
    }

    /// The two ends: for the process that writes to its standard output ([`serve_output`]), and for the one that hands rows over.
    ///
    /// # Errors
    ///
    /// No descriptors are left.
    pub fn pair() -> io::Result<(UnixStream, OwnedFd)> {
        let (ours, theirs) = UnixStream::pair()?;
        Ok((ours, theirs.into()))
    }

    pub(crate) fn open(&self) -> io::Result<(HandedWriter, Cancel)> {
        if self.0.get().is_none() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "no standard output was handed over"));
        }
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let writer = HandedWriter { line: Arc::clone(&self.0), cancelled: Arc::clone(&is_cancelled), is_begun: false };
        Ok((writer, Cancel::new(is_cancelled)))
    }
}

/// Sends rows. A flush returns when the other process has written them.
pub(crate) struct HandedWriter {
    line: Arc<OnceLock<Line>>,
    cancelled: Arc<AtomicBool>,
    is_begun: bool,
}

impl HandedWriter {
    fn line(&self) -> io::Result<(&UnixStream, MutexGuard<'_, State>)> {
        let line = self.line.get().ok_or(io::ErrorKind::NotFound)?;
        // Every change leaves it whole.
        Ok((&line.socket, line.state.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Finishes what an earlier sink began, and has the other process forget the rows that it had not marked.
    fn begin(&mut self) -> io::Result<()> {
        if self.is_begun {
            return Ok(());
        }
        let (socket, mut state) = self.line()?;
        state.unsent.extend_from_slice(&BEGIN.to_le_bytes());
        self.send(socket, &mut state)?;
        while state.owed > 0 {
            self.answer(socket)?;
            state.owed = state.owed.saturating_sub(1);
        }
        drop(state);
        self.is_begun = true;
        Ok(())
    }

    fn send(&self, mut socket: &UnixStream, state: &mut State) -> io::Result<()> {
        while !state.unsent.is_empty() {
            match socket.write(&state.unsent) {
                Ok(sent) => drop(state.unsent.drain(..sent)),
                Err(error) => self.wait(socket, PollFlags::OUT, error)?,
            }
        }
        Ok(())
    }

    /// The answer to a mark: the number of an error, or 0.
    fn answer(&self, mut socket: &UnixStream) -> io::Result<i32> {
        let mut answer = [0; 4];
        loop {
            // The other side writes the four bytes at once, and a stream socket takes them as a whole.
            match socket.read(&mut answer) {
                Ok(4) => return Ok(i32::from_le_bytes(answer)),
                Ok(_) => return Err(io::ErrorKind::BrokenPipe.into()),
                Err(error) => self.wait(socket, PollFlags::IN, error)?,
            }
        }
    }

    /// Waits until the socket is ready, or writing is cancelled.
    fn wait(&self, socket: &UnixStream, flags: PollFlags, error: io::Error) -> io::Result<()> {
        match error.kind() {
            io::ErrorKind::Interrupted => return Ok(()),
            io::ErrorKind::WouldBlock => {}
            _ => return Err(error),
        }
        loop {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(cancelled());
            }
            match poll(&mut [PollFd::new(socket, flags)], Some(&LOOK_EVERY)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Write for HandedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = bytes.get(..PIECE_BYTES_MAX).unwrap_or(bytes);
        if piece.is_empty() {
            return Ok(0);
        }
        self.begin()?;
        let (socket, mut state) = self.line()?;
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        state.unsent.extend_from_slice(&length.to_le_bytes());
        state.unsent.extend_from_slice(piece);
        self.send(socket, &mut state)?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.begin()?;
        let (socket, mut state) = self.line()?;
        state.unsent.extend_from_slice(&MARK.to_le_bytes());
        state.owed = state.owed.saturating_add(1);
        self.send(socket, &mut state)?;
        let answer = self.answer(socket)?;
        state.owed = state.owed.saturating_sub(1);
        if answer == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(answer)) }
    }
}

/// Writes what comes over this socket to the standard output of this process, until the other side closes it. Whatever comes, no more
/// than 1 MiB waits here. Waits for a reader that does not read, and so the other process does.
///
/// # Errors
///
/// The standard output cannot be used at all: it is closed.
pub fn serve_output(socket: UnixStream) -> io::Result<()> {
    // Never called off: the process does not wait for it at its end.
    let (output, _cancel) = StandardOutput::open()?;
    serve(socket, output);
    Ok(())
}

fn serve(mut socket: UnixStream, mut output: impl Write) {
    let (mut held, mut failed) = (Vec::new(), 0_i32);
    let mut write = |held: &mut Vec<u8>| {
        if failed == 0
            && let Err(error) = output.write_all(held).and_then(|()| output.flush())
        {
            // After an error nothing more is written: rows behind a gap would look whole.
            failed = error.raw_os_error().filter(|code| *code > 0).unwrap_or(EIO);
        }
        held.clear();
        failed
    };
    let mut length = [0; 4];
    loop {
        // What ends the connection ends this; rows without a mark are dropped with it.
        if socket.read_exact(&mut length).is_err() {
            return;
        }
        match u32::from_le_bytes(length) {
            BEGIN => held.clear(),
            MARK => {
                let answer = write(&mut held);
                if socket.write_all(&answer.to_le_bytes()).is_err() {
                    return;
                }
            }
            length => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                // Nobody sends longer ones but a process that was taken over.
                if length > PIECE_BYTES_MAX {
                    return;
                }
                let before = held.len();
                held.resize(before.saturating_add(length), 0);
                let Some(room) = held.get_mut(before..) else { return };
                if socket.read_exact(room).is_err() {
                    return;
                }
                if held.len() >= HELD_BYTES_MAX {
                    write(&mut held);
                }
            }
        }
    }
}

/// An error without a number of the system.
const EIO: i32 = 5;

#[cfg(test)]
mod tests {
    use std::thread::JoinHandle;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(rustix::io::Errno::PIPE.raw_os_error()))
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn served(output: impl Write + Send + 'static) -> (HandedOutput, JoinHandle<()>) {
        let (ours, theirs) = HandedOutput::pair().unwrap();
        let handed = HandedOutput::default();
        handed.hand(theirs).unwrap();
        (handed, std::thread::spawn(move || serve(ours, output)))
    }

    #[test]
    fn rows_are_written_when_a_flush_returns_and_not_in_part() {
        let kept = Kept::default();
        let (handed, served) = served(kept.clone());
        let (mut writer, _cancel) = handed.open().unwrap();
        writer.write_all(b"one\n").unwrap();
        writer.flush().unwrap();
        assert_eq!(kept.text(), "one\n");
        writer.write_all(b"tw").unwrap();
        // Another sink of the same query: what the first one did not finish is forgotten.
        let (mut next, _cancel) = handed.open().unwrap();
        next.write_all(b"three\n").unwrap();
        next.flush().unwrap();
        assert_eq!(kept.text(), "one\nthree\n");
        next.write_all(b"four, of a process that is killed").unwrap();
        drop((writer, next, handed));
        served.join().unwrap();
        assert_eq!(kept.text(), "one\nthree\n");
    }

    #[test]
    fn a_reader_that_goes_away_is_told_to_whoever_hands_rows_over() {
        let (handed, _served) = served(Full);
        let (mut writer, _cancel) = handed.open().unwrap();
        writer.write_all(b"one\n").unwrap();
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::BrokenPipe, "and so are all later ones");
    }

    #[test]
    fn a_write_that_nobody_reads_can_be_called_off_and_the_next_sink_goes_on() {
        let (ours, theirs) = HandedOutput::pair().unwrap();
        let handed = HandedOutput::default();
        handed.hand(theirs).unwrap();
        let (mut writer, cancel) = handed.open().unwrap();
        let writes = std::thread::spawn(move || writer.write_all(&[b'x'; 4 << 20]));
        poll(&mut [PollFd::new(&ours, PollFlags::IN)], None).unwrap();
        drop(cancel);
        let error = writes.join().unwrap().unwrap_err();
        assert!(error.to_string().contains("cancelled"), "{error}");
        // The piece that was cut off is finished before anything else, and is of no batch.
        let kept = Kept::default();
        let output = kept.clone();
        let served = std::thread::spawn(move || serve(ours, output));
        let (mut next, _cancel) = handed.open().unwrap();
        next.write_all(b"whole\n").unwrap();
        next.flush().unwrap();
        assert!(kept.text().ends_with("whole\n") && !kept.text().contains("xw"), "{}", kept.text().len());
        drop((next, handed));
        served.join().unwrap();
    }

    #[test]
    fn garbage_ends_the_connection_and_takes_no_memory() {
        for garbage in [&[0xff, 0xff, 0xff, 0x7f, 1][..], &[1, 0, 1, 0, 1]] {
            let kept = Kept::default();
            let (ours, theirs) = HandedOutput::pair().unwrap();
            let mut theirs = UnixStream::from(theirs);
            theirs.write_all(garbage).unwrap();
            serve(ours, kept.clone());
            assert_eq!(kept.text(), "");
        }
        assert!(HandedOutput::default().open().is_err(), "nothing was handed over");
    }
}
