//! Instances of functions.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use wasmtime::{PoolConcurrencyLimitError, Store, Trap, TypedFunc, WasmBacktrace};
use weir_abi::{CALL_PREFIX, INIT_PREFIX, INITIALIZERS, MEMORY};
use weir_batch::Batch;
use weir_text::{escape_display, escape_to};

use crate::clock::Clock;
use crate::output::{Finished, FinishedRelation};
use crate::presence::Counted;
use crate::query_share::QueryShare;
use crate::shown::Shown;
use crate::slices::{GuestEnd, Runner, at_tick, contain_answer};
use crate::state::StoreData;
use crate::{
    Bound, CallContext, CallError, FunctionKind, Isolation, Limits, Malformed, MetricBatch, Module, Outcome,
    OutputShape, Phase, RowFailure, TrapCause, Usage,
};

/// The number of stack frames in an error, and the length of each.
const BACKTRACE_FRAMES_MAX: usize = 20;
const FRAME_CHARS_MAX: usize = 200;

/// A function of a module, bound to a stream, with one tenant's limits. Instantiated at the first call, and again after a call that
/// failed or was cancelled.
pub struct Instance {
    module: Arc<Module>,
    bound: Arc<Bound>,
    limits: Arc<Limits>,
    isolation: Isolation,
    // Taken out during a call, and put back only if the call succeeds.
    live: Option<Live>,
    instantiations: u64,
    clock: Arc<Clock>,
    share: QueryShare,
    // Whether the last call took long.
    long: bool,
}

/// A live instance, which occupies a slot of the pool.
struct Live {
    // Declared first: dropped before its slot counts as free.
    store: Store<StoreData>,
    call: TypedFunc<i32, i32>,
    counted: Counted,
    // The number of batches that it has processed.
    batches: u64,
}

impl Instance {
    /// An instance that is created later. `bound` must be for a function of this module.
    pub fn new(module: &Arc<Module>, bound: &Arc<Bound>, limits: &Limits) -> Instance {
        module.presence().account().adopt(limits);
        Instance {
            module: Arc::clone(module),
            bound: Arc::clone(bound),
            limits: Arc::new(limits.clone()),
            isolation: Isolation::Reuse,
            live: None,
            instantiations: 0,
            clock: Arc::new(Clock::new(module.engine().pulse())),
            share: QueryShare::common(module.presence()),
            long: false,
        }
    }

    /// Sets the isolation.
    pub fn with_isolation(mut self, isolation: Isolation) -> Instance {
        self.isolation = isolation;
        self
    }

    /// The same as one of a query, which has a share of its own in the tenant's part of the cores. A share of another tenant's
    /// query changes nothing.
    #[must_use]
    pub fn in_share(mut self, share: &QueryShare) -> Instance {
        if share.share().is_of(self.module.presence().account()) {
            self.share = share.clone();
        }
        self
    }

    /// The module.
    pub fn module(&self) -> &Arc<Module> {
        &self.module
    }

    /// The function, bound to its stream.
    pub fn bound(&self) -> &Arc<Bound> {
        &self.bound
    }

    /// Drops the state: the next call uses a new instance.
    pub fn forget(&mut self) {
        self.live = None;
    }

    /// How often it was instantiated.
    pub fn instantiations(&self) -> u64 {
        self.instantiations
    }

    /// The number of batches that the current instance has processed: state from these is lost when it is replaced. 0 if there is
    /// no instance, or each batch gets a new one.
    pub fn batches_seen(&self) -> u64 {
        self.live.as_ref().map_or(0, |live| live.batches)
    }

    /// Another instance of the same function, without state.
    #[must_use]
    pub fn anew(&self) -> Instance {
        Instance::new(&self.module, &self.bound, &self.limits).with_isolation(self.isolation).in_share(&self.share)
    }

