//! Describes plans for people.

use std::fmt;
use std::path::Path;

use weir_admission::{FunctionKind, FunctionState, Isolation, OutputShape};
use weir_config::{ErrorPolicy, Guarantee, LossPolicy};
use weir_sinks::{SinkConfig, StdoutFormat};

use super::plan::{Batching, DeadLettersPlan, Node, Plan, Retry, SinkPlan, StagePlan};
use super::source_plan::{SourceKind, SourcePlan};
use weir_sources::OnChange;

/// The output of `weir check`: each source with its schema, each stage with its function and types, each sink, and the delivery
/// guarantee. Ends with a line end.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "query {} of tenant {}", self.name, self.tenant)?;
        for source in &self.sources {
            self.source(source, f)?;
        }
        for stage in &self.stages {
            self.stage(stage, f)?;
        }
        for sink in &self.sinks {
            self.sink(sink, f)?;
        }
        match self.delivery.guarantee {
            Guarantee::AtLeastOnce => f.write_str("delivery at least once, ")?,
            Guarantee::ExactlyOnce => f.write_str("delivery exactly once, ")?,
        }
        match self.delivery.commit_every {
            None => f.write_str("one commit at the end of the stream\n")?,
            Some(every) => writeln!(f, "committed every {} ms", every.as_millis())?,
        }
        if let Some(state) = &self.delivery.state {
            writeln!(f, "state in {}", state.display())?;
        }
        let Self { batching, .. } = self;
        write!(f, "batches of up to {} records or {} ms", batching.records_max, batching.delay_max.as_millis())?;
        let usual = Batching::default();
        if (batching.bytes_max, batching.record_bytes_max) != (usual.bytes_max, usual.record_bytes_max) {
            let (bytes_max, record_bytes_max) = (batching.bytes_max, batching.record_bytes_max);
            write!(f, ", {bytes_max} bytes, one record up to {record_bytes_max} bytes")?;
        }
        f.write_str("\n")?;
        match &self.dead_letters {
            None => {}
            Some(DeadLettersPlan::File(path)) => writeln!(f, "dead letters to {}", path.display())?,
            Some(DeadLettersPlan::Kafka(config)) => {
                writeln!(f, "dead letters to kafka {} at {}", config.topic, config.connection)?;
            }
        }
        if let Some(folders) = self.folders.paths() {
            let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
            writeln!(f, "all files within {}", folders.join(", "))?;
        }
        if self.topics.is_bounded() {
            writeln!(f, "all topics within {}", self.topics.topics_listed())?;
        }
        Ok(())
    }
}

