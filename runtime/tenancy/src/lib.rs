//! Starts, weighs, watches and ends the processes of tenants, and believes none of them.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use weir_frame::{QueryId, ToWorker};
//! use weir_tenancy::{Supervisor, TenancyEvent, TenancySettings, WorkerSpec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (supervisor, events) = Supervisor::new(TenancySettings::new("/var/lib/weir/registry"))?;
//! // The same program, which becomes a worker by its arguments.
//! let mut spec = WorkerSpec::new("acme", ["worker"]);
//! spec.lock = Some("/var/lib/weir/tenants/acme/lock".into());
//! let worker = supervisor.start(spec)?;
//! let run = ToWorker::Run { query: QueryId(1), draft: vec![], limits: vec![], base_folder: b"/srv/acme".to_vec() };
//! supervisor.send(worker, run)?;
//! for event in events {
//!     match event {
//!         TenancyEvent::Line { line, .. } => eprintln!("{}", *line),
//!         TenancyEvent::Ended { tenant, cause, last_words, .. } => eprintln!("{tenant}: {cause}: {}", last_words.line()),
//!         _ => {}
//!     }
//! }
//! supervisor.shutdown(Duration::from_secs(10));
//! # Ok(())
//! # }
//! ```
//!
//! # The nouns
//!
//! **[`Supervisor`]**: a thread that starts processes and reads frames and lines of them, with a limit on everything. Nothing of a tenant's is
//! parsed in it but frames. It waits without a tick where nothing happens, but looks at each process every 1 to 8 s.
//!
//! **[`WorkerSpec`]**: what a worker is started with. A worker keeps its [`WorkerId`](weir_frame::WorkerId) over all its processes. A
//! start costs 2 ms and three descriptors.
//!
//! **[`TenancyEvent`]**: what happened, in a channel. Frames and lines of a worker are [`Counted`] until they are dropped: whoever does not
//! take them in time makes the supervisor stop reading that worker's socket, and drop its lines.
//!
//! **The life of a worker.** It is started, says hello, runs. A process that crashes, hangs, sends garbage or has too many threads ends,
//! and the next one is started after a wait that doubles, with the same queries; they go on from their last commits. One that crashes again and
//! again is in quarantine, and so is a tenant whose process made a system call that none makes. An end is an [`EndCause`] with
//! [`LastWords`].
//!
//! **[`CpuWay`]**: how the weights hold on this machine. A process takes its place by [`take_place`].
//!
//! **The connector** ([`connector_main`]): a process of the role [`Connector`](weir_frame::WorkerRole::Connector). Once one is started, what
//! workers ask to be connected to goes to it, and the connected socket comes back. It reaches public addresses, and the
//! networks that a worker's specification lists.
//!
//! **The registry**: a file with the processes of this supervisor. The next one ends those that are left, and starts a tenant's
//! worker only when the lock of its folder is free. It is kept in a folder that no worker reaches.

mod address;
mod asked;
mod backoff;
mod budget;
mod connector;
mod cpu;
mod cpu_debt;
mod disk;
mod disk_watch;
mod error;
mod event;
#[cfg(test)]
mod fault_tables;
mod keeper;
mod last_words;
mod life;
mod lines;
mod process;
mod rate;
mod reach;
mod registry;
mod room;
mod running;
mod settings;
mod spawn;
mod spec;
mod status;
mod supervisor;
mod users;
mod wake;
mod work;
mod worker;

pub use budget::Counted;
pub use connector::connector_main;
pub use cpu::{CpuWay, take_place};
pub use disk::{DiskLimits, DiskUse};
pub use error::TenancyError;
pub use event::{AfterEnd, DiskExcess, EndCause, Scarce, TenancyEvent, WaitReason};
pub use last_words::LastWords;
pub use settings::TenancySettings;
pub use spec::{Equip, Equipment, ProcessStart, WorkerSpec};
pub use status::{SupervisorStatus, WorkerState, WorkerStatus};
pub use supervisor::Supervisor;
pub use users::{Users, give_folders};
