//! How attacks on the host are run.

/// How the queries of an attack are run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostWay {
    /// Each tenant in a worker process.
    #[default]
    Workers,
    /// All tenants in one process.
    OneProcess,
}

impl HostWay {
    /// What `weir run` takes for it.
    pub(super) fn option(self) -> &'static [&'static str] {
        match self {
            HostWay::Workers => &["--workers"],
            HostWay::OneProcess => &["--allow-weak=seccomp,landlock,landlock-scopes,mdwe"],
        }
    }
}
