//! A worker that was taken over: a process that confines itself as a tenant's worker does and then tries to hurt another tenant's
//! worker, its supervisor, and files that are not its own.
//!
//! Each attack runs in a process of its own, which is this program again: see [`worker`]. After each one, victims and files must
//! be as they were. As root, everything is tried as root and as another user, always with victims of the same user.

#![cfg(target_os = "linux")]

mod attack;
mod connector;
mod left;
mod machine;
mod memory;
mod paths;
mod processes;
mod scene;
mod sockets;
mod worker;
