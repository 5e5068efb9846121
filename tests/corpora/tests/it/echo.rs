//! What the SDK's windows and builders make of any batch, compiled as for a tenant, is what Arrow holds.
//!
//! Each function of the guest `echo` answers with the rows that it was shown, or some of them. Its wrappers of the
//! host's functions are the only `unsafe` code of a guest: a count or a width that is wrong there loses, repeats or
//! invents values here.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use weir_batch::arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
};
use weir_batch::arrow::buffer::BooleanBuffer;
use weir_batch::arrow::compute::take_record_batch;
use weir_batch::arrow::datatypes::{Int8Type, Int32Type};
use weir_batch::{Batch, DataType, Field, Schema};
use weir_corpora::Rng;
use weir_sandbox::{Carry, Engine, EngineConfig, Instance, Limits, MetricDelta, Outcome, ParamValue, RowCode};

/// How a batch is to be: its rows, how many of ten values are missing, and the longest text.
#[derive(Clone, Debug)]
struct Make {
    seed: u64,
    rows: usize,
    nulls: usize,
    text: usize,
    /// How many of ten rows an earlier stage kept.
    kept: usize,
}

fn batch(make: &Make, schema: &Arc<Schema>) -> Arc<Batch> {
    let mut rng = Rng::of(make.seed, "echo", 0);
    let mut value = |column: &mut Vec<Option<u64>>| {
        column.extend((0..make.rows).map(|_| (rng.below(10) >= make.nulls).then(|| rng.next_u64())));
    };
    let mut numbers = || {
        let mut column = Vec::new();
        value(&mut column);
        column.into_iter()
    };
    // The last two bits say what kind of text, the others how long it is and which.
    let text = |bits: u64| match bits % 4 {
        0 => String::new(),
        1 => "é".repeat(bits as usize / 4 % (make.text / 2 + 1)),
        _ => char::from(b'a' + (bits >> 32) as u8 % 26).to_string().repeat(bits as usize / 4 % (make.text + 1)),
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(numbers().map(|bits| bits.map(|bits| bits % 2 == 0)).collect::<BooleanArray>()),
        Arc::new(numbers().map(|bits| bits.map(|bits| bits as i8)).collect::<Int8Array>()),
        Arc::new(numbers().map(|bits| bits.map(|bits| bits as i16)).collect::<Int16Array>()),
        Arc::new(numbers().map(|bits| bits.map(|bits| bits as i32)).collect::<Int32Array>()),
        Arc::new(numbers().map(|bits| bits.map(|bits| bits as i64)).collect::<Int64Array>()),
        // Finite ones: the engine makes all NaNs the same.
        Arc::new(numbers().map(|bits| bits.map(|bits| bits as i64 as f64 / 7.0)).collect::<Float64Array>()),
        Arc::new(numbers().map(|bits| bits.map(text)).collect::<StringArray>()),
        Arc::new(numbers().map(|bits| bits.map(|bits| text(bits).into_bytes())).collect::<BinaryArray>()),
        Arc::new(numbers().map(|bits| bits.map(|bits| bits as i64)).collect::<TimestampMicrosecondArray>()),
    ];
    let batch = Arc::new(Batch::new(Arc::clone(schema), columns).unwrap());
    let mut rng = Rng::of(make.seed, "kept", 0);
    batch.filter(&BooleanBuffer::collect_bool(make.rows, |_| rng.below(10) < make.kept)).unwrap()
}

fn schema() -> Arc<Schema> {
    let names = ["b", "i8", "i16", "i32", "i64", "f", "s", "y", "t"];
    let fields = names.iter().zip(DataType::ALL).map(|(name, data_type)| Field::nullable(*name, data_type));
    Arc::new(Schema::new(fields.collect()).unwrap())
}

/// The functions of the guest, each instantiated once: batches of all sizes go through the same windows.
struct Echo {
    runtime: tokio::runtime::Runtime,
    schema: Arc<Schema>,
    instances: BTreeMap<&'static str, Instance>,
}

