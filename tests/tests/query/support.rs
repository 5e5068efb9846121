//! Building queries in a test, and reading back what came of them.

use std::path::Path;
use std::sync::Arc;

use weir_batch::Batch;
use weir_batch::arrow::array::{Array, Int64Array};
use weir_plan::{LimitsFile, Plan};
use weir_query::{Query, QueryHandle, RunError, SinkOverrides, Summary};
use weir_sandbox::{CacheConfig, Engine, EngineConfig};
use weir_sinks::{MemoryHandle, MemorySink, Sink};
use weir_tests::guest_path;

/// One engine for all tests of the process, as a runtime has one. Where each test is a process, one compiles a guest and
/// the others find it.
pub(crate) fn engine() -> Engine {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    let make = || {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("code");
        let cache = Some(CacheConfig::new(folder, 256 << 20));
        Engine::new(&EngineConfig::default().with(|it| it.cache = cache)).expect("an engine")
    };
    ENGINE.get_or_init(make).clone()
}

/// A query text, put together line by line.
pub(crate) struct Text(String);

impl Text {
    pub(crate) fn new() -> Text {
        Text("name = \"test\"\n".to_owned())
    }

    /// `batches` thousand records of the seed workload: `id` of 0 to 999 in each.
    pub(crate) fn seed(self, name: &str, batches: u64) -> Text {
        self.add(&format!("[sources.{name}]\nkind = \"generator\"\nbatches = {batches}"))
    }

    /// A stage; `rest` holds further keys, a line each.
    pub(crate) fn stage(self, name: &str, module: &str, function: &str, rest: &str) -> Text {
        let module = guest_path(module).expect("a built guest");
        self.add(&format!("[[stages]]\nname = \"{name}\"\nmodule = {module:?}\nfunction = \"{function}\"\n{rest}"))
    }

    /// A sink that counts, unless the test gives another for its name.
    pub(crate) fn sink(self, name: &str, rest: &str) -> Text {
        self.add(&format!("[sinks.{name}]\nkind = \"count\"\n{rest}"))
    }

    /// The same with one piece of it, which occurs once, replaced.
    pub(crate) fn replace(self, from: &str, to: &str) -> Text {
        assert_eq!(self.0.matches(from).count(), 1, "{from:?} in {}", self.0);
        Text(self.0.replace(from, to))
    }

    pub(crate) fn add(mut self, text: &str) -> Text {
        self.0.push_str(text);
        self.0.push('\n');
        self
    }

    /// The plan within these limits, as a limits file says them.
    pub(crate) fn plan_within(&self, folder: &Path, limits: &str) -> Plan {
        // These queries name no tenant, unless a test is about tenants.
        let limits = &match limits.contains("[tenants.default]") {
            true => limits.to_owned(),
            false => format!("unknown_tenants = \"defaults\"\n{limits}"),
        };
        let limits = LimitsFile::parse(limits, folder).unwrap_or_else(|problems| panic!("{problems:#?}\n{limits}"));
        Plan::parse_with(&self.0, folder, &limits).unwrap_or_else(|problems| panic!("{problems:#?}\n{}", self.0))
    }

    pub(crate) fn plan(&self, folder: &Path) -> Plan {
        Plan::parse(&self.0, folder).unwrap_or_else(|problems| panic!("{problems:#?}\n{}", self.0))
    }
}

/// Runs the query with these sinks in place of its own.
pub(crate) async fn run(text: &Text, folder: &Path, sinks: SinkOverrides) -> Result<Summary, RunError> {
    run_with(text, folder, sinks, |_| ()).await
}

/// As [`run`], with a look at the handle before it starts.
pub(crate) async fn run_with(
    text: &Text,
    folder: &Path,
    sinks: SinkOverrides,
    start: impl FnOnce(QueryHandle),
) -> Result<Summary, RunError> {
    let query = Query::build_with(text.plan(folder), &engine(), sinks).await.expect("a query");
    start(query.handle());
    query.run().await
}

/// A memory sink for the sink `name` of the query, and the handle to read it by.
pub(crate) fn memory(text: &Text, folder: &Path, name: &str) -> (MemoryHandle, SinkOverrides) {
    let plan = text.plan(folder);
    let sink = plan.sinks.iter().find(|sink| &*sink.name == name).expect("the sink");
    let handle = MemoryHandle::default();
    let sink: Box<dyn Sink> = Box::new(MemorySink::new(&sink.schema, handle.clone()));
    (handle, SinkOverrides::from([(name.to_owned(), sink)]))
}

/// The `id` of every record, in order.
pub(crate) fn ids(batches: &[Arc<Batch>]) -> Vec<i64> {
    numbers(batches, "id")
}

/// An i64 field of every record, in order.
pub(crate) fn numbers(batches: &[Arc<Batch>], field: &str) -> Vec<i64> {
    let mut numbers = Vec::new();
    for batch in batches {
        let rows = batch.to_arrow().expect("columns");
        let column = rows.column_by_name(field).expect("the field");
        numbers.extend(column.as_any().downcast_ref::<Int64Array>().expect("i64").values());
    }
    numbers
}

/// The value of a counter without labels.
pub(crate) fn counter(summary: &Summary, name: &str) -> f64 {
    let series = summary.metrics.iter().find(|series| series.metric == name && series.labels.is_empty());
    match series.map(|series| &series.reading) {
        Some(weir_query::Reading::Counter { total }) => *total,
        other => panic!("`{name}` is {other:?}"),
    }
}