    /// Calls the function with a batch. A call that lasts longer than a tick of the engine continues on a thread of the engine. If
    /// the future is dropped before its end, the instance is dropped at the next tick; there are no other effects.
    ///
    /// # Errors
    ///
    /// The cause of a failed call, whose output and metrics are discarded.
    pub async fn call(&mut self, batch: &Arc<Batch>) -> Result<Outcome, CallError> {
        let started = Instant::now();
        if !Arc::ptr_eq(batch.schema(), self.bound.input_schema()) && batch.schema() != self.bound.input_schema() {
            let (expected, found) = (self.bound.input_schema().to_string(), batch.schema().to_string());
            return Err(self.error(batch, Phase::Batch, TrapCause::Schema { expected, found }));
        }
        let shown = Shown::new(batch, &self.bound).map_err(|cause| self.error(batch, Phase::Batch, cause))?;
        if shown.batch.is_empty() {
            return self.unasked(batch, shown, started);
        }
        if let Some(reason) = self.module.presence().quarantined() {
            return Err(self.error(batch, Phase::Batch, TrapCause::Quarantined { reason }));
        }

        if self.live.is_none() {
            // A cancelled call may still run until its next tick, with its old clock.
            self.clock = Arc::new(Clock::new(self.module.engine().pulse()));
        }
        let engine = self.module.engine();
        let (threads, pulse, share) = (engine.guest_threads(), engine.pulse(), self.share.share());
        let mut runner = Runner::new(threads, share, &self.clock, pulse, started, self.long);
        let mut live = match self.live.take() {
            Some(live) => live,
            None => self.instantiate(batch, &mut runner).await?,
        };
        live.begin(&shown.batch, &self.limits);
        let rows = i32::try_from(shown.batch.rows()).map_err(|_| {
            let rows = shown.batch.rows();
            let cause = crate::LimitExceeded::count("rows of a batch", i32::MAX as usize, 0, rows);
            self.error(batch, Phase::Batch, cause.into())
        })?;
        let Live { store, call, counted, batches } = live;
        let function = call.clone();
        let ran = runner.run(store, move |store| Box::pin(async move { function.call_async(store, rows).await })).await;
        let (mut store, called) = ran.map_err(|cause| self.error(batch, Phase::Batch, cause))?;
        self.long = runner.was_long();
        let answered = self.module.engine().pulse().now();
        let called = match called {
            Ok(0) => settle_all(&mut store, self.limits.fuel_batch_max),
            // A guest that gives up because output was refused fails for that reason.
            Ok(code) => Err(store.data().output.exceeded().cloned().map_or(TrapCause::Failed { code }, Into::into)),
            Err(ended) => {
                let (cause, backtrace) = self.explain(ended, store.data_mut(), Phase::Batch);
                return Err(self.context(batch, &shown, cause, backtrace, &mut store, &runner));
            }
        };
        let composed = called.and_then(|()| {
            contain_answer(|| {
                let state = store.data_mut();
                #[cfg(test)]
                assert!(state.panic_in != Some("answer"), "an answer panics");
                let composed = compose(&self.bound, &self.limits, &shown.batch, state.output.finish()?)?;
                Ok((composed, state.recorder.take()))
            })
        });
        let ((output, mut failed, filtered), metrics) = match composed {
            Ok(composed) => composed,
            Err(cause) => {
                return Err(self.context(batch, &shown, cause, Vec::new(), &mut store, &runner));
            }
        };

        for failure in &mut failed {
            failure.row = shown.original(failure.row);
        }
        failed.extend(shown.null_failures(batch, &self.bound));
        failed.sort_by_key(|failure| failure.row);
        // The time in which the host processes the result is charged to the tenant too.
        let charged = self.module.engine().pulse().since(answered);
        self.share.share().charge(charged);
        runner.charge(charged);
        let usage = self.usage(&mut store, &runner);
        let state = store.data_mut();
        state.view.leave();
        let (logs, logs_dropped) = state.words.take_logs();
        if self.isolation == Isolation::Reuse {
            self.live = Some(Live { store, call, counted, batches: batches.saturating_add(1) });
        }
        Ok(Outcome { output, failed, filtered, metrics, logs, logs_dropped, usage })
    }

