//! Where the test brokers' programs are.

use std::path::PathBuf;

use crate::process::environment;

/// The folder that `cargo xtask brokers` makes in the cache; its name is the versions of what is in it, tansu's package first.
const CACHE_FOLDER: &str = "weir/brokers-0.1.2-0.2.3";

/// The file of a broker: the one that `variable` names, as `cargo xtask test` does, else the cache's.
pub(super) fn program(variable: &str, name: &str) -> Result<PathBuf, String> {
    if let Some(path) = environment(variable).map(PathBuf::from) {
        return if path.is_file() { Ok(path) } else { Err(format!("{variable}={}: no such file", path.display())) };
    }
    let set = |name| environment(name).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME is set, so there is no cache folder")?;
    let path = cache.join(CACHE_FOLDER).join(name);
    if !path.is_file() {
        let path = path.display();
        return Err(format!(
            "cannot find the test broker {path}: `cargo xtask brokers` provides it, `cargo xtask test` sets up everything, and \
             KAFKA_BOOTSTRAP=HOST:PORT names a cluster to use instead"
        ));
    }
    Ok(path)
}
