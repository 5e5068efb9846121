//! Where Apache Kafka and Java are.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::process::environment;

/// The folder that `cargo xtask broker` makes in the cache; its name has the version.
const CACHE_FOLDER: &str = "weir/kafka-4.1.1";

/// Apache Kafka's folder, with `lib`, `formatted` and `log4j2.properties`.
pub(super) fn kafka() -> Result<PathBuf, String> {
    let set = |name| environment(name).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").filter(|path| path.is_absolute()).or_else(|| Some(set("HOME")?.join(".cache")));
    let cache = cache.ok_or("neither XDG_CACHE_HOME nor HOME is set, so there is no cache folder")?;
    let path = cache.join(CACHE_FOLDER);
    if !path.is_dir() {
        let path = path.display();
        return Err(format!(
            "cannot find the tests' Apache Kafka {path}: `cargo xtask broker` provides it, `cargo xtask test` sets up everything, and \
             KAFKA_BOOTSTRAP=HOST:PORT names a cluster to use instead"
        ));
    }
    Ok(path)
}

/// Java, as `cargo xtask broker` looks for it.
pub(super) fn java() -> OsString {
    environment("JAVA_HOME").map_or_else(|| "java".into(), |home| PathBuf::from(home).join("bin/java").into_os_string())
}