    /// The cost of a call so far, the first one including instantiation and init. Resets the counters.
    fn usage(&self, store: &mut Store<StoreData>, runner: &Runner) -> Usage {
        let batch = store.data().phase == Phase::Batch;
        let limit = if batch { self.limits.fuel_batch_max } else { self.limits.fuel_init_max };
        let used = fuel_used(store, limit);
        let memory_bytes = store.data().memory.map_or(0, |memory| memory.data_size(&*store));
        let meter = &mut store.data_mut().meter;
        let owed = if meter.on { std::mem::take(&mut meter.debt) } else { 0 };
        let fuel = used.saturating_add(owed).saturating_add(std::mem::take(&mut meter.init_fuel));
        let (host_calls, hosted) = meter.times.end();
        let (time, waited, cpu) = (runner.time(), runner.waited(), runner.cpu());
        // An estimate may be too high; host calls never wait.
        let host_time = hosted.min(time.saturating_sub(waited));
        Usage { fuel, time, waited, cpu, host_calls, host_time, memory_bytes }
    }

    /// The outcome of a batch of which the function receives no rows.
    fn unasked(&self, batch: &Arc<Batch>, shown: Shown, started: Instant) -> Result<Outcome, CallError> {
        let output = match self.bound.function().kind {
            FunctionKind::Metrics | FunctionKind::Transform(OutputShape::Filter) => Ok(Arc::clone(&shown.batch)),
            FunctionKind::Transform(_) => {
                let mut nothing = crate::output::Output::new(self.bound.function());
                nothing.begin(0);
                let composed =
                    nothing.finish().and_then(|finished| compose(&self.bound, &self.limits, &shown.batch, finished));
                composed.map(|done| done.0)
            }
        };
        let output = output.map_err(|cause| self.error(batch, Phase::Batch, cause))?;
        Ok(Outcome {
            output,
            failed: shown.null_failures(batch, &self.bound).collect(),
            filtered: 0,
            metrics: MetricBatch::default(),
            logs: Vec::new(),
            logs_dropped: 0,
            usage: Usage { time: started.elapsed(), ..Usage::default() },
        })
    }

