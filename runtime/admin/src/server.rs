//! The server: sockets and connections.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use weir_query::Fault;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::Instant;

use crate::CLIENTS_MAX;
use crate::answer::answer;
use crate::board::Board;
use crate::guard::Via;
use crate::older;

/// The maximum number of clients at once by TCP; further clients wait.
const TCP_CLIENTS_MAX: usize = 32;

/// The maximum number of clients at once that get the error about too many clients; further ones get no response.
const BUSY_CLIENTS_MAX: usize = 16;

/// The time limits for a request's head: by TCP, where other clients wait, and by Unix socket.
const TCP_HEAD_MAX: Duration = Duration::from_secs(5);
const UNIX_HEAD_MAX: Duration = Duration::from_secs(10);

/// The time limit of a connection, without the time that the request asks to wait: it has one request and one response.
const CONNECTION_MAX: Duration = Duration::from_secs(30);

/// The maximum size of a request's head in bytes, and the maximum number of its headers.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;

/// How long dropping the server waits for unfinished responses.
const FAREWELL_MAX: Duration = Duration::from_secs(1);

/// How often the pace of queries is measured.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often, at least, where no input has a known size. Whoever asks for a report looks as well.
const LOOK_SELDOM: Duration = Duration::from_secs(60);

/// The number of threads that create responses.
const READERS_MAX: usize = 4;

/// An address at which clients connect.
#[derive(Debug)]
pub enum Door {
    /// A Unix socket. Anybody who can reach it may control queries; only this user can access its folder.
    Unix(StdUnixListener),
    /// A TCP address; see [`bind`].
    Tcp {
        /// The address.
        listener: StdTcpListener,
        /// Whether clients may control queries too.
        steering: bool,
    },
}

/// An address could not be bound: it is in use, or does not belong to this machine.
#[derive(Debug, thiserror::Error)]
#[error("cannot serve metrics at {address}: {source}")]
#[non_exhaustive]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// The error of the operating system.
    pub source: io::Error,
}

impl ListenError {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        Fault::External
    }

    /// Whether the same call may succeed later: an address in use may become free.
    pub fn retryable(&self) -> bool {
        self.source.kind() == io::ErrorKind::AddrInUse
    }
}

