//! Running queries, seen and steered from other processes of the same user.
//!
//! **`RuntimeFolder`**: where the sockets are, one a process. It is used only where nobody else can write to it: who
//! can reach a socket may stop what runs behind it.
//!
//! **[`Control`]**: the doors of a process, for as long as it runs queries: its socket, and an address where one was asked for.
//! `weir_admin` answers there.
//!
//! **[`Found`]**: a query of some process, as that process told of it.

mod ask_error;
mod client;
mod doors;
mod exchange;
mod folder;
mod seen;
mod table;

pub(crate) use client::{Everyone, Found, everyone, steer};
pub(crate) use doors::{Control, Doors, SocketFile};
pub(crate) use seen::{Seen, percent_read};
pub(crate) use table::{Align, clean, table};
