//! The socket of a process that runs queries.

use std::fs;
use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::board::Board;
use super::folder::{FolderError, RuntimeFolder};
use super::lines::{Came, Filled, Lines};
use super::protocol::{Ask, Code, Problem, REQUEST_BYTES_MAX, answer_line};

/// Clients at once: each has a thread.
const CONNECTIONS_MAX: usize = 16;

/// How long a client may take to say a whole line, and to read one.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// How often a query is looked at that somebody waits for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long the process stays to give the answers that it owes.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// Answers at the socket until it is dropped, which removes the socket.
pub(crate) struct Control {
    shared: Arc<Shared>,
    socket: Arc<SocketFile>,
    accepts: Option<JoinHandle<()>>,
}

/// The socket's name in the file system, removed once.
pub(crate) struct SocketFile(PathBuf);

impl SocketFile {
    /// Removes it; also where the process ends at once.
    pub(crate) fn remove(&self) {
        // It may be gone: then that is what was wanted.
        drop(fs::remove_file(&self.0));
    }
}

struct Shared {
    board: Arc<Board>,
    closing: AtomicBool,
    connections: AtomicUsize,
    // Requests that were read and not answered.
    owed: AtomicUsize,
}

/// One of a number that is counted while this lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Counted<'a> {
        count.fetch_add(1, Ordering::SeqCst);
        Counted(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Control {
    /// Opens the socket of this process.
    pub(crate) fn open(board: Arc<Board>) -> Result<Control, FolderError> {
        let (listener, path) = RuntimeFolder::make()?.listen()?;
        let socket = Arc::new(SocketFile(path.clone()));
        let (closing, connections, owed) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
        let shared = Arc::new(Shared { board, closing, connections, owed });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("control".to_owned());
        match thread.spawn(move || accept(&listener, &accepting)) {
            Ok(accepts) => Ok(Control { shared, socket, accepts: Some(accepts) }),
            Err(source) => {
                socket.remove();
                Err(FolderError::Io { action: "start a thread for", path, source })
            }
        }
    }

    /// The socket's name, for who may have to end the process at once.
    pub(crate) fn socket(&self) -> Arc<SocketFile> {
        Arc::clone(&self.socket)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        // The thread waits for a client: this is the last one. If it cannot come, the thread ends with the process.
        let woken = UnixStream::connect(&self.socket.0).is_ok();
        self.socket.remove();
        if let Some(accepts) = self.accepts.take().filter(|_| woken) {
            // It answers nobody: had it panicked, there would be nothing to be done about it here.
            drop(accepts.join());
        }
        let started = Instant::now();
        while self.shared.owed.load(Ordering::SeqCst) > 0 && started.elapsed() < FAREWELL_MAX {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn accept(listener: &UnixListener, shared: &Arc<Shared>) {
    loop {
        let stream = listener.accept();
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        match stream {
            Ok((stream, _)) => welcome(stream, shared),
            // Out of descriptors, for example: asking again at once would be a loop that takes a core.
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}

fn welcome(stream: UnixStream, shared: &Arc<Shared>) {
    // Only this thread adds to it.
    if shared.connections.load(Ordering::SeqCst) >= CONNECTIONS_MAX {
        let message = format!("{CONNECTIONS_MAX} clients talk to this process already");
        let line = answer_line(&Err(Problem::new(Code::Busy, message)));
        // It fits into the socket's buffer, or the client goes without.
        drop(Lines::new(stream, 0).send(&line, Instant::now() + LOOK_EVERY));
        return;
    }
    shared.connections.fetch_add(1, Ordering::SeqCst);
    let serving = Arc::clone(shared);
    let thread = std::thread::Builder::new().name("control-client".to_owned());
    let served = thread.spawn(move || {
        let counted = Connection(serving);
        if let Err(error) = serve(stream, &counted.0) {
            tracing::debug!("a client of the control socket: {error}");
        }
    });
    if served.is_err() {
        // The closure was dropped unrun, and so was nothing that counts.
        shared.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A connection that was counted when it was accepted.
struct Connection(Arc<Shared>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

fn serve(stream: UnixStream, shared: &Shared) -> io::Result<()> {
    let mut lines = Lines::new(stream, REQUEST_BYTES_MAX);
    loop {
        let line = match lines.next(Instant::now() + IDLE_MAX)? {
            Came::Line(line) => line,
            Came::Gone | Came::Late => return Ok(()),
            Came::TooLong => {
                let message = format!("a request has at most {REQUEST_BYTES_MAX} bytes");
                let line = answer_line(&Err(Problem::new(Code::RequestTooLong, message)));
                return lines.send(&line, Instant::now() + IDLE_MAX);
            }
        };
        let _owed = Counted::new(&shared.owed);
        let answer = Ask::from_line(&line).and_then(|ask| {
            shared.board.answer(&ask, || {
                // Waiting at the socket itself: a client that goes away ends the wait.
                let next = Instant::now() + LOOK_EVERY;
                let filled = lines.fill(next);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
                matches!(filled, Ok(Filled::Something | Filled::Late))
            })
        });
        lines.send(&answer_line(&answer), Instant::now() + IDLE_MAX)?;
    }
}