    async fn instantiate(&mut self, batch: &Arc<Batch>, runner: &mut Runner) -> Result<Live, CallError> {
        let counted = self.module.presence().count(&self.limits);
        let counted = counted.map_err(|limit| self.error(batch, Phase::Start, TrapCause::InstanceQuota(limit)))?;
        self.instantiations = self.instantiations.saturating_add(1);
        let code = self.module.code();
        let limits = Arc::clone(&self.limits);
        self.clock.start(limits.deadline_init_ms_max);
        let fuel = self.module.engine().fuel();
        let share = Arc::clone(self.share.share());
        let state = StoreData::new(Arc::clone(&self.bound), Arc::clone(&limits), fuel, Arc::clone(&self.clock), share);
        let mut store = Store::new(code.pre.module().engine(), state);
        store.limiter(|state| &mut state.limiter);
        store.epoch_deadline_callback(|mut context| at_tick(context.data_mut()));
        store.set_epoch_deadline(1);
        refuel(&mut store, limits.fuel_init_max);

        let shown = Shown::all(batch);
        let pre = code.pre.clone();
        let ran = runner.run(store, move |store| Box::pin(async move { pre.instantiate_async(store).await })).await;
        let (mut store, instantiated) = ran.map_err(|cause| self.error(batch, Phase::Start, cause))?;
        let instance = match instantiated {
            Ok(instance) => instance,
            Err(GuestEnd::Error(error)) if error.is::<PoolConcurrencyLimitError>() => {
                let cause = TrapCause::PoolExhausted { limit: code.pool_instances };
                return Err(self.error(batch, Phase::Start, cause));
            }
            Err(ended) => {
                let (cause, backtrace) = self.explain(ended, store.data_mut(), Phase::Start);
                return Err(self.context(batch, &shown, cause, backtrace, &mut store, runner));
            }
        };
        store.data_mut().memory = instance.get_memory(&mut store, MEMORY);
        store.data_mut().phase = Phase::Init;
        let name = &self.bound.function().name;
        let call = instance.get_typed_func::<i32, i32>(&mut store, &format!("{CALL_PREFIX}{name}"));
        let Ok(call) = call else {
            return Err(self.error(batch, Phase::Init, TrapCause::WrongModule));
        };
        // Initialisers of a language's runtime, such as constructors of globals.
        for name in INITIALIZERS {
            if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, name) {
                let ran =
                    runner.run(store, move |store| Box::pin(async move { initialize.call_async(store, ()).await }));
                let ran = ran.await.map(|(store, ended)| (store, ended.map(|()| 0)));
                store = self.initialized(batch, ran, runner)?;
                break;
            }
        }
        if let Ok(init) = instance.get_typed_func::<(), i32>(&mut store, &format!("{INIT_PREFIX}{name}")) {
            let ran = runner.run(store, move |store| Box::pin(async move { init.call_async(store, ()).await })).await;
            store = self.initialized(batch, ran, runner)?;
        }
        if let Err(cause) = settle_all(&mut store, self.limits.fuel_init_max) {
            return Err(self.context(batch, &shown, cause, Vec::new(), &mut store, runner));
        }
        let init_fuel = fuel_used(&store, self.limits.fuel_init_max);
        store.data_mut().meter.init_fuel = init_fuel;
        store.data_mut().phase = Phase::Batch;
        Ok(Live { store, call, counted, batches: 0 })
    }

    /// The store after a part of init, if that succeeded.
    fn initialized(
        &self,
        batch: &Arc<Batch>,
        ran: Result<(Store<StoreData>, Result<i32, GuestEnd>), TrapCause>,
        runner: &Runner,
    ) -> Result<Store<StoreData>, CallError> {
        let (mut store, ended) = ran.map_err(|cause| self.error(batch, Phase::Init, cause))?;
        let (cause, backtrace) = match ended {
            Ok(0) => return Ok(store),
            Ok(code) => (TrapCause::Failed { code }, Vec::new()),
            Err(ended) => self.explain(ended, store.data_mut(), Phase::Init),
        };
        let shown = Shown::all(batch);
        Err(self.context(batch, &shown, cause, backtrace, &mut store, runner))
    }

    /// Converts the reason for a guest's end to an error.
    fn explain(&self, ended: GuestEnd, state: &mut StoreData, phase: Phase) -> (TrapCause, Vec<String>) {
        let error = match ended {
            GuestEnd::Panic(message) => return (TrapCause::HostPanic { message }, Vec::new()),
            GuestEnd::Error(error) => error,
        };
        let backtrace = error.downcast_ref::<WasmBacktrace>().map(frames).unwrap_or_default();
        if let Some(cause) = state.ended.take() {
            return (cause, backtrace);
        }
        let fuel = if phase == Phase::Batch { self.limits.fuel_batch_max } else { self.limits.fuel_init_max };
        // A guest usually panics when memory or output is refused.
        let refused = state.limiter.refused.take().or_else(|| state.output.exceeded().cloned());
        let cause = match (error.downcast_ref::<Trap>(), refused) {
            (Some(Trap::OutOfFuel), _) => TrapCause::OutOfFuel { limit: fuel.unwrap_or(u64::MAX) },
            (Some(Trap::StackOverflow), _) => TrapCause::StackOverflow,
            (Some(Trap::UnreachableCodeReached | Trap::MemoryOutOfBounds), Some(limit)) => TrapCause::Limit(limit),
            (None, Some(limit)) if phase == Phase::Start => TrapCause::Limit(limit),
            (Some(Trap::UnreachableCodeReached), None) => TrapCause::Unreachable,
            (Some(Trap::MemoryOutOfBounds | Trap::HeapMisaligned), None) => TrapCause::OutOfBounds,
            (Some(trap), _) => TrapCause::Trap(trap.to_string()),
            (None, _) => TrapCause::Engine(escape_to(&format!("{error:#}"), 400)),
        };
        (cause, backtrace)
    }

    /// An error with the guest's logs and stack.
    fn context(
        &self,
        batch: &Batch,
        shown: &Shown,
        mut cause: TrapCause,
        backtrace: Vec<String>,
        store: &mut Store<StoreData>,
        runner: &Runner,
    ) -> CallError {
        let usage = self.usage(store, runner);
        let state = store.data_mut();
        if let TrapCause::HostPanic { message } = &cause {
            let (presence, tenant) = (self.module.presence(), self.module.tenant());
            tracing::error!(%tenant, "the host panicked in a call; its tenant is quarantined: {message}");
            self.module.engine().presences().quarantine(tenant, presence, message);
        }
        let mut row = match &mut cause {
            TrapCause::MalformedOutput(Malformed::FailedRow { row } | Malformed::MissingRow { row }) => {
                *row = shown.original(*row);
                Some(*row)
            }
            _ => None,
        };
        // With a single row, the row is known.
        if row.is_none() && shown.batch.rows() == 1 {
            row = Some(shown.original(0));
        }
        let phase = state.phase;
        let row = row.filter(|_| phase == Phase::Batch);
        let mut error = self.error(batch, phase, cause);
        let (logs, logs_dropped) = state.words.take_logs();
        let last_words = state.words.take_last();
        *error.context = CallContext { usage, row, backtrace, logs, logs_dropped, last_words, ..*error.context };
        error
    }

    fn error(&self, batch: &Batch, phase: Phase, cause: TrapCause) -> CallError {
        CallError {
            cause,
            context: Box::new(CallContext {
                tenant: self.module.tenant().clone(),
                module: self.module.digest(),
                function: self.bound.function().name.clone(),
                phase,
                usage: Usage::default(),
                rows: batch.rows(),
                row: None,
                backtrace: Vec::new(),
                logs: Vec::new(),
                logs_dropped: 0,
                last_words: None,
            }),
        }
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance")
            .field("module", &self.module)
            .field("function", &self.bound.function().name)
            .field("live", &self.live.is_some())
            .finish_non_exhaustive()
    }
}

