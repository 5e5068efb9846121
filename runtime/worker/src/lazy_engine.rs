//! The engine of a worker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_sandbox::{Engine, EngineConfig, Limits, SharedCodeSource, TrustedWindow};

use crate::code::Questions;
use crate::{WorkerError, WorkerSettings};

/// The engine, made when the first query runs, with a pool that is no larger than the limits of its tenants allow, which come with the
/// queries. A worker whose queries have not begun has neither a pool nor a ticker. Clones share it.
#[derive(Clone)]
pub(crate) struct LazyEngine {
    shared: Arc<Shared>,
}

struct Shared {
    instances_most: u32,
    cores: usize,
    window: Option<TrustedWindow>,
    questions: Questions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    tenants: BTreeMap<String, Limits>,
    engine: Option<Engine>,
}

impl LazyEngine {
    pub(crate) fn new(settings: &WorkerSettings, window: Option<TrustedWindow>, questions: &Questions) -> LazyEngine {
        let shared = Shared {
            instances_most: settings.instances_max.max(1),
            cores: usize::try_from(settings.cores).unwrap_or(1).max(1),
            window,
            questions: questions.clone(),
            state: Mutex::default(),
        };
        LazyEngine { shared: Arc::new(shared) }
    }

    /// Notes whose queries may run, when they are given to this process: none goes before all of them are there.
    pub(crate) fn expect(&self, tenant: &str, limits: &Limits) {
        self.state().tenants.insert(tenant.to_owned(), limits.clone());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock panics half way through a change.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The engine. The first call makes it, which starts a thread: to be called after the process was confined.
    pub(crate) fn get(&self) -> Result<Engine, WorkerError> {
        let Shared { instances_most, cores, window, questions, .. } = &*self.shared;
        let mut state = self.state();
        if let Some(engine) = &state.engine {
            return Ok(engine.clone());
        }
        // Not what the queries need that go first: those that go later would wait for a slot for ever.
        let tenants = state.tenants.values().map(|limits| (limits, limits.instances_max));
        let config = EngineConfig::for_limits(tenants).with(|config| {
            config.instances_max = config.instances_max.min(*instances_most);
            config.guests_running_max = *cores;
            config.window.clone_from(window);
            config.code_source = Some(SharedCodeSource::new(questions.clone()));
        });
        let engine = Engine::new(&config)?;
        state.engine = Some(engine.clone());
        Ok(engine)
    }
}
