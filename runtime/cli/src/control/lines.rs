//! Lines on a socket, bounded in length and time.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// A connection that speaks in lines. Holds one line at most, and what came with its end.
pub(crate) struct Lines {
    stream: UnixStream,
    buffer: Vec<u8>,
    line_bytes_max: usize,
}

/// What became of waiting for a line.
#[derive(Debug)]
pub(crate) enum Came {
    /// The line, without its end.
    Line(Vec<u8>),
    /// The other side has gone, or says no more; half a line is none.
    Gone,
    /// The time is up.
    Late,
    /// It is longer than a line may be.
    TooLong,
}

/// What became of waiting for anything at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    Something,
    Gone,
    Late,
}

impl Lines {
    pub(crate) fn new(stream: UnixStream, line_bytes_max: usize) -> Lines {
        Lines { stream, buffer: Vec::new(), line_bytes_max }
    }

    /// Waits for the whole of a line: one that comes byte by byte has no more time than another.
    pub(crate) fn next(&mut self, deadline: Instant) -> io::Result<Came> {
        let mut searched = 0;
        loop {
            let end = self.buffer.iter().skip(searched).position(|&byte| byte == b'\n').map(|at| searched + at);
            if end.unwrap_or(self.buffer.len()) > self.line_bytes_max {
                return Ok(Came::TooLong);
            }
            if let Some(end) = end {
                let rest = self.buffer.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffer, rest);
                line.pop();
                return Ok(Came::Line(line));
            }
            searched = self.buffer.len();
            match self.fill(deadline)? {
                Filled::Something => {}
                Filled::Gone => return Ok(Came::Gone),
                Filled::Late => return Ok(Came::Late),
            }
        }
    }

    /// Waits for a part of the next line. One that says more than a line meanwhile is gone for us.
    pub(crate) fn fill(&mut self, deadline: Instant) -> io::Result<Filled> {
        let mut chunk = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Filled::Late);
            }
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            match self.stream.read(&mut chunk) {
                Ok(0) => return Ok(Filled::Gone),
                Ok(read) if self.buffer.len() <= self.line_bytes_max => {
                    self.buffer.extend_from_slice(chunk.get(..read).unwrap_or_default());
                    return Ok(Filled::Something);
                }
                Ok(_) => return Ok(Filled::Gone),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => return Ok(Filled::Late),
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => return Ok(Filled::Gone),
                    _ => return Err(error),
                },
            }
        }
    }

    /// Writes a line, this long at most, however slowly the other side reads.
    pub(crate) fn send(&mut self, line: &[u8], deadline: Instant) -> io::Result<()> {
        for mut part in [line, b"\n"] {
            while !part.is_empty() {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                self.stream.set_write_timeout(Some(left.max(Duration::from_millis(1))))?;
                match self.stream.write(part) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => part = part.get(written..).unwrap_or_default(),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(line_bytes_max: usize) -> (UnixStream, Lines) {
        let (there, here) = UnixStream::pair().expect("a pair of sockets");
        (there, Lines::new(here, line_bytes_max))
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(30)
    }

    #[test]
    fn lines_come_whole_or_not_at_all() {
        let (mut there, mut lines) = pair(8);
        there.write_all(b"one\n\ntwo\nhal").expect("bytes");
        for expected in ["one", "", "two"] {
            assert!(matches!(lines.next(soon()), Ok(Came::Line(line)) if line == expected.as_bytes()));
        }
        assert!(matches!(lines.next(soon()), Ok(Came::Late)));
        there.write_all(b"f\nrest").expect("bytes");
        assert!(matches!(lines.next(soon()), Ok(Came::Line(line)) if line == b"half"));
        drop(there);
        assert!(matches!(lines.next(soon()), Ok(Came::Gone)));
    }

    #[test]
    fn a_line_of_the_most_bytes_is_one_and_a_longer_one_is_not() {
        for (length, fits) in [(8, true), (9, false), (100_000, false)] {
            let (mut there, mut lines) = pair(8);
            let writes = std::thread::spawn(move || {
                drop(there.write_all(&vec![b'x'; length]));
                drop(there.write_all(b"\n"));
            });
            let came = lines.next(Instant::now() + Duration::from_secs(10)).expect("an answer");
            assert_eq!(matches!(came, Came::Line(_)), fits, "{length}");
            assert_eq!(matches!(came, Came::TooLong), !fits, "{length}");
            drop(lines);
            writes.join().expect("the writer");
        }
    }

    #[test]
    fn who_reads_nothing_is_not_waited_for() {
        let (_there, mut lines) = pair(8);
        assert!(lines.send(&vec![0; 16 * 1024 * 1024], soon()).is_err());
    }
}
