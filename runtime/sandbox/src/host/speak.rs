//! Host functions for parameters, log lines and last words.

use wasmtime::{Caller, Linker};
use weir_abi::{IMPORT_MODULE, Status};

use super::meter::{CALL, bytes_cost, charge, end, host_call, text, with_memory};
use crate::guest_memory::{answer, index, range_mut, size};
use crate::state::StoreData;
use crate::{LogLevel, ParamValue};

pub(super) fn add(linker: &mut Linker<StoreData>) -> wasmtime::Result<()> {
    linker.func_wrap(IMPORT_MODULE, "param_i64", |caller: Caller<'_, StoreData>, param: i32| {
        host_call(caller, |caller| {
            charge(caller, CALL)?;
            match caller.data().bound.params().get(size(param)) {
                Some(&ParamValue::I64(value)) => Ok(value),
                Some(&ParamValue::Bool(value)) => Ok(i64::from(value)),
                _ => refuse_param(caller, "param_i64", param),
            }
        })
    })?;
    linker.func_wrap(IMPORT_MODULE, "param_f64", |caller: Caller<'_, StoreData>, param: i32| {
        host_call(caller, |caller| {
            charge(caller, CALL)?;
            match caller.data().bound.params().get(size(param)) {
                Some(&ParamValue::F64(value)) => Ok(value),
                _ => refuse_param(caller, "param_f64", param),
            }
        })
    })?;
    linker.func_wrap(
        IMPORT_MODULE,
        "param_bytes",
        |caller: Caller<'_, StoreData>, param: i32, pointer: i32, capacity: i32| {
            with_memory(caller, |state, memory, purse| {
                let value = state.bound.params().get(size(param)).ok_or(Status::BadIndex)?;
                let ParamValue::Utf8(value) = value else { return Err(Status::BadType.into()) };
                let room = range_mut(memory, pointer, size(capacity))?;
                let length = answer(value.len())?;
                let Some(room) = room.get_mut(..value.len()) else { return Ok(length) };
                purse.pay(bytes_cost(value.len()))?;
                room.copy_from_slice(value.as_bytes());
                Ok(length)
            })
        },
    )?;
    linker.func_wrap(
        IMPORT_MODULE,
        "log",
        |caller: Caller<'_, StoreData>, level: i32, pointer: i32, length: i32| {
            with_memory(caller, |state, memory, purse| {
                #[cfg(test)]
                assert!(state.panic_in != Some("log"), "a host function panics");
                let level = LogLevel::from_code(index(level)).ok_or(Status::BadValue)?;
                let text = text(memory, pointer, length, purse)?;
                state.words.log(level, text, &state.limits);
                Ok(0)
            })
        },
    )?;
    linker.func_wrap(IMPORT_MODULE, "last_words", |caller: Caller<'_, StoreData>, pointer: i32, length: i32| {
        with_memory(caller, |state, memory, purse| {
            let text = text(memory, pointer, length, purse)?;
            state.words.set_last(text);
            Ok(0)
        })
    })?;
    Ok(())
}

#[cold]
fn refuse_param<T>(caller: &mut Caller<'_, StoreData>, import: &'static str, param: i32) -> wasmtime::Result<T> {
    let params = caller.data().bound.params();
    let detail = match params.get(size(param)) {
        Some(value) => format!("param {} is {}", index(param), value.param_type()),
        None => format!("param {} of {}", index(param), params.len()),
    };
    end(caller, import, detail)
}
