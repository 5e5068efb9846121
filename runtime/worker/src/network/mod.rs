//! The network of a process that cannot make a socket.
//!
//! Libraries (librdkafka, Rust's standard library, mio) call `getaddrinfo`, `socket` and `connect` of the C library. The program
//! defines these functions itself (`calls.rs`), and the static linker takes its definitions for every library in the program. In an
//! ordinary process they do what the C library's do. In a worker:
//!
//! - `getaddrinfo` resolves nothing: it gives a stand-in address for each name ([`Names`]). An address as text is itself.
//! - `socket` gives a placeholder, which keeps the options that are set on it ([`Placeholders`]).
//! - `connect` asks the connector for the name and port that the address stands for ([`Connections`]), waits, and puts the connected
//!   socket in the placeholder's place. It waits also where the placeholder does not block: a connection is there or refused when it
//!   returns. The connector resolves, checks and connects, so no address is reached that was not checked.

#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod calls;
mod connections;
mod names;
mod placeholders;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::OnceLock;

pub(crate) use self::connections::{Connections, NotConnected};
use self::names::Names;
use self::placeholders::Placeholders;

/// Connects to a name, or an address as text, and a port. Returns within a bounded time.
type Connect = Box<dyn Fn(&str, u16) -> io::Result<OwnedFd> + Send + Sync>;

/// What the calls use once this process is a worker.
struct Network {
    names: Names,
    placeholders: Placeholders,
    connect: Connect,
}

static NETWORK: OnceLock<Network> = OnceLock::new();

/// From now on every TCP connection of this process is made by `connect`. Once in the life of a process; a second call changes nothing.
pub(crate) fn connect_by(connect: impl Fn(&str, u16) -> io::Result<OwnedFd> + Send + Sync + 'static) {
    let network =
        Network { names: Names::default(), placeholders: Placeholders::default(), connect: Box::new(connect) };
    drop(NETWORK.set(network));
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests;
