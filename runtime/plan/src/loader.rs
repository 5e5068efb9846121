//! Loads plans for embedding programs.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use weir_config::{Problem, QueryFileError};
use weir_sinks::SinkConnector;
use weir_sources::SourceConnector;

use super::connectors::Connectors;
use super::limits_file::LimitsFile;
use super::load;
use super::plan::Plan;

/// Reads query files, optionally within a limits file, and with sources and sinks of the program, which query files name with `kind
/// = "custom"` and `connector`.
///
/// ```
/// use std::path::Path;
/// use weir_plan::Loader;
/// use weir_sinks::MemoryHandle;
///
/// let kept = MemoryHandle::new();
/// let loader = Loader::new().sink("kept", kept.clone());
/// let text = r#"
/// name = "seed"
/// [sources.seed]
/// kind = "generator"
/// batches = 10
/// [sinks.memory]
/// kind = "custom"
/// connector = "kept"
/// "#;
/// assert!(loader.parse(text, Path::new(".")).is_ok());
/// assert!(Loader::new().parse(text, Path::new(".")).is_err());
/// ```
#[derive(Clone, Default)]
pub struct Loader {
    limits: Option<Arc<LimitsFile>>,
    connectors: Connectors,
}

impl Loader {
    /// Uses the default limits, and only Weir's own sources and sinks.
    pub fn new() -> Loader {
        Loader::default()
    }

    /// Applies this limits file to each query's tenant.
    #[must_use]
    pub fn within(mut self, limits: LimitsFile) -> Loader {
        self.limits = Some(Arc::new(limits));
        self
    }

    /// Registers a source under this name, and replaces an earlier one.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>, connector: impl SourceConnector + 'static) -> Loader {
        self.connectors.sources.insert(name.into(), Arc::new(connector));
        self
    }

    /// Registers a sink under this name, and replaces an earlier one.
    #[must_use]
    pub fn sink(mut self, name: impl Into<String>, connector: impl SinkConnector + 'static) -> Loader {
        self.connectors.sinks.insert(name.into(), Arc::new(connector));
        self
    }

    /// Reads and checks a query file. Paths in it are relative to its folder.
    ///
    /// # Errors
    ///
    /// All mistakes in the file, or an error of reading it.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Plan, QueryFileError> {
        Plan::load_under(path.as_ref(), self.limits.as_deref(), &self.connectors)
    }

    /// Checks the text of a query file. Paths in it are relative to `folder`.
    ///
    /// # Errors
    ///
    /// All mistakes in the text, sorted by line.
    pub fn parse(&self, text: &str, folder: &Path) -> Result<Plan, Vec<Problem>> {
        load::parse(text, folder, None, self.limits.as_deref(), &self.connectors)
    }
}

impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Connectors { sources, sinks } = &self.connectors;
        f.debug_struct("Loader")
            .field("limits", &self.limits)
            .field("sources", &sources.keys())
            .field("sinks", &sinks.keys())
            .finish()
    }
}
