//! What a host call costs and takes, and how a guest is ended.

use std::time::Instant;

use wasmtime::{AsContext, AsContextMut, Caller, Memory};
use weir_abi::{MEMORY, Status};

use super::Ended;
use crate::guest_memory::{range, size};
use crate::purse::{Purse, Stop};
use crate::state::StoreData;
use crate::{Phase, TrapCause};

/// What a host function that answers with a status gives: an answer, a status, or the guest's end for want of fuel.
pub(super) type Answer<T = i32> = Result<T, Stop>;

/// Fuel of a host call as such: about what its 3 ns are worth in instructions.
pub(super) const CALL: u64 = 10;

/// The debt at which it is taken off the store's fuel. A flood of host calls ends this much too late at most.
const DEBT_MAX: u64 = 16_384;

/// Fuel of copying or checking bytes: eight in about the time of an instruction.
pub(super) fn bytes_cost(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(8)
}

/// A host call: every function of the contract runs in this. Counts it, and times some of them.
#[inline(always)]
pub(super) fn host_call<'a, T>(
    mut caller: Caller<'a, StoreData>,
    run: impl FnOnce(&mut Caller<'a, StoreData>) -> wasmtime::Result<T>,
) -> wasmtime::Result<T> {
    let began = if caller.data_mut().meter.times.count() { Some(begin()) } else { None };
    let answer = run(&mut caller);
    if let Some(began) = began {
        end_timed(&mut caller, began);
    }
    answer
}

#[cold]
#[inline(never)]
fn begin() -> Instant {
    Instant::now()
}

#[cold]
#[inline(never)]
fn end_timed(caller: &mut Caller<'_, StoreData>, began: Instant) {
    caller.data_mut().meter.times.add(began.elapsed());
}

/// Adds to what the guest owes; ends it where it has no more.
#[inline(always)]
pub(super) fn charge(caller: &mut Caller<'_, StoreData>, cost: u64) -> wasmtime::Result<()> {
    let meter = &mut caller.data_mut().meter;
    meter.debt = meter.debt.saturating_add(cost);
    if meter.debt < DEBT_MAX { Ok(()) } else { settle(caller) }
}

#[cold]
fn settle(caller: &mut Caller<'_, StoreData>) -> wasmtime::Result<()> {
    let debt = std::mem::take(&mut caller.data_mut().meter.debt);
    if !caller.data().meter.on {
        return Ok(());
    }
    let mut store = caller.as_context_mut();
    match store.get_fuel()?.checked_sub(debt) {
        Some(left) => store.set_fuel(left),
        None => out_of_fuel(caller),
    }
}

/// Ends the guest: it has less fuel than what it asked for costs.
#[cold]
fn out_of_fuel<T>(caller: &mut Caller<'_, StoreData>) -> wasmtime::Result<T> {
    caller.as_context_mut().set_fuel(0)?;
    let state = caller.data_mut();
    state.meter.debt = 0;
    let limit = if state.phase == Phase::Batch { state.limits.fuel_batch_max } else { state.limits.fuel_init_max };
    state.ended = Some(TrapCause::OutOfFuel { limit: limit.unwrap_or(u64::MAX) });
    Err(Ended.into())
}

/// What the guest has left, less what it owes.
#[inline(always)]
fn purse(caller: &mut Caller<'_, StoreData>) -> wasmtime::Result<Purse> {
    let meter = &caller.data().meter;
    let left = match (meter.on, meter.debt) {
        (true, debt) => caller.as_context().get_fuel()?.saturating_sub(debt),
        (false, _) => u64::MAX,
    };
    Ok(Purse::new(left))
}

/// Ends the guest for a call that has no room for a status.
#[cold]
pub(super) fn end<T>(caller: &mut Caller<'_, StoreData>, import: &'static str, detail: String) -> wasmtime::Result<T> {
    caller.data_mut().ended = Some(TrapCause::BadHostCall { import, detail });
    Err(Ended.into())
}

/// The guest's memory; also while its start function runs, when it is not yet known.
fn memory(caller: &mut Caller<'_, StoreData>) -> Option<Memory> {
    match caller.data().memory {
        Some(memory) => Some(memory),
        None => caller.get_export(MEMORY)?.into_memory(),
    }
}

/// Text in the guest's memory, paid for before it is read.
pub(super) fn text<'a>(memory: &'a [u8], pointer: i32, length: i32, purse: &mut Purse) -> Answer<&'a str> {
    let bytes = range(memory, pointer, size(length))?;
    purse.pay(bytes_cost(bytes.len()))?;
    Ok(std::str::from_utf8(bytes).map_err(|_| Status::BadUtf8)?)
}

/// A host function that answers with a status: runs on the state and the guest's memory, and pays from the purse for
/// what it does beside the call, before it does it. What was paid is gone whatever the answer: a call that is refused
/// after a look at a megabyte was work too. Allowed at any time.
#[inline(always)]
pub(super) fn with_memory(
    caller: Caller<'_, StoreData>,
    run: impl FnOnce(&mut StoreData, &mut [u8], &mut Purse) -> Answer,
) -> wasmtime::Result<i32> {
    host_call(caller, |caller| on_memory(caller, run))
}

/// The same for functions that are allowed within a batch only.
#[inline(always)]
pub(super) fn with_batch(
    caller: Caller<'_, StoreData>,
    run: impl FnOnce(&mut StoreData, &mut [u8], &mut Purse) -> Answer,
) -> wasmtime::Result<i32> {
    host_call(caller, |caller| {
        if caller.as_context().data().phase != Phase::Batch {
            charge(caller, CALL)?;
            return Ok(Status::BadState.code());
        }
        on_memory(caller, run)
    })
}

#[inline(always)]
fn on_memory(
    caller: &mut Caller<'_, StoreData>,
    run: impl FnOnce(&mut StoreData, &mut [u8], &mut Purse) -> Answer,
) -> wasmtime::Result<i32> {
    charge(caller, CALL)?;
    let Some(memory) = memory(caller) else { return Ok(Status::BadState.code()) };
    let mut purse = purse(caller)?;
    let (bytes, state) = memory.data_and_store_mut(caller.as_context_mut());
    let answer = match run(state, bytes, &mut purse) {
        Ok(answer) => answer,
        Err(Stop::Status(status)) => status.code(),
        Err(Stop::Fuel) => return out_of_fuel(caller),
    };
    charge(caller, purse.spent())?;
    Ok(answer)
}
