//! The process's one engine.

mod admit;
mod in_place;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use wasmtime::Linker;
use weir_admission::{Cache, CodeSettings, TABLES_MOST, Trusted, TrustedWindow, Turnstile, load};

use crate::SharedCodeSource;
use crate::code::Code;
use crate::gate::Gate;
use crate::presence::Presences;
use crate::pulse::Pulse;
use crate::slices::GuestThreads;
use crate::slots::Slots;
use crate::state::StoreData;
use crate::ticker::Ticker;
use crate::{CacheConfig, CacheError, CacheUse, Compiler, Fault, Limits, Refusal, TenantId, Tier, host};

/// The most elements of a table that a limit allows.
const TABLE_ELEMENTS_MOST: u32 = 100_000;

/// How the engine is set up; each field falls back to its default.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct EngineConfig {
    /// Instances that may live at once. Each reserves 4 GiB of address space, of which a process has 128 TiB; memory
    /// is taken only as it is used. Default 1,000; where the machine does not give the address space, the engine goes
    /// down step by step: see [`Engine::instances_max`].
    pub instances_max: u32,
    /// Whether fuel is metered at all. Default true: without it the same guest may be stopped at different places
    /// from run to run, and figures of cost are missing. Off saves 3-12 % of a guest's time.
    pub fuel: bool,
    /// How often a running guest's deadline is looked at, and whether others wait for its place, for which it makes way
    /// then. Default 2 ms: a tenant waits no longer than that for each long guest before it, and the check costs a guest
    /// nothing that can be measured.
    pub epoch_tick_ms: u64,
    /// Tables of an instance. Default 8, as many as any limit allows.
    pub tables_max: u32,
    /// Elements of each table of an instance. Default 100,000, as many as any limit allows. Tables of a slot take 8 bytes of
    /// address space an element, which a limit of data (`RLIMIT_DATA`) counts.
    pub table_elements_max: u32,
    /// Stack of a guest's calls. Default 512 KiB.
    pub guest_stack_bytes: usize,
    /// Memory of a slot that is kept and cleared, instead of being given back, when its instance ends. Default
    /// 512 KiB: what a typical guest touches.
    pub keep_resident_bytes: usize,
    /// Guests that run at the same time. Default: one for each core. The runtime that polls calls should have more threads
    /// than that, or calls that end within a tick cannot queue by tenant, and are taken in whatever order it polls them.
    /// Those that take longer run on threads of the engine's own.
    pub guests_running_max: usize,
    /// Modules that are compiled at the same time, of different tenants. Default: half of the cores, and two at least, so that
    /// one tenant's dear module leaves room for another tenant's.
    pub compilations_max: usize,
    /// Whether modules are optimised; default true. Off, each stays as it is compiled first: half as fast, in a tenth of
    /// the time, by the simpler half of the compiler.
    pub optimise: bool,
    /// Where modules are compiled. Default: in this process, which is for modules that are trusted; a program that
    /// takes modules from tenants gives itself as a worker.
    #[serde(skip)]
    pub compiler: Compiler,
    /// The code window of a worker that makes no code executable; [`Engine::admit_in_place`] takes the place of [`Engine::admit`]
    /// then. Default: none.
    #[serde(skip)]
    pub window: Option<TrustedWindow>,
    /// Who puts code into the window when a module is admitted. Default: nobody, so that only [`Engine::admit_in_place`] works.
    #[serde(skip)]
    pub code_source: Option<SharedCodeSource>,
    /// Where compiled code is kept. Default: nowhere.
    #[serde(skip)]
    pub cache: Option<CacheConfig>,
}

