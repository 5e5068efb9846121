//! Feeds batches from memory, and reads what comes of them back: `cargo run --package weir --features examples --example memory`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use weir::arrow::array::{ArrayRef, Int64Array, StringArray};
use weir::{Batch, DataType, Engine, EngineConfig, Field, Loader, MemoryBatches, MemoryHandle, Query, Schema};

const QUERY: &str = r#"
name = "late"

[sources.arrivals]
kind = "custom"
connector = "arrivals"

[[stages]]
name = "late"
module = "target/guests/wasm32-unknown-unknown/release/flights.wasm"
function = "late"
params = { min_delay = 60 }

[sinks.kept]
kind = "custom"
connector = "late"
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for batch in run().await? {
        println!("{batch}");
    }
    Ok(())
}

/// The late ones of three arrivals.
pub(crate) async fn run() -> Result<Vec<Arc<Batch>>, Box<dyn Error>> {
    let fields = vec![
        Field::new("delay", DataType::I64),
        Field::new("origin", DataType::Utf8),
        Field::new("destination", DataType::Utf8),
    ];
    let schema = Arc::new(Schema::new(fields)?);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![61, 5, 90])),
        Arc::new(StringArray::from(vec!["SEA", "LAX", "JFK"])),
        Arc::new(StringArray::from(vec!["DEN", "SEA", "BOS"])),
    ];
    let batch = Arc::new(Batch::new(Arc::clone(&schema), columns)?);

    let late = MemoryHandle::new();
    let loader = Loader::new().source("arrivals", MemoryBatches::new(&schema, [batch])).sink("late", late.clone());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let plan = loader.parse(QUERY, &root).map_err(|mistakes| mistakes[0].to_string())?;
    Query::build(plan, &Engine::new(&EngineConfig::default())?).await?.run().await?;
    Ok(late.batches())
}