impl Plan {
    fn source(&self, source: &SourcePlan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "source {}: ", source.name)?;
        match &source.kind {
            SourceKind::File { paths, format, declared, on_change, .. } => {
                write!(f, "{format} {}", paths.iter().map(|path| name(path)).collect::<Vec<_>>().join(", "))?;
                f.write_str(if *declared { ", schema declared" } else { ", schema of the file" })?;
                if *on_change == OnChange::Follow {
                    f.write_str(", changes followed")?;
                }
            }
            SourceKind::Letters(letters) => write!(f, "{letters}")?,
            SourceKind::Kafka(config) => super::kafka_describe::describe_source(config, f)?,
            SourceKind::Custom(source) => write!(f, "custom {}", source.name)?,
            SourceKind::Generator { batches } => write!(f, "generator, {batches} batches")?,
            SourceKind::Nexmark { stream, events } => write!(f, "nexmark {}, {events} events", stream.name())?,
        }
        writeln!(f, "{}", OnError(source.on_error))?;
        writeln!(f, "  gives {}", source.schema)
    }

    fn stage(&self, stage: &StagePlan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match stage.function.kind {
            FunctionKind::Metrics => "metrics",
            FunctionKind::Transform(OutputShape::Filter) => "filter",
            FunctionKind::Transform(OutputShape::Map) => "map",
            FunctionKind::Transform(OutputShape::FilterMap) => "filter-map",
            FunctionKind::Transform(OutputShape::FlatMap) => "flat-map",
        };
        write!(f, "stage {}: {kind} `{}` of {}", stage.name, stage.function.name, name(&stage.module_path))?;
        if stage.isolation == Isolation::FreshPerBatch {
            f.write_str(", a fresh instance each batch")?;
        }
        match stage.loss_policy() {
            Some(LossPolicy::Fail) => f.write_str(", fails if its state is lost")?,
            Some(LossPolicy::Warn) if stage.function.state == FunctionState::Kept => {
                f.write_str(", warns if its state is lost")?;
            }
            _ => {}
        }
        if let Some(retry) = &stage.retry {
            write!(f, ", retried {retry}, then")?;
        }
        writeln!(f, "{}", OnError(stage.on_error))?;
        for (param, value) in stage.function.params.iter().zip(stage.bound.params()) {
            match stage.params_of_environment.contains(&param.name) {
                true => writeln!(f, "  with {} from the environment", param.name)?,
                false => writeln!(f, "  with {} = {value}", param.name)?,
            }
        }
        for metric in &stage.function.metrics {
            let labels =
                if metric.labels.is_empty() { String::new() } else { format!(" by {}", metric.labels.join(", ")) };
            writeln!(f, "  records {} {}{labels}", metric.kind, metric.name)?;
        }
        writeln!(f, "  from  {}: {}", self.nodes(&stage.inputs), stage.bound.input_schema())?;
        writeln!(f, "  gives {}", stage.schema)
    }

    fn sink(&self, sink: &SinkPlan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sink {}: ", sink.name)?;
        match &sink.config {
            SinkConfig::Stdout(config) => match config.format {
                StdoutFormat::Table => write!(f, "standard output, a table of up to {} rows", config.rows_max)?,
                StdoutFormat::JsonLines => f.write_str("standard output as json_lines")?,
                StdoutFormat::Csv => f.write_str("standard output as csv")?,
            },
            SinkConfig::File(config) => {
                write!(f, "{} {}", config.format, config.path.display())?;
                if let Some(bytes) = config.rotate_bytes_max {
                    write!(f, ", a new file after {bytes} bytes")?;
                }
                if let Some(after) = config.rotate_after {
                    write!(f, ", a new file after {} ms", after.as_millis())?;
                }
                if config.is_numbered() {
                    f.write_str(", numbered")?;
                }
            }
            SinkConfig::Kafka(config) => super::kafka_describe::describe_sink(config, f)?,
            SinkConfig::Memory(_) => f.write_str("memory")?,
            SinkConfig::Custom(sink) => write!(f, "custom {}", sink.name)?,
            SinkConfig::Count => f.write_str("counts and drops")?,
        }
        write!(f, ", queue of {} batches", sink.queue_batches_max)?;
        if sink.on_error != ErrorPolicy::Fail {
            write!(f, ", on_error {}", sink.on_error.name())?;
        }
        if let Some(retry) = &sink.retry {
            write!(f, ", retried {retry}")?;
        }
        writeln!(f)?;
        writeln!(f, "  takes {}: {}", self.nodes(&sink.inputs), sink.schema)
    }

    fn nodes(&self, nodes: &[Node]) -> String {
        nodes.iter().map(|node| self.node_name(*node)).collect::<Vec<_>>().join(", ")
    }
}

/// `up to 5 times after 100 ms`.
impl fmt::Display for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "up to {} times after {} ms", self.times_max, self.backoff.as_millis())
    }
}

struct OnError(ErrorPolicy);

impl fmt::Display for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            ErrorPolicy::Fail => "",
            ErrorPolicy::Skip => ", bad records are skipped",
            ErrorPolicy::DeadLetter => ", bad records go to the dead letters",
        })
    }
}

/// The name of the file: the query file has the folder.
fn name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
