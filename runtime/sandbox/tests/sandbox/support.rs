//! Guests out of text, batches out of literals, outcomes as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use weir_batch::{Batch, Schema};
use weir_sandbox::{CallError, Carry, Instance, Limits, MetricDelta, Outcome, ParamValue};

#[path = "../../../admission/tests/admission/by_hand.rs"]
mod by_hand;

pub(crate) use by_hand::{admit, block_on, call, engine, tenant, wasm};

/// The first function of a module, over a stream of this schema; everything is carried.
pub(crate) fn instance(wasm: &[u8], schema: &Arc<Schema>, limits: &Limits) -> Instance {
    instance_with(wasm, schema, limits, &Carry::None, &[])
}

pub(crate) fn instance_with(
    wasm: &[u8],
    schema: &Arc<Schema>,
    limits: &Limits,
    carry: &Carry,
    params: &[(&str, ParamValue)],
) -> Instance {
    let module = engine().admit(&tenant(), wasm, limits).unwrap();
    let params: BTreeMap<String, ParamValue> =
        params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let bound = module.manifest().functions[0].bind(schema, carry, &params).unwrap();
    Instance::new(&module, &Arc::new(bound), limits)
}

/// A batch of these columns; a field may hold nulls if its column does.
pub(crate) fn batch(columns: Vec<(&str, ArrayRef)>) -> Arc<Batch> {
    use weir_batch::arrow::datatypes;
    let field = |(name, column): &(&str, ArrayRef)| {
        let field = datatypes::Field::new(*name, column.data_type().clone(), column.null_count() > 0);
        Schema::from_arrow(&datatypes::Schema::new(vec![field])).unwrap().fields()[0].clone()
    };
    let schema = Schema::new(columns.iter().map(field).collect()).unwrap();
    Arc::new(Batch::new(Arc::new(schema), columns.into_iter().map(|(_, column)| column).collect()).unwrap())
}

pub(crate) fn i64s(values: impl Into<Vec<Option<i64>>>) -> ArrayRef {
    Arc::new(Int64Array::from(values.into()))
}

pub(crate) fn strings(values: impl Into<Vec<Option<&'static str>>>) -> ArrayRef {
    Arc::new(StringArray::from(values.into()))
}

/// Five rows with a field of each type, each null in row 3.
pub(crate) fn all_types() -> Arc<Batch> {
    batch(vec![
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), Some(false), Some(true), None, Some(true)])) as ArrayRef),
        ("i8", Arc::new(Int8Array::from(vec![Some(-1), Some(2), Some(i8::MIN), None, Some(i8::MAX)]))),
        ("i16", Arc::new(Int16Array::from(vec![Some(-1), Some(2), Some(i16::MIN), None, Some(i16::MAX)]))),
        ("i32", Arc::new(Int32Array::from(vec![Some(-1), Some(2), Some(i32::MIN), None, Some(i32::MAX)]))),
        ("i64", i64s([Some(-1), Some(2), Some(i64::MIN), None, Some(i64::MAX)])),
        ("f64", Arc::new(Float64Array::from(vec![Some(-1.5), Some(2.0), Some(f64::MAX), None, Some(f64::NAN)]))),
        ("utf8", strings([Some("SEA"), Some(""), Some("é"), None, Some("JFK")])),
        (
            "binary",
            Arc::new(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), Some(b""), Some(b"abc"), None, Some(b"d")])),
        ),
        ("timestamp", Arc::new(TimestampMicrosecondArray::from(vec![Some(0), Some(-1), Some(2), None, Some(3)]))),
    ])
}

/// An outcome as text: the output rows, then what else there is.
pub(crate) fn show(outcome: Result<Outcome, CallError>) -> String {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(error) => return show_error(&error),
    };
    let mut text = format!("{}\n", outcome.output);
    if outcome.filtered > 0 {
        writeln!(text, "filtered {}", outcome.filtered).unwrap();
    }
    for failure in &outcome.failed {
        writeln!(text, "failed row {}: {}: {}", failure.row, failure.code, failure.message).unwrap();
    }
    for delta in &outcome.metrics.series {
        let value = match &delta.value {
            MetricDelta::Counter { sum } => format!("+{sum}"),
            MetricDelta::Gauge { last } => format!("={last}"),
            MetricDelta::Histogram { buckets, count, sum } => format!("{buckets:?} count {count} sum {sum}"),
        };
        let overflow = if delta.series.overflow { " (overflow)" } else { "" };
        writeln!(text, "metric {} {:?}{overflow} {value}", delta.series.metric, delta.series.labels).unwrap();
    }
    for line in &outcome.logs {
        writeln!(text, "log {}: {}", line.level, line.text).unwrap();
    }
    if outcome.logs_dropped > 0 {
        writeln!(text, "logs dropped {}", outcome.logs_dropped).unwrap();
    }
    text
}

pub(crate) fn show_error(error: &CallError) -> String {
    let digest = format!("{:.12}", error.context.module);
    let message = error.to_string().replace(&digest, "<digest>");
    format!("{} ({}): {message}\n", error.code(), error.fault())
}
