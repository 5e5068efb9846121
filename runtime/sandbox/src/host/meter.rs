//! Meters host calls, and ends guests.

use std::time::Instant;

use wasmtime::{AsContext, AsContextMut, Caller, Memory};
use weir_abi::{MEMORY, Status};

use super::Ended;
use crate::guest_memory::{range, size};
use crate::purse::{Purse, Stop};
use crate::state::StoreData;
use crate::{Phase, TrapCause};

/// The result of a host function that returns a status: a value, a status, or the end of the guest because its fuel is used up.
pub(super) type Answer<T = i32> = Result<T, Stop>;

/// The fuel of a host call itself: about the number of instructions in its 3 ns.
pub(super) const CALL: u64 = 10;

/// A debt of this amount is subtracted from the store's fuel. A flood of host calls exceeds its limit by at most this amount.
const DEBT_MAX: u64 = 16_384;

/// The fuel for copying or checking bytes: eight take about the time of an instruction.
pub(super) fn bytes_cost(bytes: usize) -> u64 {
    (bytes as u64).div_ceil(8)
}

/// Runs a host call. Every function of the ABI uses this. Counts the calls, and times some of them.
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

/// Adds to the guest's debt, and ends the guest if it cannot pay.
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

/// Ends the guest: it has less fuel than the call costs.
#[cold]
fn out_of_fuel<T>(caller: &mut Caller<'_, StoreData>) -> wasmtime::Result<T> {
    caller.as_context_mut().set_fuel(0)?;
    let state = caller.data_mut();
    state.meter.debt = 0;
    let limit = if state.phase == Phase::Batch { state.limits.fuel_batch_max } else { state.limits.fuel_init_max };
    state.ended = Some(TrapCause::OutOfFuel { limit: limit.unwrap_or(u64::MAX) });
    Err(Ended.into())
}

/// The guest's fuel without its debt.
#[inline(always)]
fn purse(caller: &mut Caller<'_, StoreData>) -> wasmtime::Result<Purse> {
    let meter = &caller.data().meter;
    let left = match (meter.on, meter.debt) {
        (true, debt) => caller.as_context().get_fuel()?.saturating_sub(debt),
        (false, _) => u64::MAX,
    };
    Ok(Purse::new(left))
}

/// Ends the guest because of a call that cannot return a status.
#[cold]
pub(super) fn end<T>(caller: &mut Caller<'_, StoreData>, import: &'static str, detail: String) -> wasmtime::Result<T> {
    caller.data_mut().ended = Some(TrapCause::BadHostCall { import, detail });
    Err(Ended.into())
}

/// The guest's memory; also during its start function, when it is not yet cached.
fn memory(caller: &mut Caller<'_, StoreData>) -> Option<Memory> {
    match caller.data().memory {
        Some(memory) => Some(memory),
        None => caller.get_export(MEMORY)?.into_memory(),
    }
}

/// Text in the guest's memory, which is paid for before it is read.
pub(super) fn text<'a>(memory: &'a [u8], pointer: i32, length: i32, purse: &mut Purse) -> Answer<&'a str> {
    let bytes = range(memory, pointer, size(length))?;
    purse.pay(bytes_cost(bytes.len()))?;
    Ok(std::str::from_utf8(bytes).map_err(|_| Status::BadUtf8)?)
}

/// A host function that returns a status. It runs with the state and the guest's memory. Before it does work in addition to the
/// call itself, it pays for it from the purse. Payments are not returned: a call that is refused after reading a megabyte was work
/// too. Allowed at any time.
#[inline(always)]
pub(super) fn with_memory(
    caller: Caller<'_, StoreData>,
    run: impl FnOnce(&mut StoreData, &mut [u8], &mut Purse) -> Answer,
) -> wasmtime::Result<i32> {
    host_call(caller, |caller| on_memory(caller, run))
}

/// The same, for functions that are allowed only within a batch.
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
