//! Sinks of the embedding program.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use weir_batch::Schema;

use crate::{MemoryHandle, MemorySink, Sink, SinkError};

/// Opens sinks of a kind that Weir does not have. A program registers a connector under a name, and query files refer to it with
/// `kind = "custom"` and that name. Shared by all queries that use it.
#[async_trait]
pub trait SinkConnector: Send + Sync {
    /// Checks options without opening anything. Called once, when a query file is checked.
    ///
    /// # Errors
    ///
    /// What is wrong with the options, for the author of the query file.
    fn validate(&self, options: &BTreeMap<String, String>) -> Result<(), String>;

    /// Opens a sink for batches of this schema. Called for each attempt of a query.
    ///
    /// # Errors
    ///
    /// [`SinkError::Custom`] if the sink cannot be opened.
    async fn open(&self, options: &BTreeMap<String, String>, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError>;
}

/// A registered sink with the options of a query file. `Debug` does not show their values.
#[derive(Clone)]
pub struct CustomSink {
    /// The name under which it was registered.
    pub name: Arc<str>,
    /// The options.
    pub options: BTreeMap<String, String>,
    connector: Arc<dyn SinkConnector>,
}

impl CustomSink {
    /// This connector with these options.
    pub fn new(name: &str, connector: Arc<dyn SinkConnector>, options: BTreeMap<String, String>) -> CustomSink {
        CustomSink { name: name.into(), options, connector }
    }

    /// See [`SinkConnector::validate`].
    ///
    /// # Errors
    ///
    /// [`SinkError::Config`] with the key `options`.
    pub fn validate(&self) -> Result<(), SinkError> {
        self.connector.validate(&self.options).map_err(|reason| SinkError::Config { key: "options", reason })
    }

    pub(crate) async fn open(&self, schema: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        self.connector.open(&self.options, schema).await
    }
}

impl fmt::Debug for CustomSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&str> = self.options.keys().map(String::as_str).collect();
        f.debug_struct("CustomSink").field("name", &self.name).field("options", &options).finish_non_exhaustive()
    }
}

/// Every sink that this opens adds to the same batches.
#[async_trait]
impl SinkConnector for MemoryHandle {
    fn validate(&self, options: &BTreeMap<String, String>) -> Result<(), String> {
        match options.keys().next() {
            None => Ok(()),
            Some(name) => {
                Err(format!("unknown option `{}`: a memory connector takes no options", weir_text::escape(name)))
            }
        }
    }

    async fn open(
        &self,
        _options: &BTreeMap<String, String>,
        schema: &Arc<Schema>,
    ) -> Result<Box<dyn Sink>, SinkError> {
        Ok(Box::new(MemorySink::new(schema, self.clone())))
    }
}
