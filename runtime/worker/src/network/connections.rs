//! Connections that this process asks its supervisor for.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, Instant};

use weir_frame::{FromWorker, RequestId};

use crate::numbers::Numbers;
use crate::socket::Sender;

/// Questions for connections at once. The connector works on as many for a tenant, and the supervisor keeps 64 questions of all kinds.
const AT_ONCE_MAX: usize = 16;

/// The longest that a caller waits, for its turn and its answer together. The connector gives up after 12 s, and a connector that is
/// started again makes it wait 5 s more.
const WAIT: Duration = Duration::from_secs(20);

/// How often the log says that the same host was refused.
const SAID_EVERY: Duration = Duration::from_secs(60);

/// Hosts whose refusals are remembered.
const SAID_MAX: usize = 256;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NotConnected {
    /// As in [`ConnectRefused`](weir_frame::ToWorker::ConnectRefused).
    pub(crate) code: String,
    /// What is wrong, and what to do.
    pub(crate) text: String,
}

impl NotConnected {
    /// Whether the tenant may not reach the host: the operator has to change something.
    pub(crate) fn is_denied(&self) -> bool {
        self.code == "denied"
    }

    /// The error that the caller of connect(2) gets.
    pub(crate) fn errno(&self) -> i32 {
        match self.code.as_str() {
            "denied" => libc::EACCES,
            "not_found" => libc::EHOSTUNREACH,
            "timed_out" => libc::ETIMEDOUT,
            "too_many" => libc::EAGAIN,
            _ => libc::ECONNREFUSED,
        }
    }
}

/// Asks for connections. Clones share everything.
#[derive(Clone)]
pub(crate) struct Connections(Arc<Shared>);

struct Shared {
    sender: Sender,
    numbers: Numbers,
    state: Mutex<State>,
    seat_free: Condvar,
}

#[derive(Default)]
struct State {
    at_once: usize,
    waiting: HashMap<RequestId, mpsc::Sender<Result<OwnedFd, NotConnected>>>,
    said: HashMap<(String, u16), Instant>,
}

impl Connections {
    pub(crate) fn new(sender: Sender, numbers: Numbers) -> Connections {
        Connections(Arc::new(Shared { sender, numbers, state: Mutex::default(), seat_free: Condvar::new() }))
    }

    /// A connected socket. Waits 20 s at most.
    pub(crate) fn connect(&self, host: &str, port: u16) -> Result<OwnedFd, NotConnected> {
        let until = Instant::now() + WAIT;
        let seat = Seat::take(&self.0, until).ok_or_else(timed_out)?;
        let (send, answer) = mpsc::channel();
        let asked = self.0.numbers.next(|request| {
            self.0.state().waiting.insert(request, send);
            let question = FromWorker::Connect { request, host: host.to_owned(), port };
            self.0.sender.send(&question, &[]).map(|()| request)
        });
        let answered = match asked {
            Ok(request) => {
                let answered = answer.recv_timeout(until.saturating_duration_since(Instant::now()));
                self.0.state().waiting.remove(&request);
                answered.unwrap_or_else(|_| Err(timed_out()))
            }
            // This process ends: its supervisor is gone.
            Err(error) => Err(NotConnected { code: "unavailable".to_owned(), text: error.to_string() }),
        };
        drop(seat);
        answered
    }

    /// As [`connect`](Self::connect), for callers that learn nothing but an error's number: the log says what was refused, and why.
    pub(crate) fn connect_for_library(&self, host: &str, port: u16) -> io::Result<OwnedFd> {
        self.connect(host, port).map_err(|refused| {
            if refused.is_denied() && self.0.is_news(host, port) {
                tracing::warn!("{}", refused.text);
            }
            io::Error::from_raw_os_error(refused.errno())
        })
    }

    /// Takes the supervisor's answer. One that comes too late is dropped, and its socket closed.
    pub(crate) fn answer(&self, request: RequestId, answer: Result<OwnedFd, NotConnected>) {
        if let Some(asked) = self.0.state().waiting.remove(&request) {
            asked.send(answer).ok();
        }
    }
}

fn timed_out() -> NotConnected {
    let text = format!("no connection within {} s", WAIT.as_secs());
    NotConnected { code: "timed_out".to_owned(), text }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one insertion, removal or number.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_news(&self, host: &str, port: u16) -> bool {
        let now = Instant::now();
        let mut state = self.state();
        if state.said.len() >= SAID_MAX {
            state.said.retain(|_, at| now.saturating_duration_since(*at) < SAID_EVERY);
        }
        let host = (host.to_owned(), port);
        let is_new = state.said.get(&host).is_none_or(|at| now.saturating_duration_since(*at) >= SAID_EVERY);
        if is_new && state.said.len() < SAID_MAX {
            state.said.insert(host, now);
            return true;
        }
        false
    }
}

/// One of the questions at once; counts until it is dropped.
struct Seat<'a>(&'a Shared);

impl Seat<'_> {
    fn take(shared: &Shared, until: Instant) -> Option<Seat<'_>> {
        let mut state = shared.state();
        while state.at_once >= AT_ONCE_MAX {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = shared.seat_free.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.at_once += 1;
        Some(Seat(shared))
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.state().at_once -= 1;
        self.0.seat_free.notify_one();
    }
}
