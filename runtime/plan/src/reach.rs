//! Which records reach which parts of a plan.

use std::sync::Arc;

use weir_config::ErrorPolicy::DeadLetter;

use super::origins::Origins;
use super::plan::{Node, Plan};
use super::source_plan::SourceKind;

impl Plan {
    /// The stages that records of this source can reach, in order.
    pub fn stages_reached(&self, source: usize) -> Vec<usize> {
        let mut reached = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let reads = |node: &Node| match node {
                Node::Source(other) => *other == source,
                Node::Stage(other) => reached.contains(other),
            };
            if stage.inputs.iter().any(reads) {
                reached.push(index);
            }
        }
        reached
    }

    /// What is known about the sources of records from these inputs.
    pub fn origins(&self, inputs: &[Node]) -> Origins {
        let mut sources = Vec::new();
        let mut points = inputs.to_vec();
        // Stages come after those from which they read, so this ends.
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
                    let origins = &letters.origins;
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

    /// Whether dead letters may contain values as this source read them: then it keeps them.
    pub fn keeps_originals(&self, source: usize) -> bool {
        let stages = self.stages.iter().filter(|stage| stage.on_error == DeadLetter).map(|stage| &stage.inputs);
        let sinks = self.sinks.iter().filter(|sink| sink.on_error == DeadLetter).map(|sink| &sink.inputs);
        stages.chain(sinks).any(|inputs| {
            inputs.contains(&Node::Source(source)) && inputs.iter().all(|node| matches!(node, Node::Source(_)))
        })
    }
}
