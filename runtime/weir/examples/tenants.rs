//! Two tenants with different limits in one process: `cargo run --package weir --features examples --example tenants`.

use std::error::Error;
use std::path::Path;

use weir::{Engine, EngineConfig, LimitsFile, Loader, Query};

const LIMITS: &str = r#"
unknown_tenants = "refuse"

[tenants.acme]
cpu_weight = 200

[tenants.zen]
fuel_batch_max = 100
"#;

/// The same query for either tenant. It needs more fuel than `zen` has.
fn query(tenant: &str) -> String {
    format!(
        r#"
name = "late"
tenant = "{tenant}"

[sources.flights]
kind = "file"
path = "data/flights-sample.parquet"

[[stages]]
name = "late"
module = "target/guests/wasm32-unknown-unknown/release/flights.wasm"
function = "late"
params = {{ min_delay = 60 }}

[sinks.count]
kind = "count"
"#
    )
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for (tenant, said) in run().await? {
        println!("{tenant}: {said}");
    }
    Ok(())
}

/// What became of each tenant's query.
pub(crate) async fn run() -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let limits = LimitsFile::parse(LIMITS, &root).map_err(|mistakes| mistakes[0].to_string())?;
    let loader = Loader::new().within(limits);
    let engine = Engine::new(&EngineConfig::default())?;
    let mut running = Vec::new();
    for tenant in ["acme", "zen", "nobody"] {
        let plan = loader.parse(&query(tenant), &root);
        let engine = engine.clone();
        running.push((
            tenant,
            tokio::spawn(async move {
                let plan = plan.map_err(|mistakes| mistakes[0].to_string())?;
                let built = Query::build(plan, &engine).await.map_err(|error| error.to_string())?;
                let summary = built.run().await.map_err(|error| error.cause.to_string())?;
                Ok::<String, String>(format!("{} records out", summary.progress.stages[0].records_out))
            }),
        ));
    }
    let mut said = Vec::new();
    for (tenant, task) in running {
        said.push((tenant, task.await?.unwrap_or_else(|error| format!("failed: {error}"))));
    }
    Ok(said)
}
