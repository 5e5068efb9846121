//! From a module's bytes to machine code: in a process of its own, in turn, kept on disk.

mod apart;
mod cache;
mod cost;
mod frame;
mod job;
mod load;
mod mac;
mod probe;
mod service;
mod settings;
mod turnstile;
mod window;
mod worker;

pub use apart::Apart;
pub use cache::{Cache, CacheConfig, CacheError, CacheKey, CacheUse, Cached};
pub use cost::CompileCost;
pub use job::{Artefact, Compiler, compile_here};
pub use load::{Trusted, load};
pub use probe::probe_confinement;
pub use service::{CompileService, ServedCode};
pub use settings::{CodeSettings, Tier};
pub use turnstile::{Pass, Turnstile};
pub use window::TrustedWindow;
pub use worker::compile_worker;
