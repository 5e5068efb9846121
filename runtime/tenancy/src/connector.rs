//! The connector: the only process that resolves names and makes sockets. It hands each socket to the supervisor, connected,
//! and speaks no protocol over it.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_frame::{FrameSender, FromWorker, RequestId, ToWorker, VERSION, WallReport, WorkerRole, from_standard_input};

use crate::address::{Kind, Networks};
use crate::take_place;

/// Time to resolve a name, and to connect to one address.
const STEP: Duration = Duration::from_secs(5);
/// Time for all addresses of a name.
const ALL: Duration = Duration::from_secs(12);
/// Addresses of a name that are tried.
const ADDRESSES_MAX: usize = 4;
/// Questions at once, of all tenants and of one. A resolver that does not answer holds a thread for half a minute.
const AT_ONCE_MAX: usize = 256;
const AT_ONCE_OF_TENANT_MAX: usize = 16;

/// Runs as the connector until the supervisor is gone. `confine` is called once, before anything is resolved, with the frame
/// `Welcome` and its descriptors, and says which walls hold.
///
/// # Errors
///
/// Of the socket to the supervisor, and of `confine`.
pub fn connector_main(confine: impl FnOnce(&ToWorker, Vec<OwnedFd>) -> io::Result<Vec<WallReport>>) -> io::Result<()> {
    let (sender, mut receiver) = from_standard_input::<FromWorker, ToWorker>()?;
    let Some((welcome, handed)) = receiver.receive().map_err(io::Error::other)? else { return Ok(()) };
    let ToWorker::Welcome { version, role: WorkerRole::Connector, cpu, .. } = &welcome else {
        return Err(io::Error::other("the first frame is no Welcome of a connector"));
    };
    if *version != VERSION {
        return Err(io::Error::other(format!("frames of version {version}: expected version {VERSION}")));
    }
    take_place(cpu)?;
    let walls = confine(&welcome, handed)?;
    let hello = FromWorker::Hello { version: VERSION, role: WorkerRole::Connector, walls };
    sender.send(&hello, &[]).map_err(io::Error::other)?;
    let at_work = AtWork::default();
    while let Some((frame, _)) = receiver.receive().map_err(io::Error::other)? {
        match frame {
            ToWorker::Reach { request, tenant, host, port, allowed } => {
                at_work.answer(&sender, Question { request, tenant, host, port, allowed });
            }
            ToWorker::End { .. } => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}

struct Question {
    request: RequestId,
    tenant: String,
    host: String,
    port: u16,
    allowed: Vec<String>,
}

/// Why no connection was made: a code and a text.
type NotReached = (&'static str, String);

/// The threads at work for each tenant.
#[derive(Clone, Default)]
struct AtWork(Arc<Mutex<HashMap<String, usize>>>);

/// One of them; counts until it is dropped.
struct Seat {
    all: AtWork,
    tenant: String,
}

impl AtWork {
    fn seat(&self, tenant: String) -> Option<Seat> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_tenant = all.get(&tenant).copied().unwrap_or(0);
        if all.values().sum::<usize>() >= AT_ONCE_MAX || of_tenant >= AT_ONCE_OF_TENANT_MAX {
            return None;
        }
        *all.entry(tenant.clone()).or_default() += 1;
        drop(all);
        Some(Seat { all: self.clone(), tenant })
    }

    /// Answers in a thread of its own, or at once where there are too many.
    fn answer(&self, sender: &FrameSender<FromWorker>, question: Question) {
        let request = question.request;
        let refuse = move |sender: &FrameSender<FromWorker>, (code, text): NotReached| {
            // A supervisor that is gone ends this process by the end of its socket.
            drop(sender.send(&FromWorker::NotReached { request, code: code.to_owned(), text }, &[]));
        };
        let too_many = || ("too_many", "too many connections are being made; try again later".to_owned());
        let Some(seat) = self.seat(question.tenant.clone()) else { return refuse(sender, too_many()) };
        let to = sender.clone();
        let thread = std::thread::Builder::new().name("connect".to_owned()).stack_size(256 << 10);
        let spawned = thread.spawn(move || match connect(question, seat) {
            Ok(socket) => drop(to.send(&FromWorker::Reached { request }, &[socket.as_fd()])),
            Err(reason) => refuse(&to, reason),
        });
        if spawned.is_err() {
            refuse(sender, too_many());
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut all = self.all.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.tenant) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.tenant);
            }
        }
    }
}

