//! Takes away from a process what it does not need, for good, before it reads the first byte of a tenant's.
//!
//! ```no_run
//! use weir_confine::{Budgets, Confinement, Wall, confine};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // First thing in `main` of a worker, before any thread starts.
//! let budgets = Budgets { data_bytes_max: Some(1 << 30), descriptors_max: Some(256), ..Budgets::default() };
//! let confinement = Confinement::tenant_worker(budgets)
//!     .parent(4711)
//!     .keep([3, 4])
//!     .read("/srv/tenants/acme/in")
//!     .write("/srv/tenants/acme/out")
//!     .identity(100_017, 100_017);
//! let walls = confine(&confinement)?;
//! // The supervisor decides whether that is enough.
//! assert_eq!(walls.missing(), [Wall::Landlock; 0]);
//! # Ok(())
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`Confinement`]**: what a process may still do: its [`Role`], its [`Budgets`], folders, descriptors, uid. Plain data that the
//! supervisor makes and the worker is handed (feature `bincode`). **[`confine`]** is the only function that puts it in force. It
//! takes 1 ms, once in a process's life.
//!
//! **[`Walls`]**: which walls are in force since; each [`Wall`] has a name for settings. What the kernel lacks is no error here:
//! [`Walls::missing`] says what a supervisor must refuse to run without.
//!
//! **[`CodeWindow`]**: memory in which a supervisor puts machine code while a worker that can make no code of its own runs it.
//! The worker holds the other side, a [`MappedWindow`], mapped before it is confined and until it ends.
//!
//! # Order
//!
//! [`confine`] works in this order; each step would fail, or be undone, after a later one:
//!
//! 1. refuse where more than one thread runs: a thread that was started earlier would not be confined;
//! 2. close inherited descriptors that are not named;
//! 3. `oom_score_adj` (belongs to root once the uid has changed);
//! 4. bounding set of capabilities, groups, gid, uid, capabilities;
//! 5. limits of resources;
//! 6. parent-death signal (a change of uid clears it), and a comparison of the parent with the one that was handed over;
//! 7. not dumpable (a change of uid sets it), no new privileges, no memory that is written and executed;
//! 8. Landlock; 9. seccomp.
//!
//! Before it, a worker does what it cannot do later: it maps its [`MappedWindow`] and has the engine open what it needs
//! (`weir_sandbox::Engine::before_confinement`); the engine itself starts threads, and so comes after. Descriptors that came through a
//! socket stay open: they are closed on exec, as those are that the process opened itself.
//!
//! # System calls
//!
//! `calls/` holds the lists as data: calls that are allowed, those that no worker ever needs (they end the process by SIGSYS), and
//! arguments that are refused (EPERM). A call of no list gets ENOSYS, so that libraries take another way: `clone3` becomes
//! `clone`, whose flags can be checked, and wasmtime copies data where `memfd_create` is missing. A compile worker is ended by
//! whatever it is not allowed.

#[cfg(target_os = "linux")]
mod calls;
mod code_place;
mod confine;
mod confinement;
#[cfg(target_os = "linux")]
mod descriptors;
mod error;
#[cfg(test)]
mod fault_tables;
#[cfg(target_os = "linux")]
mod files;
mod limits;
#[cfg(target_os = "linux")]
mod privileges;
#[cfg(target_os = "linux")]
mod process;
mod walls;
#[cfg(target_os = "linux")]
mod window;

pub use code_place::CodePlace;
pub use confine::confine;
pub use confinement::{Budgets, Confinement, Identity, Role};
pub use error::ConfineError;
pub use walls::{Enforced, UnknownWall, Wall, Walls};
pub use weir_fault::Fault;
#[cfg(target_os = "linux")]
pub use window::{CodeWindow, MappedWindow, WindowError};
