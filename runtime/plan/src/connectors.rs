//! What the embedding program brings: sources and sinks by name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use weir_config::{CustomKeys, OptionText, Place, Problem, Problems, QueryFileError, suggest};
use weir_sinks::{CustomSink, SinkConnector};
use weir_sources::{CustomSource, SourceConnector};

use super::context::Context;
use super::limits_file::LimitsFile;
use super::load;
use super::plan::Plan;

/// How a program reads query files: within a limits file, and with sources and sinks of its own. Query files use those by
/// `kind = "custom"` and their `connector`.
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

/// The registered sources and sinks.
#[derive(Clone, Default)]
pub(super) struct Connectors {
    sources: BTreeMap<String, Arc<dyn SourceConnector>>,
    sinks: BTreeMap<String, Arc<dyn SinkConnector>>,
}

impl Loader {
    /// Reads query files under the default limits, with Weir's own sources and sinks.
    pub fn new() -> Loader {
        Loader::default()
    }

    /// The same, within what this limits file gives each query's tenant.
    #[must_use]
    pub fn within(mut self, limits: LimitsFile) -> Loader {
        self.limits = Some(Arc::new(limits));
        self
    }

    /// The same, with this source under this name. A later one of the same name takes its place.
    #[must_use]
    pub fn source(mut self, name: impl Into<String>, connector: impl SourceConnector + 'static) -> Loader {
        self.connectors.sources.insert(name.into(), Arc::new(connector));
        self
    }

    /// The same, with this sink under this name. A later one of the same name takes its place.
    #[must_use]
    pub fn sink(mut self, name: impl Into<String>, connector: impl SinkConnector + 'static) -> Loader {
        self.connectors.sinks.insert(name.into(), Arc::new(connector));
        self
    }

    /// Reads and checks a query file. Paths in it are taken from its folder.
    ///
    /// # Errors
    ///
    /// Every mistake in the file, or that it cannot be read.
    pub fn load(&self, path: impl AsRef<Path>) -> Result<Plan, QueryFileError> {
        Plan::load_under(path.as_ref(), self.limits.as_deref(), &self.connectors)
    }

    /// Checks the text of a query file. Paths in it are taken from `folder`.
    ///
    /// # Errors
    ///
    /// Every mistake in the text, sorted by line.
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

/// The source that these keys name.
pub(super) fn source(keys: &CustomKeys, cx: &Context<'_>) -> Option<CustomSource> {
    let (place, connector) = find(keys, &cx.connectors.sources, "source", cx.problems)?;
    let name = keys.connector.value.as_deref().unwrap_or_default();
    let source = CustomSource::new(name, connector, options(keys, cx.problems)?);
    match source.schema() {
        Ok(_) => Some(source),
        Err(reason) => {
            cx.problems.error(keys.options.place.as_ref().unwrap_or(&place), reason, "");
            None
        }
    }
}

/// The sink that these keys name.
pub(super) fn sink(keys: &CustomKeys, cx: &Context<'_>) -> Option<CustomSink> {
    let (place, connector) = find(keys, &cx.connectors.sinks, "sink", cx.problems)?;
    let name = keys.connector.value.as_deref().unwrap_or_default();
    let sink = CustomSink::new(name, connector, options(keys, cx.problems)?);
    match sink.validate() {
        Ok(()) => Some(sink),
        Err(weir_sinks::SinkError::Config { reason, .. }) => {
            cx.problems.error(keys.options.place.as_ref().unwrap_or(&place), reason, "");
            None
        }
        Err(error) => {
            cx.problems.error(&place, error.to_string(), "");
            None
        }
    }
}

fn find<T: ?Sized>(
    keys: &CustomKeys,
    registered: &BTreeMap<String, Arc<T>>,
    what: &str,
    problems: &Problems,
) -> Option<(Place, Arc<T>)> {
    let (place, name) = keys.connector.given()?;
    if let Some(connector) = registered.get(name) {
        return Some((place.clone(), Arc::clone(connector)));
    }
    let help = match registered.is_empty() {
        true => format!("this program registers no {what}s: run the query in one that does"),
        false => suggest(name, registered.keys().map(String::as_str), "registered are"),
    };
    problems.error(place, format!("no {what} is registered as `{}`", weir_config::clip(name)), help);
    None
}

fn options(keys: &CustomKeys, problems: &Problems) -> Option<BTreeMap<String, String>> {
    let mut options = BTreeMap::new();
    let mut complete = true;
    for option in keys.options.value.iter().flatten() {
        match &option.value {
            OptionText::Text(text) => {
                options.insert(option.name.clone(), text.clone());
            }
            OptionText::Wrong { message, help, .. } => {
                problems.error(&option.place, message.clone(), help.clone());
                complete = false;
            }
        }
    }
    complete.then_some(options)
}
