//! The example guests in the sandbox: every kind of function, over batches of several windows.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{Float64Type, Int64Type};
use weir_batch::{Batch, DataType, Field, Schema};
use weir_sandbox::{
    Carry, Engine, EngineConfig, Instance, Limits, MetricDelta, Outcome, ParamValue, RowCode, TenantId,
};
use weir_tests::guest_module;

type Done = Result<(), Box<dyn Error>>;

/// Rows of a batch that is longer than two windows, and no multiple of 64.
const ROWS: i64 = 2_500;
const AIRPORTS: [&str; 3] = ["SEA", "SFO", "München"];

/// Flight n: n - 100 minutes late, 10 n miles, between airports that take turns.
fn flights() -> Result<Arc<Batch>, Box<dyn Error>> {
    let names = ["date", "delay", "distance", "origin", "destination"];
    let types = [DataType::Timestamp, DataType::I64, DataType::I64, DataType::Utf8, DataType::Utf8];
    let schema = Schema::new(names.into_iter().zip(types).map(|(name, ty)| Field::new(name, ty)).collect())?;
    let airport = |n: i64| AIRPORTS[n as usize % 3];
    let hours = TimestampMicrosecondArray::from_iter_values((0..ROWS).map(|n| n * 3_600_000_000));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(hours),
        Arc::new(Int64Array::from_iter_values((0..ROWS).map(|n| n - 100))),
        Arc::new(Int64Array::from_iter_values((0..ROWS).map(|n| n * 10))),
        Arc::new(StringArray::from_iter_values((0..ROWS).map(airport))),
        Arc::new(StringArray::from_iter_values((0..ROWS).map(|n| airport(n + 1)))),
    ];
    // The columns take the schema's own types: timestamps have a zone there.
    let arrow = schema.to_arrow();
    let columns =
        columns.iter().zip(arrow.fields()).map(|(column, field)| arrow::compute::cast(column, field.data_type()));
    Ok(Arc::new(Batch::new(Arc::new(schema), columns.collect::<Result<_, _>>()?)?))
}

/// The seed workload's template, over and over: ids from 0, values 1.5 times as much.
fn readings() -> Result<Arc<Batch>, Box<dyn Error>> {
    let schema = Schema::new(vec![Field::new("id", DataType::I64), Field::new("value", DataType::F64)])?;
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(0..ROWS)),
        Arc::new(Float64Array::from_iter_values((0..ROWS).map(|n| n as f64 * 1.5))),
    ];
    Ok(Arc::new(Batch::new(Arc::new(schema), columns)?))
}

/// Calls `function` of the guest `module` twice with `batch`, which must not make a difference, and gives the outcome.
fn call(
    module: &str,
    function: &str,
    batch: &Arc<Batch>,
    params: &[(&str, ParamValue)],
) -> Result<Outcome, Box<dyn Error>> {
    let tenant: TenantId = "acme".parse()?;
    let limits = Limits::default();
    let engine = Engine::new(&EngineConfig::default().with(|it| it.instances_max = 4))?;
    let module = engine.admit(&tenant, &guest_module(module)?, &limits)?;
    let function = module.manifest().function(function).ok_or("no such function")?;
    let params: BTreeMap<_, _> = params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let bound = function.bind(batch.schema(), &Carry::None, &params).map_err(|errors| format!("{errors:?}"))?;
    let mut instance = Instance::new(&module, &Arc::new(bound), &limits);
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let first = instance.call(batch).await?;
        let second = instance.call(batch).await?;
        assert_eq!(first.output.to_arrow()?, second.output.to_arrow()?);
        assert_eq!(first.metrics, second.metrics);
        assert_eq!(instance.instantiations(), 1);
        Ok(second)
    })
}

fn texts(outcome: &Outcome, column: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let record = outcome.output.to_arrow()?;
    let texts = record.column(column).as_string_opt::<i32>().ok_or("not text")?;
    Ok(texts.iter().flatten().map(str::to_owned).collect())
}

fn ints(outcome: &Outcome, column: usize) -> Result<Vec<i64>, Box<dyn Error>> {
    let record = outcome.output.to_arrow()?;
    Ok(record.column(column).as_primitive_opt::<Int64Type>().ok_or("not i64")?.values().to_vec())
}

