//! Which source a record came from, told by its topic or file.

use std::sync::Arc;

use super::plan::{Node, Plan, SourceKind};

/// What a stage or sink, or whoever writes its dead letters, knows of the sources that its records come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    // Topics and files, each with the name of the source that reads it.
    read: Arc<[(Arc<str>, Arc<str>)]>,
    // The source, where there is only one.
    only: Option<Arc<str>>,
    /// Whether its records are as a source read them: no stage is in between.
    pub(crate) direct: bool,
}

impl Origins {
    /// The name of the source that a record of this topic or file came from, where one alone reads it.
    pub(crate) fn source(&self, origin: Option<&str>) -> Option<&Arc<str>> {
        if self.only.is_some() {
            return self.only.as_ref();
        }
        let mut found = self.read.iter().filter(|(read, _)| Some(&**read) == origin).map(|(_, source)| source);
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }
}

impl Plan {
    /// What is known of the sources of what reads from these points.
    pub(crate) fn origins(&self, inputs: &[Node]) -> Origins {
        let mut sources = Vec::new();
        let mut points = inputs.to_vec();
        // Stages come after those they read from, so that this ends.
        while let Some(point) = points.pop() {
            match point {
                Node::Source(index) if !sources.contains(&index) => sources.push(index),
                Node::Source(_) => {}
                Node::Stage(index) => {
                    points.extend(self.stages.get(index).into_iter().flat_map(|stage| stage.inputs.iter().copied()));
                }
            }
        }
        let mut read = Vec::new();
        let mut direct = inputs.iter().all(|node| matches!(node, Node::Source(_)));
        let mut names: Vec<&Arc<str>> = Vec::new();
        for source in sources.iter().filter_map(|&index| self.sources.get(index)) {
            let name = || Arc::clone(&source.name);
            match &source.kind {
                SourceKind::Letters(letters) => {
                    let origins = letters.origins();
                    read.extend(origins.read.iter().cloned());
                    direct &= origins.direct;
                    names.extend(origins.read.iter().map(|(_, source)| source).chain(&origins.only));
                }
                SourceKind::File { paths, .. } => {
                    read.extend(paths.iter().map(|path| (Arc::from(&*path.to_string_lossy()), name())));
                    names.push(&source.name);
                }
                SourceKind::Kafka(config) => {
                    read.extend(config.topics.iter().map(|topic| (Arc::from(topic.as_str()), name())));
                    names.push(&source.name);
                }
                SourceKind::Generator { .. } | SourceKind::Nexmark { .. } | SourceKind::Custom(_) => {
                    names.push(&source.name)
                }
            }
        }
        names.sort_unstable();
        names.dedup();
        let only = match names.as_slice() {
            [name] => Some(Arc::clone(name)),
            _ => None,
        };
        Origins { read: read.into(), only, direct }
    }

    /// Whether dead letters may hold values as this source read them: then it keeps them.
    pub(crate) fn keeps_originals(&self, source: usize) -> bool {
        use weir_config::ErrorPolicy::DeadLetter;
        let stages = self.stages.iter().filter(|stage| stage.on_error == DeadLetter).map(|stage| &stage.inputs);
        let sinks = self.sinks.iter().filter(|sink| sink.on_error == DeadLetter).map(|sink| &sink.inputs);
        stages.chain(sinks).any(|inputs| {
            inputs.contains(&Node::Source(source)) && inputs.iter().all(|node| matches!(node, Node::Source(_)))
        })
    }
}
