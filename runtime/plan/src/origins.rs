//! Finds the source of a record by its topic or file.

use std::sync::Arc;

/// What is known about the sources of the records at a stage, sink or dead-letter file.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    // Topics and files, each with the name of the source that reads it.
    pub(super) read: Arc<[(Arc<str>, Arc<str>)]>,
    // The source, if there is only one.
    pub(super) only: Option<Arc<str>>,
    /// Whether the records come directly from sources, without a stage in between.
    pub direct: bool,
}

impl Origins {
    /// The name of the source from which a record of this topic or file came, if only one source reads it.
    pub fn source(&self, origin: Option<&str>) -> Option<&Arc<str>> {
        if self.only.is_some() {
            return self.only.as_ref();
        }
        let mut found = self.read.iter().filter(|(read, _)| Some(&**read) == origin).map(|(_, source)| source);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }
}
