//! Sources and sinks of the embedding program, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_sinks::SinkConnector;
use weir_sources::SourceConnector;

/// The registered sources and sinks.
#[derive(Clone, Default)]
pub(super) struct Connectors {
    pub(super) sources: BTreeMap<String, Arc<dyn SourceConnector>>,
    pub(super) sinks: BTreeMap<String, Arc<dyn SinkConnector>>,
}
