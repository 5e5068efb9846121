//! The chain from sources through stages to sinks: resolves names, compares schemas, finds unused parts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_batch::Schema;

use super::plan::Node;
use super::source::SourcePart;
use super::stage::StagePart;
use weir_config::{Input, KeyPlace, Problems, WrittenText, clip, suggest};

/// The state of the chain while a file is checked.
pub(super) struct ChainCheck<'d> {
    nodes: BTreeMap<&'d str, Node>,
    sinks: Vec<&'d str>,
    // The output schemas by index of source and stage, if known.
    source_schemas: Vec<Option<Arc<Schema>>>,
    stage_schemas: Vec<Option<Arc<Schema>>>,
    // The inputs of each stage and sink.
    stage_inputs: Vec<Vec<Node>>,
    sink_inputs: Vec<Node>,
    // An input could not be resolved, so parts that look unused may be used.
    incomplete: bool,
}

impl<'d> ChainCheck<'d> {
    pub(super) fn new(sources: &'d [SourcePart], stages: &'d [StagePart], sinks: Vec<&'d str>) -> ChainCheck<'d> {
        let mut nodes = BTreeMap::new();
        // A repeated name has been reported; the first one keeps it.
        for (index, source) in sources.iter().enumerate() {
            nodes.entry(&*source.name).or_insert(Node::Source(index));
        }
        for (index, stage) in stages.iter().enumerate().filter(|(_, stage)| !stage.name.is_empty()) {
            nodes.entry(&*stage.name).or_insert(Node::Stage(index));
        }
        ChainCheck {
            nodes,
            sinks,
            source_schemas: sources.iter().map(|source| source.schema.clone()).collect(),
            stage_schemas: Vec::new(),
            stage_inputs: Vec::new(),
            sink_inputs: Vec::new(),
            incomplete: false,
        }
    }

    /// The inputs of the next stage, and their schema if it is known.
    pub(super) fn stage_input(&mut self, stage: &StagePart, problems: &Problems) -> (Vec<Node>, Option<Arc<Schema>>) {
        let index = self.stage_inputs.len();
        let inputs = self.resolve(&stage.input, Some(index), problems);
        let schema = self.common_schema(&inputs, &stage.input, &stage.place, problems);
        self.stage_inputs.push(inputs.clone());
        (inputs, schema)
    }

    /// Sets the output schema of the stage from the last call of `stage_input`.
    pub(super) fn stage_output(&mut self, schema: Option<Arc<Schema>>) {
        self.stage_schemas.push(schema);
    }

    /// The inputs of a sink, and their schema if it is known. Call this after all stages.
    pub(super) fn sink_input(
        &mut self,
        input: &Input,
        place: &KeyPlace,
        problems: &Problems,
    ) -> (Vec<Node>, Option<Arc<Schema>>) {
        let inputs = self.resolve(input, None, problems);
        let schema = self.common_schema(&inputs, input, place, problems);
        self.sink_inputs.extend(&inputs);
        (inputs, schema)
    }

    /// Reports unused sources, and warns about stages whose output is unused. `observes` says which stages have another purpose
    /// than their output.
    pub(super) fn loose_ends(
        &self,
        sources: &[SourcePart],
        stages: &[StagePart],
        observes: &[bool],
        problems: &Problems,
    ) {
        if self.incomplete {
            return;
        }
        let read: BTreeSet<Node> = self.stage_inputs.iter().flatten().chain(&self.sink_inputs).copied().collect();
        for (index, source) in sources.iter().enumerate() {
            if !read.contains(&Node::Source(index)) {
                let help = format!("add `{}` to the `input` of a stage or sink, or remove the source", source.name);
                problems.error(&source.place, "is not read by any stage or sink", help);
            }
        }
        // Stages read only from earlier ones, so one pass from the last to the first is enough.
        let mut useful = observes.to_vec();
        let mark = |useful: &mut Vec<bool>, inputs: &[Node]| {
            for input in inputs {
                if let Node::Stage(index) = input
                    && let Some(useful) = useful.get_mut(*index)
                {
                    *useful = true;
                }
            }
        };
        mark(&mut useful, &self.sink_inputs);
        for (index, inputs) in self.stage_inputs.iter().enumerate().rev() {
            if useful.get(index) == Some(&true) {
                mark(&mut useful, inputs);
            }
        }
        for (stage, _) in stages.iter().zip(&useful).filter(|(_, useful)| !**useful) {
            let help = format!("add `{}` to the `input` of a sink, or remove the stage", stage.name);
            problems.warning(&stage.place, "its output does not reach a sink", help);
        }
    }

    /// The named inputs, or the default ones. `stage` is the index of the reading stage; `None` for sinks.
    fn resolve(&mut self, input: &Input, stage: Option<usize>, problems: &Problems) -> Vec<Node> {
        let Some(names) = &input.value else {
            if input.is_wrong() {
                self.incomplete = true;
                return Vec::new();
            }
            let before = stage.unwrap_or(self.stage_inputs.len());
            return match before.checked_sub(1) {
                Some(before) => vec![Node::Stage(before)],
                None => (0..self.source_schemas.len()).map(Node::Source).collect(),
            };
        };
        let mut inputs = Vec::with_capacity(names.len());
        for WrittenText { place, text: name } in names {
            match self.node(name, stage) {
                Ok(node) if inputs.contains(&node) => {
                    problems.error(place, format!("`{}` is listed twice", clip(name)), "list each input once");
                }
                Ok(node) => inputs.push(node),
                Err((message, help)) => {
                    self.incomplete = true;
                    problems.error(place, message, help);
                }
            }
        }
        inputs
    }

    fn node(&self, name: &str, stage: Option<usize>) -> Result<Node, (String, String)> {
        let readable = |node: Node| match (node, stage) {
            (Node::Stage(index), Some(stage)) => index < stage,
            _ => true,
        };
        let node = self.nodes.get(name).copied();
        if let Some(node) = node.filter(|node| readable(*node)) {
            return Ok(node);
        }
        Err(match node {
            Some(Node::Stage(index)) if Some(index) == stage => {
                ("a stage cannot read its own output".to_owned(), "use a source or an earlier stage".to_owned())
            }
            Some(_) => {
                let message = format!("the stage `{}` comes later", clip(name));
                (message, "a stage can read only sources and earlier stages: move it below that stage".to_owned())
            }
            None if self.sinks.contains(&name) => {
                let message = format!("`{}` is a sink and cannot be read from", clip(name));
                (message, "use the input of that sink instead".to_owned())
            }
            None => {
                let candidates = self.nodes.iter().filter(|(_, node)| readable(**node)).map(|(name, _)| *name);
                let message = format!("source or stage `{}` does not exist", clip(name));
                (message, suggest(name, candidates, "there are"))
            }
        })
    }

    fn schema(&self, node: Node) -> Option<&Arc<Schema>> {
        match node {
            Node::Source(index) => self.source_schemas.get(index)?.as_ref(),
            Node::Stage(index) => self.stage_schemas.get(index)?.as_ref(),
        }
    }

    fn name(&self, node: Node) -> &str {
        self.nodes.iter().find(|(_, other)| **other == node).map_or("", |(name, _)| name)
    }

    /// The common schema of all inputs. Reports each that differs from the first.
    fn common_schema(
        &self,
        inputs: &[Node],
        input: &Input,
        reader: &KeyPlace,
        problems: &Problems,
    ) -> Option<Arc<Schema>> {
        let (&first, others) = inputs.split_first()?;
        let schema = self.schema(first);
        let mut alike = schema.is_some();
        for &other in others {
            let Some((schema, found)) = schema.zip(self.schema(other)) else {
                alike = false;
                continue;
            };
            if schema != found {
                alike = false;
                let mut names = input.value.iter().flatten();
                let named = names.find(|name| self.nodes.get(name.text.as_str()) == Some(&other));
                let place = named.map_or_else(|| reader.child("input", reader.offset), |named| named.place.clone());
                let message = format!(
                    "`{}` has the schema ({schema}), but `{}` has ({found})",
                    self.name(first),
                    self.name(other)
                );
                let help = match named {
                    Some(_) => "inputs that are read together must have the same fields in the same order",
                    None => "without `input`, all sources are read: set `input` to one of them",
                };
                problems.error(&place, message, help);
            }
        }
        schema.filter(|_| alike).map(Arc::clone)
    }
}