fn floats(outcome: &Outcome, column: usize) -> Result<Vec<Option<f64>>, Box<dyn Error>> {
    let record = outcome.output.to_arrow()?;
    Ok(record.column(column).as_primitive_opt::<Float64Type>().ok_or("not f64")?.iter().collect())
}

/// A batch of one column of text.
fn lines(name: &str, lines: &[&str]) -> Result<Arc<Batch>, Box<dyn Error>> {
    let schema = Schema::new(vec![Field::new(name, DataType::Utf8)])?;
    let column: ArrayRef = Arc::new(StringArray::from_iter_values(lines));
    Ok(Arc::new(Batch::new(Arc::new(schema), vec![column])?))
}

/// What `regex` and `serde_json_path` take to compile, with their default features, is within the default limits.
#[test]
fn functions_on_crates_that_many_use_are_admitted() -> Done {
    let pattern = ("pattern", ParamValue::Utf8(r"(?i)err(or)?\b".to_owned()));
    let outcome = call("patterns", "matching", &lines("line", &["an ERROR", "errand"])?, &[pattern])?;
    assert_eq!(texts(&outcome, 0)?, ["an ERROR"]);
    let path = ("path", ParamValue::Utf8("$.a[?@.n > 1].n".to_owned()));
    let documents = lines("json", &[r#"{"a": [{"n": 1}, {"n": 2}, {"n": 3}]}"#, "{}"])?;
    let outcome = call("patterns", "selected", &documents, &[path])?;
    assert_eq!(texts(&outcome, 0)?, ["2", "3"]);
    Ok(())
}

#[test]
fn late_flights_have_a_route() -> Done {
    let batch = flights()?;
    for (params, least) in [(&[][..], 60), (&[("min_delay", ParamValue::I64(2_000))][..], 2_000)] {
        let outcome = call("flights", "late", &batch, params)?;
        let late = || (0..ROWS).filter(|n| n - 100 > least);
        let route = |n: i64| format!("{}-{}", AIRPORTS[n as usize % 3], AIRPORTS[(n as usize + 1) % 3]);
        assert_eq!(texts(&outcome, 0)?, late().map(route).collect::<Vec<_>>());
        assert_eq!(ints(&outcome, 1)?, late().map(|n| n - 100).collect::<Vec<_>>());
        assert_eq!((outcome.filtered, outcome.failed.len()), (ROWS as usize - late().count(), 0));
    }
    Ok(())
}

#[test]
fn a_filter_keeps_late_flights() -> Done {
    let outcome = call("flights", "is_late", &flights()?, &[])?;
    assert_eq!(ints(&outcome, 1)?, (61..ROWS - 100).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_map_gives_hours_and_haul() -> Done {
    let outcome = call("flights", "delay_hours", &flights()?, &[])?;
    assert_eq!(floats(&outcome, 0)?, (0..ROWS).map(|n| Some((n - 100) as f64 / 60.0)).collect::<Vec<_>>());
    let haul = |n: i64| {
        if n < 70 {
            "short"
        } else if n < 200 {
            "medium"
        } else {
            "long"
        }
    };
    assert_eq!(texts(&outcome, 1)?, (0..ROWS).map(haul).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_flight_has_two_ends() -> Done {
    let outcome = call("flights", "endpoints", &flights()?, &[])?;
    let airports = (0..ROWS as usize).flat_map(|n| [AIRPORTS[n % 3], AIRPORTS[(n + 1) % 3]]);
    assert_eq!(texts(&outcome, 0)?, airports.collect::<Vec<_>>());
    assert_eq!(ints(&outcome, 2)?, (0..ROWS).flat_map(|n| [n % 24, n % 24]).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn implausible_flights_fail() -> Done {
    let outcome = call("flights", "checked", &flights()?, &[])?;
    // Flight 0 went no distance; flights from 601 on went too far; those from 1,541 on were too late besides.
    let code = |n: i64| if n > 1_540 { Some(2) } else { (n == 0 || n > 600).then_some(3) };
    let expected: Vec<_> = (0..ROWS).filter_map(|n| code(n).map(|code| (n as usize, RowCode::Guest(code)))).collect();
    let failed: Vec<_> = outcome.failed.iter().map(|failure| (failure.row, failure.code)).collect();
    assert_eq!(failed, expected);
    assert_eq!(outcome.failed[0].message, "implausible distance of 0 miles");
    let ratio = |n: i64| (n > 100).then(|| (n * 10) as f64 / (n - 100) as f64);
    assert_eq!(floats(&outcome, 0)?, (1..=600).map(ratio).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn delays_are_counted_by_origin() -> Done {
    let outcome = call("flights", "delays", &flights()?, &[])?;
    let mut seen = BTreeMap::new();
    for delta in &outcome.metrics.series {
        let value = match &delta.value {
            MetricDelta::Counter { sum } => (*sum as u64, *sum),
            MetricDelta::Histogram { count, sum, .. } => (*count, *sum),
            other => return Err(format!("{other:?}").into()),
        };
        seen.insert((delta.series.metric, delta.series.labels.join(",")), value);
    }
    let mut expected = BTreeMap::from([((0, String::new()), (ROWS as u64, ROWS as f64))]);
    for n in 0..ROWS {
        let (count, sum) = expected.entry((1, AIRPORTS[n as usize % 3].to_owned())).or_insert((0, 0.0));
        (*count, *sum) = (*count + 1, *sum + (n - 100) as f64);
    }
    assert_eq!(seen, expected);
    Ok(())
}

#[test]
fn windows_and_getters_agree() -> Done {
    let batch = readings()?;
    let expected: Vec<i64> = (0..ROWS).filter(|n| n % 2 == 0 && *n as f64 * 1.5 > 100.0).collect();
    for function in ["two_field", "two_field_getters"] {
        assert_eq!(ints(&call("seed", function, &batch, &[])?, 0)?, expected, "{function}");
    }
    assert_eq!(call("seed", "pass", &batch, &[])?.filtered, 0);
    let product = |n: i64| Some(n as f64 * (n as f64 * 1.5));
    assert_eq!(floats(&call("seed", "product", &batch, &[])?, 0)?, (0..ROWS).map(product).collect::<Vec<_>>());
    Ok(())
}

#[test]
fn a_filter_that_keeps_all_copies_nothing() -> Done {
    let batch = readings()?;
    let outcome = call("seed", "pass", &batch, &[])?;
    assert!(Arc::ptr_eq(&outcome.output, &batch));
    Ok(())
}

#[test]
fn text_is_taken_apart() -> Done {
    let schema = Arc::new(Schema::new(vec![Field::new("channel", DataType::Utf8), Field::new("url", DataType::Utf8)])?);
    let url = |n: i64| match n % 3 {
        0 => format!("https://www.nexmark.com/a{n}/b/c/item.htm?query=1"),
        1 => format!("https://www.nexmark.com/ä?channel_id={n}"),
        _ => String::new(),
    };
    let channel = |n: i64| if n % 6 == 0 { "GOOGLE" } else { "other" };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values((0..ROWS).map(channel))),
        Arc::new(StringArray::from_iter_values((0..ROWS).map(url))),
    ];
    let batch = Arc::new(Batch::new(schema, columns)?);

    let ids = call("nexmark", "channel_id", &batch, &[])?;
    let expected = |n: i64| match (n % 6, n % 3) {
        (0, _) => Some("1".to_owned()),
        (_, 1) => Some(n.to_string()),
        _ => None,
    };
    assert_eq!(texts(&ids, 0)?, (0..ROWS).filter_map(expected).collect::<Vec<_>>());

    let parts = call("nexmark", "url_parts", &batch, &[])?.output.to_arrow()?;
    let nulls: Vec<usize> = parts.columns().iter().map(|column| column.null_count()).collect();
    let (first, second) = ((0..ROWS).filter(|n| n % 3 == 0).count(), (0..ROWS).filter(|n| n % 3 == 1).count());
    assert_eq!(nulls, [ROWS as usize - first - second, ROWS as usize - first, ROWS as usize - first]);
    Ok(())
}
