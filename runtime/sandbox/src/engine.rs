//! The process's one engine.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Deserialize;
use wasmtime::{
    Config, Enabled, InstanceAllocationStrategy, Linker, OptLevel, PoolingAllocationConfig, Strategy,
    WasmBacktraceDetails,
};

use crate::state::State;
use crate::{Limits, Module, Refusal, TenantId, admission, host};

/// How the engine is set up; each field falls back to its default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Instances that may live at once. Each reserves 4 GiB of address space, of which a process has 128 TiB; memory
    /// is taken only as it is used. Default 1,000; where the machine does not give the address space, the engine goes
    /// down step by step: see [`Engine::instances_max`].
    pub instances_max: u32,
    /// Whether fuel is metered at all. Default true: without it the same guest may be stopped at different places
    /// from run to run, and figures of cost are missing. Off saves 3-12 % of a guest's time.
    pub fuel: bool,
    /// How often a running guest gives way to other tasks and its deadline is looked at. Default 2 ms: a task waits
    /// no longer than that for each long guest before it, and the check costs a guest nothing that can be measured.
    pub epoch_tick_ms: u64,
    /// Stack of a guest's calls. Default 512 KiB.
    pub guest_stack_bytes: usize,
    /// Memory of a slot that is kept and cleared, instead of being given back, when its instance ends. Default
    /// 512 KiB: what a typical guest touches.
    pub keep_resident_bytes: usize,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        EngineConfig {
            instances_max: 1_000,
            fuel: true,
            epoch_tick_ms: 2,
            guest_stack_bytes: 512 << 10,
            keep_resident_bytes: 512 << 10,
        }
    }
}

/// An engine that could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A value that makes no sense.
    #[error("{name}: {value} is out of range: use {least} to {most}")]
    Config {
        /// The field.
        name: &'static str,
        /// Its value.
        value: u64,
        /// The least value that makes sense.
        least: u64,
        /// The greatest.
        most: u64,
    },
    /// wasmtime refused even the smallest set-up.
    #[error("the engine could not be set up: {0}")]
    Wasmtime(String),
    /// No thread for the ticker.
    #[error("the engine's ticker could not be started")]
    Ticker(#[source] std::io::Error),
}

/// The compiler, the pool of instances and the ticker. One a process; a clone is a reference count.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    engine: wasmtime::Engine,
    linker: Linker<State>,
    fuel: bool,
    instances_max: u32,
    // Dropped with the last clone, which ends the ticker's thread.
    _ticker: Ticker,
}

impl Engine {
    /// Sets up compiler, pool and ticker.
    ///
    /// # Errors
    ///
    /// Values that make no sense, or a machine that does not give what is needed.
    pub fn new(config: &EngineConfig) -> Result<Engine, EngineError> {
        config.validate()?;
        let (engine, instances_max) = config.build()?;
        let failed = |error: wasmtime::Error| EngineError::Wasmtime(format!("{error:#}"));
        let linker = host::linker(&engine).map_err(failed)?;
        let ticker = Ticker::start(engine.clone(), Duration::from_millis(config.epoch_tick_ms))?;
        Ok(Engine { inner: Arc::new(Inner { engine, linker, fuel: config.fuel, instances_max, _ticker: ticker }) })
    }

    /// Checks a module and compiles it. Nothing of it runs. Takes tens of milliseconds of the calling thread.
    ///
    /// # Errors
    ///
    /// The first thing that keeps the module from being admitted.
    pub fn admit(&self, tenant: &TenantId, bytes: &[u8], limits: &Limits) -> Result<Arc<Module>, Refusal> {
        limits.validate()?;
        let admitted = admission::check(bytes, limits)?;
        let started = Instant::now();
        let compiled = wasmtime::Module::new(&self.inner.engine, bytes)
            .map_err(|error| Refusal::Compile(crate::text::clean_to(&format!("{error:#}"), 400)))?;
        Module::new(self, tenant, bytes, admitted, compiled, started.elapsed(), limits)
    }

    /// How many instances may live at once: what was configured, or as many as the machine gave room for.
    pub fn instances_max(&self) -> u32 {
        self.inner.instances_max
    }

    /// Whether fuel is metered.
    pub fn fuel(&self) -> bool {
        self.inner.fuel
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner.engine
    }

