//! Runs a query file inside a program, and watches it: `cargo run --package weir --features examples --example embed`.

use std::error::Error;
use std::path::Path;

use weir::{Engine, EngineConfig, Loader, Query};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/seed.toml")).await
}

/// Runs a query file to its end.
pub(crate) async fn run(path: &Path) -> Result<(), Box<dyn Error>> {
    let plan = Loader::new().load(path)?;
    let engine = Engine::new(&EngineConfig::default())?;
    let query = Query::build(plan, &engine).await?;
    // From any thread, while it runs: `progress()`, `pause()`, `stop()`.
    let handle = query.handle();
    let summary = query.run().await?;
    println!("{}: {:?}", handle.query(), summary.ending);
    for stage in &summary.progress.stages {
        println!("{}: {} records in, {} out", stage.name, stage.records_in, stage.records_out);
    }
    Ok(())
}
