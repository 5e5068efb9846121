//! Where attacks are run.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use weir_batch::arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use weir_batch::{Batch, DataType, Field, Schema};
use weir_hostile::Target;
use weir_sandbox::{Engine, EngineConfig, Limits, TenantId};

use crate::attempt::Attacker;
use crate::{RedteamError, process};

/// Rows of the batches that attackers are called with.
const ROWS: i64 = 1_000;

/// Where attacks are run: one engine and one set of threads, which attackers share with those they attack.
#[derive(Debug)]
pub struct Ground {
    // Taken by `drop`.
    runtime: Option<Runtime>,
    engine: Engine,
    config: EngineConfig,
    limits: Arc<Limits>,
    batch: Arc<Batch>,
}

impl Ground {
    /// An engine as the platform has it, and attackers under these limits. A code cache is left out: what is to be seen
    /// is what compiling costs.
    ///
    /// # Errors
    ///
    /// Limits or a machine with which nothing can be run.
    pub fn new(limits: &Limits, config: &EngineConfig) -> Result<Ground, RedteamError> {
        limits.validate()?;
        // Twice the cores: a guest holds its thread for a tick of the engine, and others should not wait for that.
        let runtime = Builder::new_multi_thread()
            .worker_threads(2 * process::cores())
            .thread_name("weir-redteam")
            .enable_time()
            .build()
            .map_err(RedteamError::Threads)?;
        let config = config.clone().with(|it| it.cache = None);
        let engine = Engine::new(&config)?;
        let batch = attacked_batch().map_err(|error| RedteamError::Victim(error.to_string()))?;
        Ok(Ground { runtime: Some(runtime), engine, config, limits: Arc::new(limits.clone()), batch: Arc::new(batch) })
    }

    /// The engine that attackers and victims share.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How the engine is set up.
    pub(crate) fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// What attackers may use.
    pub fn limits(&self) -> &Arc<Limits> {
        &self.limits
    }

    /// The rows that attackers are called with: `n` 0 to 999, `s` `record_{n}`, `f` 1.5 times `n`.
    pub fn batch(&self) -> &Arc<Batch> {
        &self.batch
    }

    /// The limits that attacks know, so that they go just beyond them.
    pub fn target(&self) -> Target {
        let limits = &self.limits;
        Target {
            module_bytes_max: limits.module_bytes_max,
            memory_bytes_max: limits.memory_bytes_max,
            table_elements_max: limits.table_elements_max,
            output_rows_max: limits.output_rows_max,
            output_rows_per_input_max: limits.output_rows_per_input_max,
            output_bytes_max: limits.output_bytes_max,
            log_line_bytes_max: limits.log_line_bytes_max,
            log_lines_batch_max: limits.log_lines_batch_max,
            series_max: limits.series_max,
        }
    }

    /// Runs a future on this thread.
    ///
    /// # Panics
    ///
    /// Within a task of a runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(future)
    }

    pub(crate) fn spawn<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime().spawn(future)
    }

    /// A tenant of this name, which attacks.
    pub(crate) fn attacker(&self, name: &str) -> Attacker {
        Attacker::new(&self.engine, tenant(name), &self.limits, &self.batch)
    }

    /// The longest that an attempt may take before it counts as never ended: what its limits allow, and a while.
    pub(crate) fn patience(&self) -> Duration {
        let limits = &self.limits;
        let calls = 4 * (limits.deadline_ms_max + limits.deadline_init_ms_max);
        Duration::from_millis(calls) + Duration::from_secs(4 * limits.compile_cpu_s_max + 20)
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("taken by drop only")
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // A guest that holds its thread for ever is a finding, and must not keep the report from being printed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A name as a tenant's: what no tenant may have in it becomes `_`.
pub(crate) fn tenant(name: &str) -> TenantId {
    let name: String = name
        .chars()
        .map(|letter| letter.to_ascii_lowercase())
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .take(60)
        .collect();
    format!("t-{name}").parse().expect("letters, digits and `_` after a letter")
}

fn attacked_batch() -> Result<Batch, weir_batch::BatchError> {
    let schema = Schema::new(vec![
        Field::new("n", DataType::I64),
        Field::new("s", DataType::Utf8),
        Field::new("f", DataType::F64),
    ])?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new((0..ROWS).collect::<Int64Array>()),
        Arc::new((0..ROWS).map(|n| Some(format!("record_{n}"))).collect::<StringArray>()),
        Arc::new((0..ROWS).map(|n| Some(n as f64 * 1.5)).collect::<Float64Array>()),
    ];
    Batch::new(Arc::new(schema), columns)
}
