//! Named steps at which a test may end the process, as a crash there would.

/// Ends the process at once where `WEIR_FAILPOINT` says so: `NAME` for the first time that the step is reached, `NAME:3`
/// for the third. Without the feature `failpoints`, which only tests switch on, it is nothing.
#[cfg(feature = "failpoints")]
pub(crate) fn failpoint(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let wanted = std::env::var("WEIR_FAILPOINT").ok()?;
        let (name, count) = wanted.split_once(':').unwrap_or((&wanted, "1"));
        Some((name.to_owned(), count.parse().ok()?))
    });
    static REACHED: AtomicU64 = AtomicU64::new(0);

    if let Some((wanted, count)) = &*WANTED
        && wanted == name
        && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == *count
    {
        std::process::abort();
    }
}

/// Nothing: the feature `failpoints` is off.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub(crate) fn failpoint(_name: &str) {}
