//! Host functions for metrics: series and values.

use wasmtime::{Caller, Linker};
use weir_abi::{IMPORT_MODULE, Status};

use super::doubles::{doubles, doubles_cost};
use super::meter::{Answer, CALL, bytes_cost, charge, host_call, with_batch, with_memory};
use super::read::Rows;
use crate::Phase;
use crate::guest_memory::{answer, bytes_of, f64s, index, labels, range, size, u32s};
use crate::purse::Purse;
use crate::state::StoreData;

pub(super) fn add(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    linker.func_wrap(
        IMPORT_MODULE,
        "metric_series",
        |caller: Caller<'_, StoreData>, metric: i32, pointer: i32, length: i32| {
            with_memory(caller, |state, memory, purse| metric_series(state, memory, purse, metric, pointer, length))
        },
    )?;
    linker.func_wrap(IMPORT_MODULE, "metric_record", |caller: Caller<'_, StoreData>, series: i32, value: f64| {
        host_call(caller, |caller| {
            charge(caller, CALL)?;
            let state = caller.data_mut();
            wasmtime::Result::Ok(match record(state, index(series), value) {
                Ok(()) => 0,
                Err(status) => status.code(),
            })
        })
    })?;
    linker.func_wrap(
        IMPORT_MODULE,
        "metric_record_many",
        |caller: Caller<'_, StoreData>, series: i32, values: i32, count: i32| {
            with_batch(caller, |state, memory, purse| {
                let count = size(count);
                let series = u32s(range(memory, series, bytes_of(count, 4)?)?);
                let values = f64s(range(memory, values, bytes_of(count, 8)?)?);
                purse.pay(record_cost(count))?;
                Ok(record_all(state, series.zip(values))?)
            })
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "metric_record_column",
        |caller: Caller<'_, StoreData>, series: i32, values: i32, count: i32| {
            with_batch(caller, |state, memory, purse| {
                let count = size(count);
                let (values, _) = range(memory, values, bytes_of(count, 8)?)?.as_chunks();
                purse.pay(record_cost(count))?;
                state.recorder.record_column(index(series), values)?;
                Ok(0)
            })
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "metric_record_input",
        |caller: Caller<'_, StoreData>, series: i32, column: i32, row: i32, count: i32| {
            with_batch(caller, |state, _, purse| {
                let (column, rows) = Rows::of(&state.view, column, row, count)?;
                purse.pay(record_cost(rows.count).saturating_add(doubles_cost(column, &rows)?))?;
                let values = doubles(column, &rows)?;
                let left_out = state.recorder.record_taken(index(series), bytemuck::cast_slice(&values))?;
                Ok(answer(left_out)?)
            })
        },
    )?;
    Ok(())
}

fn metric_series(
    state: &mut StoreData,
    memory: &[u8],
    purse: &mut Purse,
    metric: i32,
    pointer: i32,
    length: i32,
) -> Answer {
    let count = state.recorder.labels(index(metric)).ok_or(Status::BadIndex)?;
    let bytes = range(memory, pointer, size(length))?;
    if bytes.len().saturating_sub(bytes_of(count, 4)?) > state.limits.series_label_bytes_max {
        return Err(Status::Limit.into());
    }
    purse.pay(bytes_cost(bytes.len()).saturating_mul(8))?;
    let labels = labels(bytes, count)?;
    let handle = state.recorder.intern(index(metric), bytes, &labels, purse)?;
    Ok(answer(handle as usize)?)
}

fn record(state: &mut StoreData, series: u32, value: f64) -> Result<(), Status> {
    if state.phase != Phase::Batch {
        return Err(Status::BadState);
    }
    state.recorder.check(series, value)?;
    state.recorder.record(series, value);
    Ok(())
}

/// Checks all values, then records all.
fn record_all(state: &mut StoreData, values: impl Iterator<Item = (u32, f64)> + Clone) -> Result<i32, Status> {
    for (series, value) in values.clone() {
        state.recorder.check(series, value)?;
    }
    for (series, value) in values {
        state.recorder.record(series, value);
    }
    Ok(0)
}

/// The fuel for recording this many values.
fn record_cost(count: usize) -> u64 {
    (count as u64).saturating_mul(2)
}