impl Default for EngineConfig {
    fn default() -> EngineConfig {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        EngineConfig {
            instances_max: 1_000,
            fuel: true,
            epoch_tick_ms: 2,
            tables_max: u32::try_from(TABLES_MOST).unwrap_or(u32::MAX),
            table_elements_max: TABLE_ELEMENTS_MOST,
            guest_stack_bytes: 512 << 10,
            keep_resident_bytes: 512 << 10,
            guests_running_max: cores,
            compilations_max: cores.div_ceil(2).max(2),
            optimise: true,
            compiler: Compiler::InProcess,
            window: None,
            code_source: None,
            cache: None,
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
    /// The code cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

impl EngineError {
    /// Whose fault it is: the machine's, or of whoever set the engine up.
    pub fn fault(&self) -> Fault {
        match self {
            EngineError::Config { .. } | EngineError::Wasmtime(_) | EngineError::Ticker(_) => Fault::External,
            EngineError::Cache(error) => error.fault(),
        }
    }

    /// Whether the same may succeed later: a thread may be free then.
    pub fn retryable(&self) -> bool {
        matches!(self, EngineError::Ticker(_))
    }
}

/// The compiler, the pool of instances and the ticker. One a process; a clone is a reference count.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    config: EngineConfig,
    guarded: Variant,
    // Made when the first tenant asks for it: most processes have none.
    hardened: OnceLock<Result<Variant, String>>,
    presences: Presences,
    pulse: Arc<Pulse>,
    guest_threads: Arc<GuestThreads>,
    turnstile: Arc<Turnstile>,
    cache: Option<Cache>,
    // Dropped with the last clone, which ends the ticker's thread.
    ticker: Ticker,
}

/// An engine of wasmtime, for code of one form.
struct Variant {
    engine: wasmtime::Engine,
    linker: Linker<StoreData>,
    settings: CodeSettings,
    instances_max: u32,
}

impl Engine {
    /// Sets up compiler, pool and ticker.
    ///
    /// # Errors
    ///
    /// Values that make no sense, a machine that does not give what is needed, or a cache that cannot be used.
    pub fn new(config: &EngineConfig) -> Result<Engine, EngineError> {
        config.validate()?;
        let guarded = config.variant(false)?;
        let cache = config.cache.as_ref().map(Cache::open).transpose()?;
        let tick = Duration::from_millis(config.epoch_tick_ms);
        let gate = Arc::new(Gate::new(config.guests_running_max, tick));
        let pulse = Arc::new(Pulse::new(tick));
        let ticker = Ticker::start(tick, Arc::clone(&pulse), Arc::clone(&gate));
        let ticker = ticker.map_err(EngineError::Ticker)?;
        ticker.add(&guarded.engine);
        Ok(Engine {
            inner: Arc::new(Inner {
                config: config.clone(),
                guarded,
                hardened: OnceLock::new(),
                presences: Presences::new(gate),
                pulse,
                guest_threads: Arc::new(GuestThreads::new(config.guests_running_max)),
                turnstile: Turnstile::new(config.compilations_max),
                cache,
                ticker,
            }),
        })
    }

    /// Runs the tenant's functions again after a quarantine; whether there was one. A tenant is quarantined when the
    /// host panicked in one of its calls: until somebody has looked, that has to be taken for an attack that found
    /// something.
    pub fn release(&self, tenant: &TenantId) -> bool {
        self.inner.presences.release(tenant)
    }

    /// How many instances may live at once: what was configured, or as many as the machine gave room for.
    pub fn instances_max(&self) -> u32 {
        self.inner.guarded.instances_max
    }

    /// Whether fuel is metered.
    pub fn fuel(&self) -> bool {
        self.inner.config.fuel
    }

    /// Hits and misses of the code cache so far; zero without a cache.
    pub fn cache_use(&self) -> CacheUse {
        self.inner.cache.as_ref().map(Cache::counts).unwrap_or_default()
    }

    pub(crate) fn guest_threads(&self) -> &Arc<GuestThreads> {
        &self.inner.guest_threads
    }

    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.inner.pulse
    }

    pub(crate) fn presences(&self) -> &Presences {
        &self.inner.presences
    }

    fn variant(&self, hardened: bool) -> Result<&Variant, Refusal> {
        if !hardened {
            return Ok(&self.inner.guarded);
        }
        let made = self.inner.hardened.get_or_init(|| {
            let variant = self.inner.config.variant(true).map_err(|error| error.to_string())?;
            self.inner.ticker.add(&variant.engine);
            Ok(variant)
        });
        made.as_ref().map_err(|reason| Refusal::Engine(reason.clone()))
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("config", &self.inner.config).finish_non_exhaustive()
    }
}

impl Variant {
    /// Code that is ready to be instantiated, and within the tenant's limit.
    fn code(&self, code: &Trusted, tier: Tier, limits: &Limits) -> Result<Code, Refusal> {
        let module = load(&self.engine, code)?;
        Code::new(&self.linker, &module, tier, self.instances_max, limits)
    }
}

impl EngineConfig {
    /// Changes fields: `EngineConfig::default().with(|it| it.instances_max = 100)`.
    pub fn with(mut self, change: impl FnOnce(&mut EngineConfig)) -> EngineConfig {
        change(&mut self);
        self
    }

