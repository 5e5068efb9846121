//! Which source a record came from, told by its topic or file.

use std::sync::Arc;

/// What a stage or sink, or whoever writes its dead letters, knows of the sources that its records come from.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    // Topics and files, each with the name of the source that reads it.
    pub(super) read: Arc<[(Arc<str>, Arc<str>)]>,
    // The source, where there is only one.
    pub(super) only: Option<Arc<str>>,
    /// Whether its records are as a source read them: no stage is in between.
    pub direct: bool,
}

impl Origins {
    /// The name of the source that a record of this topic or file came from, where one alone reads it.
    pub fn source(&self, origin: Option<&str>) -> Option<&Arc<str>> {
        if self.only.is_some() {
            return self.only.as_ref();
        }
        let mut found = self.read.iter().filter(|(read, _)| Some(&**read) == origin).map(|(_, source)| source);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }
}
