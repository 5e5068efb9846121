//! Guests out of text, batches out of literals, outcomes as text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};

use weir_batch::arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray,
};
use weir_batch::{Batch, Schema};
use weir_sandbox::{
    CallError, Carry, Engine, EngineConfig, IMPORTS, Instance, Limits, MetricDelta, Module, Outcome, ParamValue,
    Refusal, TenantId,
};

/// One engine for all tests, as a process has one.
pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(&EngineConfig::default()).unwrap())
}

pub(crate) fn tenant() -> TenantId {
    "acme".parse().unwrap()
}

/// A module of these manifest lines and this text, every import of the contract declared.
pub(crate) fn wasm(manifest: &str, body: &str) -> Vec<u8> {
    let mut imports = String::new();
    for import in IMPORTS {
        let signature = import.to_string().replace([',', '(', ')'], "");
        let (params, result) = signature.split_once("-> ").unwrap();
        write!(imports, "(import \"weir_v1\" \"{0}\" (func ${0} (param {params}) (result {result})))", import.name)
            .unwrap();
    }
    bare_wasm(manifest, &format!("{imports} {body}"))
}

/// A module of these manifest lines and nothing but this text.
pub(crate) fn bare_wasm(manifest: &str, body: &str) -> Vec<u8> {
    let manifest: String = manifest.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    wat::parse_str(format!("(module {body} (@custom \"weir.manifest\" \"{manifest}\"))")).unwrap()
}

pub(crate) fn admit(wasm: &[u8]) -> Result<Arc<Module>, Refusal> {
    // Tests hand in what is refused by the thousand.
    engine().admit(&tenant(), wasm, &Limits::default().with(|it| it.trap_pause_ms_max = 0))
}

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

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

pub(crate) fn call(instance: &mut Instance, batch: &Arc<Batch>) -> Result<Outcome, CallError> {
    block_on(instance.call(batch))
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
