//! The engine of a worker.

use std::sync::{Arc, Mutex, PoisonError};

use weir_plan::Plan;
use weir_sandbox::{Engine, EngineConfig, Limits, SharedCodeSource, TrustedWindow};

use crate::code::Questions;
use crate::{WorkerError, WorkerSettings};

/// Instances for which there is room at least: for queries that come when the engine is there already.
const INSTANCES_LEAST: usize = 4;

/// The engine, made when the first query runs: by then the worker knows what its queries need, and the pool is no larger than that.
/// A worker whose queries have not begun has neither a pool nor a ticker. Clones share it.
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
    needed: Vec<(Limits, usize)>,
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

    /// Notes what a query needs that may run.
    pub(crate) fn expect(&self, plan: &Plan) {
        // The instances count once, the sizes of each stage.
        let instances = std::iter::once(plan.instances_max()).chain(std::iter::repeat(0));
        let needed = plan.stages.iter().zip(instances).map(|(stage, instances)| (stage.limits.clone(), instances));
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).needed.extend(needed);
    }

    /// The engine. The first call makes it, which starts a thread: to be called after the process was confined.
    pub(crate) fn get(&self) -> Result<Engine, WorkerError> {
        // Nothing under the lock panics half way through a change.
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &state.engine {
            return Ok(engine.clone());
        }
        let defaults = Limits::default();
        let needed = state.needed.iter().map(|(limits, instances)| (limits, *instances));
        let room = EngineConfig::for_limits(needed.chain([(&defaults, INSTANCES_LEAST)]));
        let config = room.with(|config| {
            config.instances_max = config.instances_max.min(self.shared.instances_most);
            config.guests_running_max = self.shared.cores;
            config.window.clone_from(&self.shared.window);
            config.code_source = Some(SharedCodeSource::new(self.shared.questions.clone()));
        });
        let engine = Engine::new(&config)?;
        state.engine = Some(engine.clone());
        Ok(engine)
    }
}