/// Binds an address. Returns the bound address, which has the actual port if port 0 was requested.
///
/// # Errors
///
/// The address cannot be bound.
pub fn bind(address: SocketAddr) -> Result<(StdTcpListener, SocketAddr), ListenError> {
    let bound = StdTcpListener::bind(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
    bound.map(|(address, listener)| (listener, address)).map_err(|source| ListenError { address, source })
}

/// The server, until it is dropped. Dropping it waits at most a second for unfinished responses.
#[derive(Debug)]
pub struct Admin {
    // Dropping this ends the thread.
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Admin {
    /// Serves these queries at these doors. It uses a thread of its own, so that it responds even while guests occupy all other
    /// threads.
    ///
    /// # Errors
    ///
    /// The thread cannot be started, or a door cannot be used.
    pub fn open(board: Arc<Board>, doors: Vec<Door>) -> io::Result<Admin> {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().thread_name("admin-reader").max_blocking_threads(READERS_MAX).build()?;
        let listening = {
            let _entered = runtime.enter();
            doors.into_iter().map(Listening::new).collect::<io::Result<Vec<_>>>()?
        };
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            let owed = Arc::new(AtomicUsize::new(0));
            runtime.block_on(async {
                let looking = tokio::spawn(look(Arc::clone(&board)));
                let accepting: Vec<_> = listening
                    .into_iter()
                    .map(|listening| tokio::spawn(listening.accept(Arc::clone(&board), Arc::clone(&owed))))
                    .chain([looking])
                    .collect();
                // Nothing is ever sent: the other end is dropped.
                let _dropped = stopped.await;
                accepting.iter().for_each(tokio::task::JoinHandle::abort);
                let paid = async {
                    while owed.load(Ordering::SeqCst) > 0 {
                        tokio::time::sleep(Duration::from_millis(2)).await;
                    }
                };
                // Clients without a response by then see the connection end.
                drop(tokio::time::timeout(FAREWELL_MAX, paid).await);
            });
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("admin".to_owned()).spawn(serve)?;
        Ok(Admin { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // If the thread panicked, nothing can be done about it here.
            drop(thread.join());
        }
    }
}

/// Updates the paces of the board's queries.
async fn look(board: Arc<Board>) {
    let mut pause = LOOK_EVERY;
    loop {
        // A stream has no pace. Its process is to sleep while nothing happens, and only looks whether that has changed.
        pause = if board.look() { LOOK_EVERY } else { pause.saturating_mul(2).min(LOOK_SELDOM) };
        tokio::time::sleep(pause).await;
    }
}

/// An open door.
enum Listening {
    Unix(UnixListener),
    Tcp(TcpListener, Via),
}

impl Listening {
    fn new(door: Door) -> io::Result<Listening> {
        Ok(match door {
            Door::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Listening::Unix(UnixListener::from_std(listener)?)
            }
            Door::Tcp { listener, steering } => {
                listener.set_nonblocking(true)?;
                let loopback = listener.local_addr()?.ip().to_canonical().is_loopback();
                Listening::Tcp(TcpListener::from_std(listener)?, Via::Tcp { steering, loopback })
            }
        })
    }

    async fn accept(self, board: Arc<Board>, owed: Arc<AtomicUsize>) {
        match self {
            Listening::Unix(listener) => accept_unix(&listener, &board, &owed).await,
            Listening::Tcp(listener, via) => accept_tcp(&listener, via, &board, &owed).await,
        }
    }
}

async fn accept_unix(listener: &UnixListener, board: &Arc<Board>, owed: &Arc<AtomicUsize>) {
    let (room, busy) = (Arc::new(Semaphore::new(CLIENTS_MAX)), Arc::new(Semaphore::new(BUSY_CLIENTS_MAX)));
    loop {
        let Some((stream, _)) = accepted(listener.accept().await).await else { continue };
        let place = match Arc::clone(&room).try_acquire_owned() {
            Ok(place) => Some((place, Via::Unix)),
            Err(_full) => Arc::clone(&busy).try_acquire_owned().ok().map(|place| (place, Via::UnixBusy)),
        };
        let Some((place, via)) = place else { continue };
        let (board, owed) = (Arc::clone(board), Arc::clone(owed));
        tokio::spawn(async move {
            greet(stream, via, &board, &owed).await;
            drop(place);
        });
    }
}

async fn accept_tcp(listener: &TcpListener, via: Via, board: &Arc<Board>, owed: &Arc<AtomicUsize>) {
    let room = Arc::new(Semaphore::new(TCP_CLIENTS_MAX));
    loop {
        // The semaphore is never closed, so this always succeeds.
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
        let Some((stream, _)) = accepted(listener.accept().await).await else { continue };
        let (board, owed) = (Arc::clone(board), Arc::clone(owed));
        tokio::spawn(async move {
            serve(stream, via, &board, &owed).await;
            drop(place);
        });
    }
}

async fn accepted<T>(accepted: io::Result<T>) -> Option<T> {
    match accepted {
        Ok(accepted) => Some(accepted),
        // For example, no file descriptors are left: retrying at once would occupy a core.
        Err(_) => {
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        }
    }
}

async fn greet(stream: UnixStream, via: Via, board: &Arc<Board>, owed: &Arc<AtomicUsize>) {
    match older::http(stream, UNIX_HEAD_MAX).await {
        Ok(Some(stream)) => serve(stream, via, board, owed).await,
        Ok(None) => {}
        Err(error) => tracing::debug!("a client of the control socket: {error}"),
    }
}

/// Counts a request from when it was read until its response is written.
struct Owed(Arc<AtomicUsize>);

impl Owed {
    fn new(owed: &Arc<AtomicUsize>) -> Owed {
        owed.fetch_add(1, Ordering::SeqCst);
        Owed(Arc::clone(owed))
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Serves one request.
async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, via: Via, board: &Arc<Board>, owed: &Arc<AtomicUsize>) {
    let (deadline, over) = watch::channel(Instant::now() + CONNECTION_MAX);
    let request = OnceLock::new();
    let service = service_fn(|asked| {
        request.get_or_init(|| Owed::new(owed));
        let extend = |by| deadline.send_modify(|deadline| *deadline += by);
        async move { Ok::<_, Infallible>(answer(board, via, asked, extend).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(if matches!(via, Via::Tcp { .. }) { TCP_HEAD_MAX } else { UNIX_HEAD_MAX })
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        // An idle client must not occupy a place.
        .keep_alive(false);
    tokio::select! {
        served = http.serve_connection(TokioIo::new(stream), service) => {
            if let Err(error) = served {
                tracing::debug!("a client of the admin interface: {error}");
            }
        }
        () = passed(over) => tracing::debug!("a client of the admin interface took too long"),
    }
}

/// Waits for a deadline that may be extended.
async fn passed(mut deadline: watch::Receiver<Instant>) {
    loop {
        let at = *deadline.borrow_and_update();
        tokio::select! {
            () = tokio::time::sleep_until(at) => return,
            // If nobody can extend it any more, the connection has ended.
            changed = deadline.changed() => if changed.is_err() { return },
        }
    }
}
