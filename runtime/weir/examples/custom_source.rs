//! A source of the program's own: `cargo run --package weir --features examples --example custom_source`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use weir::arrow::array::{ArrayRef, Int64Array};
use weir::{
    Batch, DataType, Engine, EngineConfig, Fault, Field, Loader, MemoryHandle, Partition, Positions, Query, Schema,
    Source, SourceBatch, SourceConnector, SourceError, SourceEvent,
};

const QUERY: &str = r#"
name = "squares"

[sources.numbers]
kind = "custom"
connector = "squares"
options = { first = 3, last = 7 }

[sinks.out]
kind = "custom"
connector = "memory"
"#;

/// Makes squares of numbers.
struct Squares;

/// The squares from `next` to `last`.
struct SquareSource {
    schema: Arc<Schema>,
    next: i64,
    last: i64,
}

fn number(options: &BTreeMap<String, String>, name: &str) -> Result<i64, String> {
    let text = options.get(name).ok_or_else(|| format!("option `{name}` is missing"))?;
    text.parse().map_err(|_| format!("option `{name}` is no integer"))
}

fn schema() -> Result<Schema, String> {
    Schema::new(vec![Field::new("square", DataType::I64)]).map_err(|error| error.to_string())
}

impl SourceConnector for Squares {
    fn schema(&self, options: &BTreeMap<String, String>) -> Result<Schema, String> {
        number(options, "first")?;
        number(options, "last")?;
        schema()
    }

    fn open(&self, options: &BTreeMap<String, String>) -> Result<Box<dyn Source>, SourceError> {
        let open = || Ok((schema()?, number(options, "first")?, number(options, "last")?));
        let (schema, next, last) =
            open().map_err(|reason| SourceError::Custom { reason, fault: Fault::Tenant, retryable: false })?;
        Ok(Box::new(SquareSource { schema: Arc::new(schema), next, last }))
    }
}

#[async_trait]
impl Source for SquareSource {
    fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    async fn seek(&mut self, positions: &Positions) -> Result<(), SourceError> {
        // There is one partition; its position is the number that comes next.
        if let Some((_, next)) = positions.iter().next() {
            self.next = next;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<SourceEvent>, SourceError> {
        if self.next > self.last {
            return Ok(None);
        }
        let squares: ArrayRef = Arc::new(Int64Array::from_iter_values((self.next..=self.last).map(|it| it * it)));
        let batch = Batch::new(Arc::clone(&self.schema), vec![squares])?;
        self.next = self.last + 1;
        let numbers = Partition::new("numbers", 0);
        let positions = Positions::from_iter([(numbers, self.next)]);
        Ok(Some(SourceEvent::Batch(SourceBatch::new(batch, positions))))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{:?}", run(QUERY).await?);
    Ok(())
}

/// The squares that a query file asks for.
pub(crate) async fn run(query: &str) -> Result<Vec<i64>, Box<dyn Error>> {
    use weir::arrow::array::AsArray;
    use weir::arrow::datatypes::Int64Type;
    let memory = MemoryHandle::new();
    let loader = Loader::new().source("squares", Squares).sink("memory", memory.clone());
    let plan = loader.parse(query, Path::new(".")).map_err(|mistakes| mistakes[0].to_string())?;
    Query::build(plan, &Engine::new(&EngineConfig::default())?).await?.run().await?;
    let batches = memory.batches();
    Ok(batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect())
}

/// The query file above.
pub(crate) const fn query() -> &'static str {
    QUERY
}
