//! The data of a store.

use std::sync::Arc;

use wasmtime::{Memory, ResourceLimiter};

use crate::clock::Clock;
use crate::columns::View;
use crate::gate::Share;
use crate::host_time::HostTimes;
use crate::output::Output;
use crate::series::Recorder;
use crate::words::Words;
use crate::{Bound, LimitExceeded, Limits, Phase, TrapCause};

/// The data of a store. One per instance.
pub(crate) struct StoreData {
    /// Set after instantiation; a start function's memory is looked up.
    pub(crate) memory: Option<Memory>,
    pub(crate) phase: Phase,
    pub(crate) bound: Arc<Bound>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) view: View,
    pub(crate) output: Output,
    pub(crate) recorder: Recorder,
    pub(crate) words: Words,
    pub(crate) meter: Meter,
    pub(crate) limiter: Limiter,
    pub(crate) clock: Arc<Clock>,
    pub(crate) share: Arc<Share>,
    /// Why a host function ended the guest, where one did.
    pub(crate) ended: Option<TrapCause>,
    #[cfg(test)]
    pub(crate) panic_in: Option<&'static str>,
}

/// The cost of host calls. It is collected here, and subtracted from the store's fuel from time to time, because that takes longer
/// than a getter.
#[derive(Default)]
pub(crate) struct Meter {
    /// Whether the engine meters fuel.
    pub(crate) on: bool,
    /// The cost that was not subtracted yet.
    pub(crate) debt: u64,
    pub(crate) times: HostTimes,
    /// The fuel of instantiation and init, until the first batch reports it.
    pub(crate) init_fuel: u64,
}

/// Limits memory and tables of the instance, and remembers refusals.
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    table_elements_max: usize,
    table_elements: usize,
    pub(crate) refused: Option<LimitExceeded>,
}

impl StoreData {
    pub(crate) fn new(
        bound: Arc<Bound>,
        limits: Arc<Limits>,
        fuel: bool,
        clock: Arc<Clock>,
        share: Arc<Share>,
    ) -> StoreData {
        StoreData {
            memory: None,
            phase: Phase::Start,
            recorder: Recorder::new(&bound.function().metrics, &limits),
            output: Output::new(bound.function()),
            view: View::default(),
            words: Words::default(),
            meter: Meter { on: fuel, ..Meter::default() },
            limiter: Limiter {
                memory_bytes_max: limits.memory_bytes_max,
                table_elements_max: limits.table_elements_max,
                table_elements: 0,
                refused: None,
            },
            clock,
            share,
            ended: None,
            bound,
            limits,
            #[cfg(test)]
            panic_in: None,
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if desired > self.memory_bytes_max {
            let requested = desired.saturating_sub(current);
            self.refused = Some(LimitExceeded::bytes("memory", self.memory_bytes_max, current, requested));
            return Ok(false);
        }
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let requested = desired.saturating_sub(current);
        if requested > self.table_elements_max.saturating_sub(self.table_elements) {
            let (limit, current) = (self.table_elements_max, self.table_elements);
            self.refused = Some(LimitExceeded::count("table", limit, current, requested));
            return Ok(false);
        }
        self.table_elements += requested;
        Ok(true)
    }

    fn memories(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        weir_admission::TABLES_MOST
    }

    fn instances(&self) -> usize {
        1
    }
}
