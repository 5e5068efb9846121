//! Sources of the embedding program.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use weir_batch::Schema;

use crate::{Source, SourceError};

/// Opens sources of a kind that Weir does not have. A program registers a connector under a name, and query files refer to it with
/// `kind = "custom"` and that name. Shared by all queries that use it.
pub trait SourceConnector: Send + Sync {
    /// The schema of the source's batches with these options. Called once, when a query file is checked.
    ///
    /// # Errors
    ///
    /// What is wrong with the options, for the author of the query file.
    fn schema(&self, options: &BTreeMap<String, String>) -> Result<Schema, String>;

    /// Opens a source at its beginning. Called for each attempt of a query; [`Source::seek`] sets the position.
    ///
    /// # Errors
    ///
    /// [`SourceError::Custom`] if the source cannot be opened.
    fn open(&self, options: &BTreeMap<String, String>) -> Result<Box<dyn Source>, SourceError>;
}

/// A registered source with the options of a query file. `Debug` does not show their values.
#[derive(Clone)]
pub struct CustomSource {
    /// The name under which it was registered.
    pub name: Arc<str>,
    /// The options.
    pub options: BTreeMap<String, String>,
    connector: Arc<dyn SourceConnector>,
}

impl CustomSource {
    /// This connector with these options.
    pub fn new(name: &str, connector: Arc<dyn SourceConnector>, options: BTreeMap<String, String>) -> CustomSource {
        CustomSource { name: name.into(), options, connector }
    }

    /// See [`SourceConnector::schema`].
    ///
    /// # Errors
    ///
    /// What is wrong with the options.
    pub fn schema(&self) -> Result<Schema, String> {
        self.connector.schema(&self.options)
    }

    /// See [`SourceConnector::open`].
    ///
    /// # Errors
    ///
    /// A source that cannot be opened.
    pub fn open(&self) -> Result<Box<dyn Source>, SourceError> {
        self.connector.open(&self.options)
    }
}

impl fmt::Debug for CustomSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<&str> = self.options.keys().map(String::as_str).collect();
        f.debug_struct("CustomSource").field("name", &self.name).field("options", &options).finish_non_exhaustive()
    }
}