/// The seat is kept until the socket is connected, or by the resolver that was given up.
fn connect(question: Question, seat: Seat) -> Result<TcpStream, NotReached> {
    let Question { tenant, host, port, allowed, .. } = question;
    let shown = weir_text::escape_to(&host, 100);
    let networks = Networks::parse(&allowed).map_err(|text| {
        let text = weir_text::escape_to(text, 60);
        ("denied", format!("tenant `{tenant}` reaches nothing: {text} in its `networks` is not a network"))
    })?;
    let (addresses, _seat) = resolve(host.clone(), port, seat)?;
    if addresses.is_empty() {
        return Err(("not_found", format!("{shown} has no address")));
    }
    let until = Instant::now() + ALL;
    let mut last: NotReached = ("unreachable", format!("{shown}: no address was tried"));
    let mut was_tried = false;
    for address in addresses.into_iter().take(ADDRESSES_MAX) {
        // What was checked is what is connected to: the name is not resolved again.
        if let Some(kind) = networks.denied(address.ip()) {
            // An answer of the network counts more than a refusal of another address of the same name.
            if !was_tried {
                last = ("denied", refusal(&tenant, &host, port, address.ip(), kind, &allowed));
            }
            continue;
        }
        was_tried = true;
        let left = STEP.min(until.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => return Ok(socket),
            Err(error) => {
                let code = if error.kind() == io::ErrorKind::TimedOut { "timed_out" } else { "unreachable" };
                last = (code, format!("{shown} ({address}): {error}"));
            }
        }
    }
    Err(last)
}

/// Names the tenant, the host, and what the operator has to write to allow it.
fn refusal(tenant: &str, host: &str, port: u16, address: IpAddr, kind: Kind, allowed: &[String]) -> String {
    let shown = weir_text::escape_to(host, 100);
    let is_itself = host.parse() == Ok(address);
    let is = if is_itself { kind.to_string() } else { format!("{address}, {kind}") };
    let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
    let allowed = weir_text::escape_to(&allowed, 150);
    let add = if kind == Kind::Public { "public".to_owned() } else { address.to_canonical().to_string() };
    format!(
        "tenant `{tenant}` may not reach {shown}:{port}, which is {is} (its networks: {allowed}); to allow it, add \"{add}\" to `networks` of the tenant in the limits file"
    )
}

/// The addresses of a name. The system's resolver cannot be interrupted: one that takes too long keeps its thread, and its tenant's
/// seat, until it gives up.
fn resolve(host: String, port: u16, seat: Seat) -> Result<(Vec<SocketAddr>, Seat), NotReached> {
    let shown = weir_text::escape_to(&host, 100);
    if host.is_empty() || host.len() > 253 || host.contains(|c: char| c.is_control() || c.is_whitespace()) {
        return Err(("not_found", format!("{shown} is no name of a host")));
    }
    let (answer, answered) = channel();
    let thread = std::thread::Builder::new().name("resolve".to_owned()).stack_size(512 << 10);
    let spawned = thread.spawn(move || {
        let addresses = (host.as_str(), port).to_socket_addrs();
        // Nobody waits any more where it took too long: the seat is free then.
        drop(answer.send(addresses.map(|all| (all.take(ADDRESSES_MAX * 4).collect(), seat))));
    });
    if spawned.is_err() {
        return Err(("too_many", "too many names are being resolved; try again later".to_owned()));
    }
    match answered.recv_timeout(STEP) {
        Ok(Ok(resolved)) => Ok(resolved),
        Ok(Err(error)) => Err(("not_found", format!("{shown} cannot be resolved: {error}"))),
        Err(_) => Err(("timed_out", format!("{shown} was not resolved within {} s", STEP.as_secs()))),
    }
}
