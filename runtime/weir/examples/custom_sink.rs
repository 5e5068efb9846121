//! A sink of the program's own: `cargo run --package weir --features examples --example custom_sink`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use weir::{Batch, Engine, EngineConfig, Loader, Query, Schema, Sink, SinkConnector, SinkError, SinkStats, Written};

const QUERY: &str = r#"
name = "rows"

[sources.seed]
kind = "generator"
batches = 12

[sinks.rows]
kind = "custom"
connector = "rows"
"#;

/// Counts the rows that were flushed.
#[derive(Clone, Default)]
struct Rows(Arc<AtomicU64>);

/// Counts rows, and tells them at a flush.
struct RowSink {
    rows: Rows,
    written: u64,
    stats: SinkStats,
}

#[async_trait]
impl SinkConnector for Rows {
    fn validate(&self, options: &BTreeMap<String, String>) -> Result<(), String> {
        if options.is_empty() { Ok(()) } else { Err("there are no options".to_owned()) }
    }

    async fn open(&self, _: &BTreeMap<String, String>, _: &Arc<Schema>) -> Result<Box<dyn Sink>, SinkError> {
        Ok(Box::new(RowSink { rows: self.clone(), written: 0, stats: SinkStats::default() }))
    }
}

#[async_trait]
impl Sink for RowSink {
    async fn write(&mut self, batch: Arc<Batch>) -> Result<Written, SinkError> {
        self.written += batch.rows() as u64;
        self.stats.records += batch.rows() as u64;
        self.stats.batches += 1;
        Ok(Written::default())
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        self.rows.0.fetch_add(std::mem::take(&mut self.written), Ordering::Relaxed);
        Ok(())
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        self.flush().await
    }

    fn stats(&self) -> SinkStats {
        self.stats
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    println!("{} rows", run().await?);
    Ok(())
}

/// How many rows came.
pub(crate) async fn run() -> Result<u64, Box<dyn Error>> {
    let rows = Rows::default();
    let loader = Loader::new().sink("rows", rows.clone());
    let plan = loader.parse(QUERY, Path::new(".")).map_err(|mistakes| mistakes[0].to_string())?;
    Query::build(plan, &Engine::new(&EngineConfig::default())?).await?.run().await?;
    Ok(rows.0.load(Ordering::Relaxed))
}
