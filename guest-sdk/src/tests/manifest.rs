//! Tests of manifests from const evaluation.

use expect_test::{Expect, expect};

use crate::manifest::Function;
use crate::prelude::*;
use crate::rt;

/// The line from const evaluation must be valid JSON; it is shown indented.
fn check(function: &Function, line: &[u8], expect: Expect) {
    assert_eq!(line.len(), function.json_bytes());
    let (last, json) = line.split_last().unwrap();
    assert_eq!((*last, json.contains(&b'\n')), (b'\n', false));
    let value: serde_json::Value = serde_json::from_slice(json).unwrap();
    expect.assert_eq(&serde_json::to_string_pretty(&value).unwrap());
}

#[derive(Row)]
struct Everything<'a> {
    b: bool,
    i8: i8,
    i16: i16,
    i32: i32,
    i64: Option<i64>,
    f64: f64,
    time: Timestamp,
    text: &'a str,
    owned: Option<String>,
    bytes: &'a [u8],
    owned_bytes: Option<Vec<u8>>,
    #[row(name = "a \"quoted\" \\ name")]
    r#type: bool,
}

#[test]
fn every_type_of_field() {
    const FUNCTION: Function = Function {
        name: "everything",
        doc: "One line,\nanother with \"quotes\", a \t tab and ü.",
        kind: rt::Kind::Transform { shape: rt::Shape::Map, fallible: true },
        state: rt::State::None,
        input: <Everything<'_> as rt::Row>::FIELDS,
        output: &[],
        params: &[],
        metrics: &[],
    };
    static LINE: [u8; FUNCTION.json_bytes()] = FUNCTION.json();
    check(
        &FUNCTION,
        &LINE,
        expect![[r#"
            {
              "abi": 1,
              "doc": "One line,\nanother with \"quotes\", a \t tab and ü.",
              "fallible": true,
              "input": [
                {
                  "name": "b",
                  "nullable": false,
                  "type": "bool"
                },
                {
                  "name": "i8",
                  "nullable": false,
                  "type": "i8"
                },
                {
                  "name": "i16",
                  "nullable": false,
                  "type": "i16"
                },
                {
                  "name": "i32",
                  "nullable": false,
                  "type": "i32"
                },
                {
                  "name": "i64",
                  "nullable": true,
                  "type": "i64"
                },
                {
                  "name": "f64",
                  "nullable": false,
                  "type": "f64"
                },
                {
                  "name": "time",
                  "nullable": false,
                  "type": "timestamp"
                },
                {
                  "name": "text",
                  "nullable": false,
                  "type": "utf8"
                },
                {
                  "name": "owned",
                  "nullable": true,
                  "type": "utf8"
                },
                {
                  "name": "bytes",
                  "nullable": false,
                  "type": "binary"
                },
                {
                  "name": "owned_bytes",
                  "nullable": true,
                  "type": "binary"
                },
                {
                  "name": "a \"quoted\" \\ name",
                  "nullable": false,
                  "type": "bool"
                }
              ],
              "kind": "transform",
              "metrics": [],
              "name": "everything",
              "output": [],
              "output_shape": "map",
              "params": [],
              "state": "none"
            }"#]],
    );
}

#[derive(Params)]
struct Knobs {
    /// How many.
    #[param(default = -60)]
    count: i64,
    #[param(default = 1.5e300, help = "how \"much\"")]
    factor: f64,
    #[param(default = true)]
    on: bool,
    #[param(default = "a \"b\" \\ ü\n", name = "label")]
    text: String,
    required: String,
}

#[derive(Default, MetricSet)]
struct Measures {
    /// Flights seen.
    #[metric(unit = "{flight}")]
    flights: Counter,
    #[metric(help = "how hot", unit = "Cel", labels("place", "height"), name = "heat")]
    temperature: Gauge<2>,
    #[metric(buckets(-1, 0, 0.5, 1e3))]
    spread: Histogram,
    #[metric(skip)]
    seen: u64,
}

#[derive(Default, MetricSet)]
struct Threshold {
    above: Counter,
    #[metric(param)]
    least: i64,
}

#[test]
fn fields_beside_metrics_are_state_but_for_parameters() {
    let keeps = [<Measures as rt::MetricSet>::KEEPS_STATE, <Threshold as rt::MetricSet>::KEEPS_STATE];
    assert_eq!(keeps, [true, false]);
    assert_eq!(Threshold::default().least, 0);
}

#[test]
fn parameters_and_metrics() {
    const FUNCTION: Function = Function {
        name: "measures",
        doc: "",
        kind: rt::Kind::Metrics,
        state: rt::State::Kept,
        input: &[],
        output: &[],
        params: <Knobs as rt::Params>::SPECS,
        metrics: <Measures as rt::MetricSet>::SPECS,
    };
    static LINE: [u8; FUNCTION.json_bytes()] = FUNCTION.json();
    check(
        &FUNCTION,
        &LINE,
        expect![[r#"
            {
              "abi": 1,
              "input": [],
              "kind": "metrics",
              "metrics": [
                {
                  "help": "Flights seen.",
                  "kind": "counter",
                  "labels": [],
                  "name": "flights",
                  "unit": "{flight}"
                },
                {
                  "help": "how hot",
                  "kind": "gauge",
                  "labels": [
                    "place",
                    "height"
                  ],
                  "name": "heat",
                  "unit": "Cel"
                },
                {
                  "buckets": [
                    -1.0,
                    0.0,
                    0.5,
                    1000.0
                  ],
                  "kind": "histogram",
                  "labels": [],
                  "name": "spread"
                }
              ],
              "name": "measures",
              "output": [],
              "params": [
                {
                  "default": -60,
                  "help": "How many.",
                  "name": "count",
                  "type": "i64"
                },
                {
                  "default": 1.5e+300,
                  "help": "how \"much\"",
                  "name": "factor",
                  "type": "f64"
                },
                {
                  "default": true,
                  "name": "on",
                  "type": "bool"
                },
                {
                  "default": "a \"b\" \\ ü\n",
                  "name": "label",
                  "type": "utf8"
                },
                {
                  "name": "required",
                  "type": "utf8"
                }
              ],
              "state": "kept"
            }"#]],
    );
    assert_eq!(Measures::default().seen, 0);
}

#[test]
fn parameters_are_loaded_by_index() {
    use crate::native_host::Value;
    let params =
        [Value::I64(7), Value::F64(0.5), Value::Bool(1), Value::Bytes(b"given".to_vec()), Value::Bytes(vec![])];
    super::set(vec![vec![]], params.to_vec());
    let Knobs { count, factor, on, text, required } = <Knobs as rt::Params>::load();
    assert_eq!((count, factor, on, &*text, &*required), (7, 0.5, true, "given", ""));
}