    pub(crate) fn linker(&self) -> &Linker<State> {
        &self.inner.linker
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { fuel, instances_max, .. } = &*self.inner;
        f.debug_struct("Engine").field("fuel", fuel).field("instances_max", instances_max).finish_non_exhaustive()
    }
}

impl EngineConfig {
    fn validate(&self) -> Result<(), EngineError> {
        let ranges = [
            ("instances_max", u64::from(self.instances_max), 1, 20_000),
            ("epoch_tick_ms", self.epoch_tick_ms, 1, 1_000),
            ("guest_stack_bytes", self.guest_stack_bytes as u64, 16 << 10, 8 << 20),
            ("keep_resident_bytes", self.keep_resident_bytes as u64, 0, 1 << 30),
        ];
        match ranges.into_iter().find(|&(_, value, least, most)| value < least || value > most) {
            Some((name, value, least, most)) => Err(EngineError::Config { name, value, least, most }),
            None => Ok(()),
        }
    }

    /// The engine, and how many instances it has room for: fewer than asked for where address space is short.
    fn build(&self) -> Result<(wasmtime::Engine, u32), EngineError> {
        let mut instances = self.instances_max;
        loop {
            match wasmtime::Engine::new(&self.wasmtime(instances)) {
                Ok(engine) => return Ok((engine, instances)),
                Err(error) if instances == 1 => return Err(EngineError::Wasmtime(format!("{error:#}"))),
                Err(error) => {
                    let fewer = (instances / 4).max(1);
                    tracing::warn!("no room for {instances} instances, trying {fewer}: {error:#}");
                    instances = fewer;
                }
            }
        }
    }

    fn wasmtime(&self, instances: u32) -> Config {
        let mut pool = PoolingAllocationConfig::new();
        pool.total_core_instances(instances)
            .total_memories(instances)
            .total_tables(instances.saturating_mul(admission::TABLES_MAX))
            .total_stacks(instances)
            .total_gc_heaps(0)
            .max_memories_per_module(1)
            .max_tables_per_module(admission::TABLES_MAX)
            // The tenant's own limits are held by the store's limiter; these are what a slot can hold at most.
            .max_memory_size(4 << 30)
            .table_elements(100_000)
            .linear_memory_keep_resident(self.keep_resident_bytes)
            .table_keep_resident(64 << 10)
            .async_stack_keep_resident(64 << 10)
            .pagemap_scan(Enabled::Auto);

        let mut config = Config::new();
        config
            .strategy(Strategy::Cranelift)
            .cranelift_opt_level(OptLevel::Speed)
            .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
            .memory_init_cow(true)
            .max_wasm_stack(self.guest_stack_bytes)
            // Host functions run on the guest's stack and need room beside it.
            .async_stack_size(self.guest_stack_bytes + (1 << 20))
            .consume_fuel(self.fuel)
            .epoch_interruption(true)
            .wasm_backtrace_details(WasmBacktraceDetails::Disable)
            // Replay gives the same bytes.
            .cranelift_nan_canonicalization(true)
            .relaxed_simd_deterministic(true)
            .wasm_reference_types(true)
            .wasm_bulk_memory(true)
            .wasm_multi_value(true)
            .wasm_simd(true)
            .wasm_relaxed_simd(true)
            .wasm_gc(false)
            .gc_support(false)
            .wasm_function_references(false)
            .wasm_exceptions(false)
            .wasm_tail_call(false)
            .wasm_memory64(false)
            .wasm_multi_memory(false)
            .wasm_wide_arithmetic(false)
            .wasm_custom_page_sizes(false)
            .wasm_stack_switching(false)
            .wasm_extended_const(false)
            .wasm_shared_everything_threads(false)
            .shared_memory(false);
        config
    }
}

/// Moves the engine's epoch on at a steady pace, until it is dropped.
struct Ticker {
    // Dropping the sender wakes the thread and ends it.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(engine: wasmtime::Engine, tick: Duration) -> Result<Ticker, EngineError> {
        let (stop, stopped) = mpsc::channel();
        let run = move || {
            while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                engine.increment_epoch();
            }
        };
        let thread = thread::Builder::new().name("weir-epoch".to_owned()).spawn(run).map_err(EngineError::Ticker)?;
        Ok(Ticker { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the engine's ticker panicked");
        }
    }
}
