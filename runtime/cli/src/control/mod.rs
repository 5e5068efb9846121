//! Running queries, seen and steered from other processes of the same user.
//!
//! **`RuntimeFolder`**: where the sockets are, one a process. It is used only where nobody else can write to it: who
//! can reach a socket may stop what runs behind it.
//!
//! **[`Board`]**: what a process runs, and how it ended. It answers requests.
//!
//! **[`Control`]**: the socket of a process, for as long as that runs queries. It has threads of its own: it answers
//! also where the queries keep every thread of the runtime busy.
//!
//! **[`Found`]**: a query of some process, as that process told of it.

mod board;
mod client;
mod folder;
mod lines;
mod protocol;
mod seen;
mod server;
mod table;

pub(crate) use board::{Board, Outcome};
pub(crate) use client::{AskError, Everyone, Found, ask, everyone};
pub(crate) use protocol::{Ask, Order};
pub(crate) use seen::Seen;
pub(crate) use server::{Control, SocketFile};
pub(crate) use table::{Align, clean, table};