impl Live {
    fn begin(&mut self, batch: &Batch, limits: &Limits) {
        refuel(&mut self.store, limits.fuel_batch_max);
        self.store.set_epoch_deadline(1);
        let state = self.store.data_mut();
        let declared = state.bound.function().input.iter().map(|field| field.data_type);
        state.view.enter(batch, state.bound.sources(), declared);
        state.output.begin(batch.rows());
        state.words.begin();
        state.limiter.refused = None;
        state.clock.start(limits.deadline_ms_max);
    }
}

/// The output batch, the failures, and the number of filtered rows.
fn compose(
    bound: &Bound,
    limits: &Limits,
    batch: &Arc<Batch>,
    finished: Finished,
) -> Result<(Arc<Batch>, Vec<RowFailure>, usize), TrapCause> {
    let Finished { relation, columns, column_bytes, failed } = finished;
    let rows = batch.rows();
    let schema = || Arc::clone(bound.output_schema());
    let passes = matches!(bound.function().kind, FunctionKind::Metrics | FunctionKind::Transform(OutputShape::Filter));
    let (output, answered) = match relation {
        FinishedRelation::All if passes => (Arc::clone(batch), rows),
        FinishedRelation::Keep(keep) if passes => (batch.filter(&keep)?, keep.count_set_bits()),
        FinishedRelation::All => {
            (Arc::new(batch.derive(schema(), bound.carried_columns(), columns, rows, None)?), rows)
        }
        FinishedRelation::Keep(keep) => {
            let kept = keep.count_set_bits();
            let parents: Option<Vec<u32>> = (kept < rows).then(|| keep.set_indices_u32().collect());
            let derived = batch.derive(schema(), bound.carried_columns(), columns, kept, parents.as_deref())?;
            (Arc::new(derived), kept)
        }
        FinishedRelation::Parents(parents) => {
            // A row of a few bytes can be the parent of a thousand rows, and carried values are as large as the source made them:
            // check the size before copying.
            let gathered = batch.gathered_bytes(bound.carried_columns(), &parents);
            let (limit, gathered) = (limits.output_bytes_max, usize::try_from(gathered).unwrap_or(usize::MAX));
            if gathered > limit.saturating_sub(column_bytes) {
                return Err(crate::LimitExceeded::bytes("output bytes", limit, column_bytes, gathered).into());
            }
            let derived = batch.derive(schema(), bound.carried_columns(), columns, parents.len(), Some(&parents))?;
            let answered = parents.chunk_by(|left, right| left == right).count();
            (Arc::new(derived), answered)
        }
    };
    let filtered = rows.saturating_sub(answered).saturating_sub(failed.len());
    Ok((output, failed, filtered))
}

/// A value for no limit: nothing uses this much.
const UNMETERED: u64 = u64::MAX;

fn refuel(store: &mut Store<StoreData>, limit: Option<u64>) {
    if store.data().meter.on
        && let Err(error) = store.set_fuel(limit.unwrap_or(UNMETERED))
    {
        tracing::error!("could not set fuel: {error:#}");
    }
}

