//! Host functions for output: relations, columns, failed rows.

use wasmtime::{Caller, Linker};
use weir_abi::{IMPORT_MODULE, Status};
use weir_batch::DataType;

use super::meter::{Answer, bytes_cost, text, with_batch};
use crate::guest_memory::{Offsets, all_set, bitmap_bytes, bytes_of, index, range, size, u32s, validity};
use crate::purse::Purse;
use crate::state::StoreData;

pub(super) fn add(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    linker.func_wrap(IMPORT_MODULE, "emit_filter", |caller: Caller<'_, StoreData>, pointer: i32, count: i32| {
        with_batch(caller, |state, memory, purse| emit_filter(state, memory, purse, pointer, count))
    })?;
    linker.func_wrap(IMPORT_MODULE, "emit_parents", |caller: Caller<'_, StoreData>, pointer: i32, count: i32| {
        with_batch(caller, |state, memory, purse| emit_parents(state, memory, purse, pointer, count))
    })?;
    linker.func_wrap(
        IMPORT_MODULE,
        "emit_column",
        |caller: Caller<'_, StoreData>, field: i32, pointer: i32, count: i32, validity: i32| {
            with_batch(caller, |state, memory, purse| {
                emit_column(state, memory, purse, [field, pointer, count, validity])
            })
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "emit_bytes",
        |caller: Caller<'_, StoreData>,
         field: i32,
         offsets: i32,
         count: i32,
         pointer: i32,
         length: i32,
         validity: i32| {
            with_batch(caller, |state, memory, purse| {
                emit_bytes(state, memory, purse, [field, offsets, count, pointer, length, validity])
            })
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "row_error",
        |caller: Caller<'_, StoreData>, row: i32, code: i32, pointer: i32, length: i32| {
            with_batch(caller, |state, memory, purse| {
                state.output.check_failure(index(row))?;
                let message = text(memory, pointer, length, purse)?;
                state.output.fail(index(row), code, message, &state.limits);
                Ok(0)
            })
        },
    )?;
    Ok(())
}

fn emit_filter(state: &mut StoreData, memory: &[u8], purse: &mut Purse, pointer: i32, count: i32) -> Answer {
    let count = size(count);
    if count > state.output.keep_left()? {
        return Err(Status::BadLength.into());
    }
    let bits = range(memory, pointer, bitmap_bytes(count))?;
    purse.pay(bytes_cost(bits.len()))?;
    state.output.append_keep(bits, count);
    Ok(0)
}

fn emit_parents(state: &mut StoreData, memory: &[u8], purse: &mut Purse, pointer: i32, count: i32) -> Answer {
    let count = size(count);
    // Check the memory range first: an impossible count is not a limit that was reached.
    state.output.check_parents(0, &state.limits)?;
    let parents = range(memory, pointer, bytes_of(count, 4)?)?;
    state.output.check_parents(count, &state.limits)?;
    purse.pay(values_cost(count, parents.len()))?;
    state.output.append_parents(u32s(parents), &state.limits)?;
    Ok(0)
}

fn emit_column(
    state: &mut StoreData,
    memory: &[u8],
    purse: &mut Purse,
    [field, pointer, count, valid]: [i32; 4],
) -> Answer {
    let (data_type, nullable) = state.output.field(index(field))?;
    let width = data_type.width().ok_or(Status::BadType)?;
    let count = size(count);
    let values = range(memory, pointer, bytes_of(count, width)?)?;
    purse.pay(values_cost(count, values.len()))?;
    let valid = checked_validity(memory, valid, count, nullable)?;
    state.output.check_values(index(field), count, values.len(), &state.limits)?;
    state.output.append_fixed(index(field), values, count, valid, &state.limits)?;
    Ok(0)
}

fn emit_bytes(
    state: &mut StoreData,
    memory: &[u8],
    purse: &mut Purse,
    [field, offsets, count, pointer, length, valid]: [i32; 6],
) -> Answer {
    let (data_type, nullable) = state.output.field(index(field))?;
    if data_type.width().is_some() {
        return Err(Status::BadType.into());
    }
    let (count, length) = (size(count), size(length));
    let data = range(memory, pointer, length)?;
    // Check first that the offsets exist, then that this many are allowed, and then their values: a count beyond the limit costs
    // nothing.
    let offset_bytes = bytes_of(count.saturating_add(1), 4)?;
    range(memory, offsets, offset_bytes)?;
    state.output.check_values(index(field), count, 0, &state.limits)?;
    purse.pay(values_cost(count, offset_bytes))?;
    let offsets = Offsets::read(memory, offsets, count, length)?;
    let valid = checked_validity(memory, valid, count, nullable)?;
    let data = data.get(offsets.first..offsets.last).ok_or(Status::BadLength)?;
    let bytes = data.len().saturating_add(bytes_of(count, 4)?);
    state.output.check_values(index(field), count, bytes, &state.limits)?;
    purse.pay(bytes_cost(data.len()))?;
    if data_type == DataType::Utf8 {
        let text = std::str::from_utf8(data).map_err(|_| Status::BadUtf8)?;
        if !text.is_ascii() && !offsets.ends().all(|end| text.is_char_boundary(end)) {
            return Err(Status::BadUtf8.into());
        }
    }
    state.output.append_bytes(index(field), offsets.ends(), count, data, valid)?;
    Ok(0)
}

/// The fuel for checking values and their bytes.
fn values_cost(count: usize, bytes: usize) -> u64 {
    (count as u64).saturating_add(bytes_cost(bytes))
}

/// The bitmap of values that are not null; `None` if there are no nulls.
fn checked_validity(memory: &[u8], pointer: i32, count: usize, nullable: bool) -> Result<Option<&[u8]>, Status> {
    let Some(bits) = validity(memory, pointer, count)? else { return Ok(None) };
    if all_set(bits, count) {
        return Ok(None);
    }
    if nullable { Ok(Some(bits)) } else { Err(Status::BadValue) }
}
