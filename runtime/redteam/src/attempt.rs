//! One attempt of an attack: an upload, and three batches if it was admitted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_batch::Batch;
use weir_sandbox::{CallError, Carry, Engine, Instance, Limits, Module, TenantId, TrapCause};

/// Batches of an attempt, in a row and on one instance: what is left of one must not help the next. One that used up
/// its time or fuel is the last.
const CALLS: usize = 3;

/// A tenant that attacks.
#[derive(Clone, Debug)]
pub(crate) struct Attacker {
    engine: Engine,
    tenant: TenantId,
    limits: Arc<Limits>,
    batch: Arc<Batch>,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The module was not admitted.
    Refused { code: &'static str, text: String },
    /// It was called, and these calls ended without an answer.
    Called { ends: Vec<End> },
    /// This program failed.
    Broken { text: String },
}

/// A call that ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) code: &'static str,
    pub(crate) text: String,
    /// Since the call was made.
    pub(crate) after: Duration,
    /// Beyond the deadline, where that ended it.
    pub(crate) beyond: Option<Duration>,
}

impl Attacker {
    pub(crate) fn new(engine: &Engine, tenant: TenantId, limits: &Arc<Limits>, batch: &Arc<Batch>) -> Attacker {
        Attacker { engine: engine.clone(), tenant, limits: Arc::clone(limits), batch: Arc::clone(batch) }
    }

    /// Hands the bytes in, and calls the first function if they are admitted.
    pub(crate) async fn attempt(&self, bytes: &Arc<Vec<u8>>) -> Attempt {
        let module = match self.upload(bytes).await {
            Ok(module) => module,
            Err(ended) => return ended,
        };
        let mut instance = match self.instance(&module) {
            Ok(instance) => instance,
            Err(text) => return Attempt::Broken { text },
        };
        let mut ends = Vec::new();
        for _ in 0..CALLS {
            let started = Instant::now();
            if let Err(error) = instance.call(&self.batch).await {
                let end = End::new(&error, started.elapsed());
                // The next would begin anew and take as long again.
                let spent = end.is_of_time();
                ends.push(end);
                if spent {
                    break;
                }
            }
            // A stage waits for its next batch between calls.
            tokio::task::yield_now().await;
        }
        Attempt::Called { ends }
    }

    /// Compiles on a thread of its own, as a server would: the threads of guests are for guests.
    async fn upload(&self, bytes: &Arc<Vec<u8>>) -> Result<Arc<Module>, Attempt> {
        let (this, bytes) = (self.clone(), Arc::clone(bytes));
        let admitted = tokio::task::spawn_blocking(move || this.engine.admit(&this.tenant, &bytes, &this.limits)).await;
        match admitted {
            Ok(Ok(module)) => Ok(module),
            Ok(Err(refusal)) => Err(Attempt::Refused { code: refusal.code(), text: refusal.to_string() }),
            Err(panicked) => Err(Attempt::Broken { text: format!("the upload ended this thread: {panicked}") }),
        }
    }

    /// The first function over the batches' schema.
    pub(crate) fn instance(&self, module: &Arc<Module>) -> Result<Instance, String> {
        let function = module.manifest().functions.first().ok_or("the manifest has no function")?;
        let bound = function.bind(self.batch.schema(), &Carry::None, &BTreeMap::new());
        let bound = bound.map_err(|errors| {
            let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
            format!("the function does not fit the stream: {}", errors.join("; "))
        })?;
        Ok(Instance::new(module, &Arc::new(bound), &self.limits))
    }
}

impl End {
    pub(crate) fn new(error: &CallError, after: Duration) -> End {
        let beyond = match error.cause {
            // What it waited while others ran does not count against a deadline.
            TrapCause::Deadline { limit_ms } => {
                Some(after.saturating_sub(error.context.usage.waited + Duration::from_millis(limit_ms)))
            }
            _ => None,
        };
        let mut text = error.cause.to_string();
        if let Some(words) = &error.context.last_words {
            text.push_str(": ");
            text.push_str(words);
        }
        End { code: error.code(), text, after, beyond }
    }

    /// Whether it was ended by a limit of time or fuel.
    pub(crate) fn is_of_time(&self) -> bool {
        matches!(self.code, "deadline" | "out_of_fuel")
    }
}