    /// A configuration for tenants with these limits, which need this many instances at once: a pool with a slot for each
    /// of them and one for its successor, and tables as large as the limits allow. A pool of the default size costs
    /// 2,000 mappings, 3 ms at the start of the process, and 6.4 MB of address space for the tables of a slot.
    ///
    /// ```
    /// use weir_sandbox::{EngineConfig, Limits};
    ///
    /// let limits = Limits::default();
    /// let config = EngineConfig::for_limits([(&limits, 3)]);
    /// assert_eq!((config.instances_max, config.tables_max, config.table_elements_max), (8, 4, 10_000));
    /// ```
    pub fn for_limits<'l>(tenants: impl IntoIterator<Item = (&'l Limits, usize)>) -> EngineConfig {
        let most = EngineConfig::default();
        let (mut instances, mut tables, mut elements) = (0_usize, 1, 1);
        for (limits, needed) in tenants {
            instances = instances.saturating_add(needed);
            tables = tables.max(limits.module.tables_max);
            elements = elements.max(limits.table_elements_max);
        }
        // A call that was dropped holds its slot until its next tick.
        let slots = instances.saturating_mul(2).saturating_add(2);
        let at_most = |value: usize, most: u32| u32::try_from(value).unwrap_or(u32::MAX).min(most);
        EngineConfig {
            instances_max: at_most(slots, most.instances_max),
            tables_max: at_most(tables, most.tables_max),
            table_elements_max: at_most(elements, most.table_elements_max),
            ..most
        }
    }

    fn validate(&self) -> Result<(), EngineError> {
        let ranges = [
            ("instances_max", u64::from(self.instances_max), 1, 20_000),
            ("epoch_tick_ms", self.epoch_tick_ms, 1, 1_000),
            ("tables_max", u64::from(self.tables_max), 1, TABLES_MOST as u64),
            ("table_elements_max", u64::from(self.table_elements_max), 1, u64::from(TABLE_ELEMENTS_MOST)),
            ("guest_stack_bytes", self.guest_stack_bytes as u64, 16 << 10, 8 << 20),
            ("keep_resident_bytes", self.keep_resident_bytes as u64, 0, 1 << 30),
            ("guests_running_max", self.guests_running_max as u64, 1, 1_024),
            ("compilations_max", self.compilations_max as u64, 1, 1_024),
        ];
        match ranges.into_iter().find(|&(_, value, least, most)| value < least || value > most) {
            Some((name, value, least, most)) => Err(EngineError::Config { name, value, least, most }),
            None => Ok(()),
        }
    }

    /// An engine with as many instances as asked for, or fewer where address space is short.
    fn variant(&self, hardened: bool) -> Result<Variant, EngineError> {
        let settings = CodeSettings { fuel: self.fuel, hardened };
        let mut instances = self.instances_max;
        let engine = loop {
            let slots = Slots {
                instances,
                tables: self.tables_max,
                table_elements: self.table_elements_max,
                guest_stack_bytes: self.guest_stack_bytes,
                keep_resident_bytes: self.keep_resident_bytes,
                hardened,
            };
            let mut config = settings.wasmtime(Tier::Optimised);
            slots.allot(&mut config);
            if let Some(window) = &self.window {
                window.set_up(&mut config);
            }
            match wasmtime::Engine::new(&config) {
                Ok(engine) => break engine,
                Err(error) if instances == 1 => return Err(EngineError::Wasmtime(format!("{error:#}"))),
                Err(error) => {
                    let fewer = (instances / 4).max(1);
                    tracing::warn!("no space left for {instances} instances, trying {fewer}: {error:#}");
                    instances = fewer;
                }
            }
        };
        let linker = host::linker(&engine).map_err(|error| EngineError::Wasmtime(format!("{error:#}")))?;
        Ok(Variant { engine, linker, settings, instances_max: instances })
    }
}