/// The fuel used since the store was last refilled to this limit; 0 if fuel is not metered.
fn fuel_used(store: &Store<StoreData>, limit: Option<u64>) -> u64 {
    store.get_fuel().map_or(0, |left| limit.unwrap_or(UNMETERED).saturating_sub(left))
}

/// Subtracts the debt of host calls from the fuel that is left.
fn settle_all(store: &mut Store<StoreData>, limit: Option<u64>) -> Result<(), TrapCause> {
    let debt = std::mem::take(&mut store.data_mut().meter.debt);
    if !store.data().meter.on || debt == 0 {
        return Ok(());
    }
    let engine = |error: wasmtime::Error| TrapCause::Engine(escape_to(&format!("{error:#}"), 400));
    let left = store.get_fuel().map_err(engine)?;
    let left = left.checked_sub(debt).ok_or(TrapCause::OutOfFuel { limit: limit.unwrap_or(UNMETERED) })?;
    store.set_fuel(left).map_err(engine)
}

fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let name = |frame: &wasmtime::FrameInfo| {
        // The name from the name section, or the index if it has no name.
        let name = frame.func_name().map(|name| escape_display(rustc_demangle::demangle(name), FRAME_CHARS_MAX));
        name.unwrap_or_else(|| format!("function {}", frame.func_index()))
    };
    backtrace.frames().iter().take(BACKTRACE_FRAMES_MAX).map(name).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use weir_batch::arrow::array::{ArrayRef, Int64Array};
    use weir_batch::{DataType, Field, Schema};

    use super::*;
    use crate::{Carry, Engine, EngineConfig, Fault};

    /// Logs, then keeps all rows.
    const GUEST: &str = r#"(module
        (import "weir_v1" "log" (func $log (param i32 i32 i32) (result i32)))
        (import "weir_v1" "emit_filter" (func $emit_filter (param i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\ff")
        (func (export "weir_call_f") (param $rows i32) (result i32)
            (drop (call $log (i32.const 3) (i32.const 8) (i32.const 1)))
            (call $emit_filter (i32.const 0) (local.get $rows)))
        (@custom "weir.manifest" "{\22abi\22:1,\22name\22:\22f\22,\22kind\22:\22transform\22,\22output_shape\22:\22filter\22}"))"#;

    #[test]
    fn a_panic_of_the_host_costs_the_call_only() {
        let engine = Engine::new(&EngineConfig { instances_max: 1, ..EngineConfig::default() }).unwrap();
        let limits = Limits::default();
        let module = engine.admit(&"acme".parse().unwrap(), &wat::parse_str(GUEST).unwrap(), &limits).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::I64)]).unwrap());
        let bound = module.manifest().functions[0].bind(&schema, &Carry::None, &BTreeMap::new()).unwrap();
        let mut instance = Instance::new(&module, &Arc::new(bound), &limits);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let batch = Arc::new(Batch::new(schema, vec![column]).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

        runtime.block_on(instance.call(&batch)).unwrap();
        let panics = [("log", "a host function panics"), ("answer", "an answer panics")];
        for (instantiations, (place, message)) in (2..).zip(panics) {
            instance.live.as_mut().unwrap().store.data_mut().panic_in = Some(place);
            let error = runtime.block_on(instance.call(&batch)).unwrap_err();
            assert_eq!((error.code(), error.fault()), ("host_panic", Fault::Internal));
            assert_eq!(error.cause.to_string(), format!("the host panicked: {message}"));
            // Nothing of the batch is held, and nothing more of the tenant runs.
            assert_eq!(Arc::strong_count(&batch), 1);
            let error = runtime.block_on(instance.call(&batch)).unwrap_err();
            assert_eq!((error.code(), error.fault()), ("quarantined", Fault::Internal));
            let refusal = engine.admit(module.tenant(), &wat::parse_str(GUEST).unwrap(), &limits).unwrap_err();
            assert_eq!(refusal.code(), "quarantined");
            let other = "other".parse().unwrap();
            engine.admit(&other, &wat::parse_str(GUEST).unwrap(), &limits).unwrap();
            // Until somebody releases the tenant; the only slot of the pool is free again.
            assert!(engine.release(module.tenant()) && !engine.release(module.tenant()));
            assert_eq!(runtime.block_on(instance.call(&batch)).unwrap().output.rows(), 2);
            assert_eq!(instance.instantiations(), instantiations);
        }
    }
}
