//! Native tests of the layers between functions and the host: see `native.rs`.

mod manifest;
mod metrics;
mod transforms;

use crate::native_host::{Host, Value};
use crate::sys::host;

/// Runs the batch in `columns` through a function as the expansion of `#[transform]` does, and returns the content of the host.
macro_rules! run {
    ($columns:expr, $params:expr, $row:ty, $params_type:ty, $answer:ty, $call:expr) => {{
        // As in an expansion: one of the two returns the error's code.
        use $crate::rt::{Answer, ReadRow, Transform};
        #[allow(unused_imports, clippy::allow_attributes, reason = "an error has its code from one of two traits")]
        use $crate::rt::{CodeByDefault as _, CodeByTrait as _};
        let rows = $crate::tests::set($columns, $params);
        let mut transform = Transform::<_, $params_type, <$answer as Answer>::Sink>::new(<$row as ReadRow>::columns());
        transform.run(rows, <$row as ReadRow>::fill, |columns, params, sink, slot| {
            let answer = $call(ReadRow::get(columns, slot), params);
            Answer::put(answer, sink, slot, |error| (&error).code())
        });
        $crate::sys::host(std::mem::take)
    }};
}
pub(super) use run;

/// Sets a batch and the parameters in this thread's host. Returns the number of rows.
fn set(columns: Vec<Vec<Value>>, params: Vec<Value>) -> u32 {
    let rows = columns[0].len() as u32;
    host(|host| *host = Host { columns, params, ..Host::default() });
    rows
}

fn ints(values: impl IntoIterator<Item = i64>) -> Vec<Value> {
    values.into_iter().map(Value::I64).collect()
}

fn texts<T: Into<Vec<u8>>>(values: impl IntoIterator<Item = T>) -> Vec<Value> {
    values.into_iter().map(|text| Value::Bytes(text.into())).collect()
}
