//! From a module's bytes to machine code: in a process of its own, in turn, kept on disk.

mod cache;
mod confine;
mod cost;
mod frame;
mod job;
mod load;
mod mac;
mod probe;
mod settings;
mod turnstile;
mod worker;

pub use cache::{CacheConfig, CacheError, CacheUse};
pub use confine::{Confinement, Enforced};
pub use cost::CompileCost;
pub use job::Compiler;
pub use probe::probe_confinement;
pub use settings::Tier;
pub use worker::compile_worker;

pub(crate) use cache::{Cache, CacheKey};
pub(crate) use job::{Artefact, Job, compile_here};
pub(crate) use load::{Trusted, load};
pub(crate) use settings::{Allocation, CodeSettings, HARDENED_MEMORY_BYTES};
pub(crate) use turnstile::Turnstile;