impl Echo {
    fn new() -> Echo {
        let limits = Limits::default().with(|it| it.deadline_ms_max = 20_000);
        let engine = Engine::new(&EngineConfig::default().with(|it| it.instances_max = 16)).unwrap();
        let wasm = weir_tests::guest_module("echo").unwrap();
        let module = engine.admit(&"acme".parse().unwrap(), &wasm, &limits).unwrap();
        let schema = schema();
        let names = ["values", "optional", "even", "even_or_error", "even_twice", "getters_agree", "seen", "logged"];
        let instances = names.map(|name| {
            let bound =
                module.manifest().function(name).unwrap().bind(&schema, &Carry::None, &BTreeMap::new()).unwrap();
            (name, Instance::new(&module, &Arc::new(bound), &limits))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        Echo { runtime, schema, instances: instances.into() }
    }

    /// Calls `is_wanted`, which looks for this text.
    fn call_wanted(&self, text: &str, batch: &Arc<Batch>) -> Outcome {
        let limits = Limits::default();
        let module = self.instances["values"].module();
        let params = BTreeMap::from([("text".to_owned(), ParamValue::Utf8(text.to_owned()))]);
        let function = module.manifest().function("is_wanted").unwrap();
        let bound = function.bind(&self.schema, &Carry::None, &params).unwrap();
        let mut instance = Instance::new(module, &Arc::new(bound), &limits);
        self.runtime.block_on(instance.call(batch)).unwrap_or_else(|error| panic!("{error}"))
    }

    fn call(&mut self, function: &str, batch: &Arc<Batch>) -> Outcome {
        let instance = self.instances.get_mut(function).unwrap();
        self.runtime.block_on(instance.call(batch)).unwrap_or_else(|error| panic!("{error}"))
    }
}

/// The output is these rows of the input.
fn assert_rows(function: &str, input: &RecordBatch, rows: Vec<u32>, outcome: &Outcome) {
    let output = outcome.output.to_arrow().unwrap();
    let expected = take_record_batch(input, &UInt32Array::from(rows)).unwrap();
    assert_eq!(output.num_rows(), expected.num_rows(), "{function}");
    for ((found, expected), field) in output.columns().iter().zip(expected.columns()).zip(input.schema().fields()) {
        assert_eq!(found, expected, "column `{}` of {function}", field.name());
    }
}

fn check(echo: &mut Echo, make: &Make) {
    let batch = batch(make, &echo.schema);
    let input = batch.to_arrow().unwrap();
    let rows = input.num_rows() as u32;
    let numbers = input.column(3).as_primitive::<Int32Type>();
    let is_even = |row: &u32| numbers.is_null(*row as usize) || numbers.value(*row as usize) % 2 == 0;
    let is_whole = |row: &u32| input.columns().iter().all(|column| column.is_valid(*row as usize));

    let outcome = echo.call("values", &batch);
    assert_rows("values", &input, (0..rows).filter(is_whole).collect(), &outcome);
    assert!(outcome.failed.iter().all(|failure| failure.code == RowCode::NullInput));
    assert_eq!(outcome.failed.len() + outcome.output.rows(), rows as usize);
    assert_rows("optional", &input, (0..rows).collect(), &echo.call("optional", &batch));
    assert_rows("even", &input, (0..rows).filter(is_even).collect(), &echo.call("even", &batch));
    let outcome = echo.call("even_or_error", &batch);
    assert_rows("even_or_error", &input, (0..rows).filter(is_even).collect(), &outcome);
    let failed: Vec<u32> = outcome.failed.iter().map(|failure| failure.row as u32).collect();
    assert_eq!(failed, (0..rows).filter(|row| !is_even(row)).collect::<Vec<_>>());
    let twice = (0..rows).filter(is_even).flat_map(|row| [row, row]).collect();
    assert_rows("even_twice", &input, twice, &echo.call("even_twice", &batch));
    assert_rows("getters_agree", &input, (0..rows).collect(), &echo.call("getters_agree", &batch));

    let texts = input.column(6).as_string::<i32>();
    for wanted in texts.iter().flatten().take(2) {
        let is_wanted = |row: &u32| texts.is_valid(*row as usize) && texts.value(*row as usize) == wanted;
        assert_rows("is_wanted", &input, (0..rows).filter(is_wanted).collect(), &echo.call_wanted(wanted, &batch));
    }
    assert_eq!(seen(&echo.call("seen", &batch)), expected_seen(&input));

    let outcome = echo.call("logged", &batch);
    let begins = texts.iter().map(|text| text.unwrap_or("none").chars().take(9).collect::<String>());
    let lines: Vec<&str> = outcome.logs.iter().map(|line| line.text.as_str()).collect();
    assert_eq!(lines, begins.take(100).collect::<Vec<_>>());
    assert_eq!(outcome.logs_dropped as usize + lines.len(), rows as usize);
}

/// Each series with its labels and what it gained: a sum, the last value, or a count and a sum.
type Seen = BTreeMap<(usize, String), (f64, f64)>;

fn seen(outcome: &Outcome) -> Seen {
    let gained = outcome.metrics.series.iter().map(|delta| {
        let value = match &delta.value {
            MetricDelta::Counter { sum } => (*sum, 0.0),
            MetricDelta::Gauge { last } => (*last, 0.0),
            MetricDelta::Histogram { count, sum, .. } => (*count as f64, *sum),
        };
        ((delta.series.metric, delta.series.labels.join("|")), value)
    });
    gained.collect()
}

fn expected_seen(input: &RecordBatch) -> Seen {
    let mut seen = Seen::new();
    let smalls = input.column(1).as_primitive::<Int8Type>();
    let numbers = input.column(3).as_primitive::<Int32Type>();
    let texts = input.column(6).as_string::<i32>();
    for ((text, number), small) in texts.iter().zip(numbers).zip(smalls) {
        seen.entry((0, String::new())).or_default().0 += 1.0;
        let text: String = text.unwrap_or("none").chars().take(4).collect();
        let rest = number.map_or("none".to_owned(), |number| (number % 3).to_string());
        seen.entry((1, format!("{text}|{rest}"))).or_default().0 += 1.0;
        if let Some(number) = number {
            seen.insert((2, String::new()), (f64::from(number), 0.0));
        }
        if let Some(small) = small {
            let entry = seen.entry((3, String::new())).or_default();
            *entry = (entry.0 + 1.0, entry.1 + f64::from(small));
        }
    }
    seen
}

thread_local! {
    static ECHO: RefCell<Echo> = RefCell::new(Echo::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn nothing_is_lost_or_made_up(
        seed: u64,
        // Less than a window, about one, and several.
        rows in prop_oneof![0_usize..70, 1_000_usize..1_100, 2_000_usize..3_500],
        nulls in prop_oneof![Just(0_usize), 0..10_usize, Just(10)],
        // The buffer for text begins with 16 KiB for up to 1,024 values.
        text in prop_oneof![0_usize..4, 10_usize..40, 200_usize..600],
        kept in prop_oneof![Just(10_usize), 1..10_usize],
    ) {
        ECHO.with_borrow_mut(|echo| check(echo, &Make { seed, rows, nulls, text, kept }));
    }
}

#[test]
fn a_value_that_is_longer_than_a_window_may_be() {
    // 1 MiB is where windows of text stop growing, and values begin to come one at a time.
    let mut echo = Echo::new();
    for text in [700 << 10, 1 << 20, 3 << 20] {
        check(&mut echo, &Make { seed: 1, rows: 12, nulls: 2, text, kept: 10 });
        // Short ones after long ones, in the buffers that have grown.
        check(&mut echo, &Make { seed: 2, rows: 1_500, nulls: 2, text: 20, kept: 10 });
    }
}
