//! The engine that the commands run on.

use std::path::PathBuf;

use weir_plan::Plan;
use weir_sandbox::{CacheConfig, Compiler, Engine, EngineConfig, EngineError};

/// The argument that makes this program a worker that compiles.
pub(crate) const COMPILE_WORKER: &str = "compile-worker";

/// Bytes of the code cache.
const CACHE_BYTES_MAX: u64 = 1 << 30;

/// The configuration of every command: this program compiles in a process of its own, and keeps what it compiled in
/// `WEIR_CODE_CACHE`, or else in the user's cache folder.
pub(crate) fn config() -> EngineConfig {
    config_of(EngineConfig::default())
}

/// The same, with a pool that is no larger than these plans need.
pub(crate) fn config_for<'p>(plans: impl Iterator<Item = &'p Plan>) -> EngineConfig {
    config_of(EngineConfig::for_limits(plans.flat_map(|plan| {
        plan.stages
            .iter()
            .map(|stage| (&stage.limits, 0))
            .chain(plan.stages.first().map(|stage| (&stage.limits, plan.instances_max())))
    })))
}

fn config_of(config: EngineConfig) -> EngineConfig {
    // The running program, whatever has taken its name in the meantime.
    let program = PathBuf::from("/proc/self/exe");
    let compiler = Compiler::Worker { program, arguments: vec![COMPILE_WORKER.to_owned()] };
    let cache = cache_folder().map(|folder| CacheConfig::new(folder, CACHE_BYTES_MAX));
    config.with(|it| {
        it.compiler = compiler;
        it.cache = cache;
    })
}

/// An engine; without a cache if no folder for one can be used.
pub(crate) fn engine(config: EngineConfig) -> Result<Engine, EngineError> {
    match Engine::new(&config) {
        Err(EngineError::Cache(error)) => {
            let source = std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            tracing::warn!("modules are compiled on each run because the code cache is not available: {error}{source}");
            Engine::new(&config.with(|it| it.cache = None))
        }
        done => done,
    }
}

/// `WEIR_CODE_CACHE`, `none` for no cache; else `XDG_CACHE_HOME` or `HOME`, absolute as the specification asks
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
fn cache_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match set("WEIR_CODE_CACHE") {
        Some(none) if none == "none" => return None,
        Some(folder) => return std::path::absolute(folder).ok(),
        None => {}
    }
    let absolute = |folder: &PathBuf| folder.is_absolute();
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from).filter(absolute);
    let cache = cache.or_else(|| set("HOME").map(PathBuf::from).filter(absolute).map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("weir").join("code"))
}
