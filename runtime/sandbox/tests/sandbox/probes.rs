//! Every host function, called with what it must refuse: a status or the guest's end, never more.

use std::collections::BTreeSet;

use expect_test::{Expect, expect};
use weir_sandbox::{Carry, IMPORTS, Limits, ParamValue, TrapCause};

use crate::support::{all_types, call, instance_with, wasm};

const INPUT: &str = r#"[{"name":"i64","type":"i64","nullable":true},{"name":"utf8","type":"utf8","nullable":true},{"name":"bool","type":"bool","nullable":true},{"name":"f64","type":"f64","nullable":true}]"#;
const REST: &str = r#""params":[{"name":"n","type":"i64"},{"name":"x","type":"f64"},{"name":"s","type":"utf8"},{"name":"b","type":"bool"}],"metrics":[{"name":"c","kind":"counter","labels":["l"]},{"name":"g","kind":"gauge"}]"#;
const OUTPUT: &str =
    r#"[{"name":"o","type":"i64"},{"name":"t","type":"utf8","nullable":true},{"name":"y","type":"bool"}]"#;

fn manifest(kind: &str) -> String {
    let (shape, output) = match kind {
        "metrics" => (String::new(), "[]"),
        "filter" => (r#""output_shape":"filter","#.to_owned(), "[]"),
        shape => (format!(r#""output_shape":"{shape}","#), OUTPUT),
    };
    let kind = if kind == "metrics" { "metrics" } else { "transform" };
    format!(r#"{{"abi":1,"name":"f","kind":"{kind}",{shape}"fallible":true,"input":{INPUT},"output":{output},{REST}}}"#)
}

/// What a guest's calls answer, one a line: `name arguments`, all but the last one dropped. The guest runs them over
/// five rows, with a page of memory that holds: at 64 "text", at 72 bytes that are no UTF-8, at 80 a label's length
/// 1 and the label, at 96 the offsets 0 4, at 104 the offsets 4 0, at 112 doubles 1 NaN -1, at 136 u32 0 1 2, at 148
/// u32 2 1, at 160 bytes 2.
fn answers(kind: &str, phase: &str, lines: &str) -> String {
    let batch = all_types();
    let mut text = String::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let calls: Vec<String> = line.split(';').map(|call| lower(call.trim())).collect();
        let (last, before) = calls.split_last().unwrap();
        let before: String = before.iter().map(|call| format!("(drop {call})")).collect();
        let (import, last) = (line.rsplit(';').next().unwrap().trim(), last);
        let result = IMPORTS.iter().find(|known| import.starts_with(&format!("{} ", known.name))).unwrap().to_string();
        let last = match result.rsplit(' ').next().unwrap() {
            "i64" => format!("(i32.wrap_i64 {last})"),
            "f64" => format!("(i32.trunc_sat_f64_s {last})"),
            _ => last.clone(),
        };
        // A function that fails says its code: answers are shown beside 100,000.
        let run = format!("{before} (return (i32.add (i32.const 100000) {last}))");
        let (init, call_body) =
            if phase == "init" { (run.as_str(), "(i32.const 0)") } else { ("(i32.const 0)", run.as_str()) };
        let body = format!(
            r#"(memory (export "memory") 1)
               (data (i32.const 64) "text") (data (i32.const 72) "\ff\fe") (data (i32.const 80) "\01\00\00\00l")
               (data (i32.const 100) "\04") (data (i32.const 104) "\04")
               (data (i32.const 118) "\f0\3f\00\00\00\00\00\00\f8\7f\00\00\00\00\00\00\f0\bf")
               (data (i32.const 140) "\01\00\00\00\02\00\00\00\02\00\00\00\01") (data (i32.const 160) "\02\02")
               (func (export "weir_init_f") (result i32) {init})
               (func (export "weir_call_f") (param i32) (result i32) {call_body})"#
        );
        let params = [
            ("n", ParamValue::I64(7)),
            ("x", ParamValue::F64(2.5)),
            ("s", ParamValue::Utf8("words".to_owned())),
            ("b", ParamValue::Bool(true)),
        ];
        let wasm = wasm(&manifest(kind), &body);
        let mut guest = instance_with(&wasm, batch.schema(), &Limits::default(), &Carry::None, &params);
        let error = call(&mut guest, &batch).unwrap_err();
        let answer = match &error.cause {
            TrapCause::Failed { code } => (code - 100_000).to_string(),
            other => format!("{}: {other}", other.code()),
        };
        text.push_str(&format!("{line} -> {answer}\n"));
    }
    text
}

/// `get_i64 0 -1` as text format.
fn lower(call: &str) -> String {
    let mut words = call.split(' ');
    let name = words.next().unwrap();
    let import = IMPORTS.iter().find(|import| import.name == name).unwrap();
    let signature = import.to_string();
    let params = signature.split_once(')').unwrap().0.trim_start_matches('(').to_owned();
    let arguments: Vec<String> =
        params.split(", ").zip(words).map(|(kind, word)| format!("({kind}.const {word})")).collect();
    assert_eq!(arguments.len(), params.split(", ").count(), "{call}");
    format!("(call ${name} {})", arguments.join(" "))
}

fn check(kind: &str, lines: &str, expect: Expect) {
    expect.assert_eq(&answers(kind, "batch", lines));
}

#[test]
fn getters() {
    check(
        "filter",
        "get_i64 0 0
         get_i64 0 3
         get_i64 0 5
         get_i64 0 -1
         get_i64 4 0
         get_i64 -1 0
         get_i64 -2147483648 2147483647
         get_i64 1 0
         get_f64 3 0
         get_f64 3 3
         get_f64 0 0
         get_f64 3 5
         get_f64 9 0
         get_bool 2 0
         get_bool 2 3
         get_bool 2 5
         get_bool 0 0
         get_bool 4 0
         is_null 1 3
         is_null 1 0
         is_null 1 5
         is_null 4 0
         validity_word 0 0
         validity_word 0 4
         validity_word 0 5
         validity_word 4 0
         validity_word 0 -1",
        expect![[r#"
            get_i64 0 0 -> -1
            get_i64 0 3 -> 0
            get_i64 0 5 -> bad_host_call: get_i64 was called wrongly: row 5 of 5
            get_i64 0 -1 -> bad_host_call: get_i64 was called wrongly: row 4294967295 of 5
            get_i64 4 0 -> bad_host_call: get_i64 was called wrongly: column 4 of 4
            get_i64 -1 0 -> bad_host_call: get_i64 was called wrongly: column 4294967295 of 4
            get_i64 -2147483648 2147483647 -> bad_host_call: get_i64 was called wrongly: column 2147483648 of 4
            get_i64 1 0 -> bad_host_call: get_i64 was called wrongly: column 1 is utf8
            get_f64 3 0 -> -1
            get_f64 3 3 -> 0
            get_f64 0 0 -> bad_host_call: get_f64 was called wrongly: column 0 is i64
            get_f64 3 5 -> bad_host_call: get_f64 was called wrongly: row 5 of 5
            get_f64 9 0 -> bad_host_call: get_f64 was called wrongly: column 9 of 4
            get_bool 2 0 -> 1
            get_bool 2 3 -> 0
            get_bool 2 5 -> bad_host_call: get_bool was called wrongly: row 5 of 5
            get_bool 0 0 -> bad_host_call: get_bool was called wrongly: column 0 is i64
            get_bool 4 0 -> bad_host_call: get_bool was called wrongly: column 4 of 4
            is_null 1 3 -> 1
            is_null 1 0 -> 0
            is_null 1 5 -> bad_host_call: is_null was called wrongly: row 5 of 5
            is_null 4 0 -> bad_host_call: is_null was called wrongly: column 4 of 4
            validity_word 0 0 -> 23
            validity_word 0 4 -> 1
            validity_word 0 5 -> bad_host_call: validity_word was called wrongly: row 5 of 5
            validity_word 4 0 -> bad_host_call: validity_word was called wrongly: column 4 of 4
            validity_word 0 -1 -> bad_host_call: validity_word was called wrongly: row 4294967295 of 5
        "#]],
    );
}

#[test]
fn get_bytes() {
    check(
        "filter",
        "get_bytes 1 0 0 3
         get_bytes 1 0 0 2
         get_bytes 1 3 0 0
         get_bytes 1 0 65536 0
         get_bytes 1 0 65537 0
         get_bytes 1 0 65535 2
         get_bytes 1 0 0 65536
         get_bytes 1 0 0 65537
         get_bytes 1 0 -1 1
         get_bytes 1 0 1 -1
         get_bytes 1 5 0 3
         get_bytes 1 -1 0 3
         get_bytes 4 0 0 3
         get_bytes 0 0 0 3",
        expect![[r#"
            get_bytes 1 0 0 3 -> 3
            get_bytes 1 0 0 2 -> 3
            get_bytes 1 3 0 0 -> 0
            get_bytes 1 0 65536 0 -> 3
            get_bytes 1 0 65537 0 -> -4
            get_bytes 1 0 65535 2 -> -4
            get_bytes 1 0 0 65536 -> 3
            get_bytes 1 0 0 65537 -> -4
            get_bytes 1 0 -1 1 -> -4
            get_bytes 1 0 1 -1 -> -4
            get_bytes 1 5 0 3 -> -2
            get_bytes 1 -1 0 3 -> -2
            get_bytes 4 0 0 3 -> -1
            get_bytes 0 0 0 3 -> -3
        "#]],
    );
}

#[test]
fn windows() {
    check(
        "filter",
        "window 0 0 5 0
         window 0 5 0 0
         window 0 0 0 65536
         window 0 0 0 65537
         window 0 6 0 0
         window 0 0 6 0
         window 0 4 2 0
         window 0 -1 2 0
         window 0 2 -1 0
         window 0 0 -1 0
         window 0 0 5 65496
         window 0 0 5 65497
         window 0 0 1 -8
         window 0 0 1 -1
         window 1 0 1 0
         window 4 0 1 0
         window -1 0 1 0
         window 2 0 5 65531
         window 2 0 5 65532
         window_validity 0 0 5 0
         window_validity 0 0 3 0
         window_validity 0 5 0 65536
         window_validity 0 0 5 65536
         window_validity 0 0 3 65536
         window_validity 0 0 6 0
         window_validity 0 -1 1 0
         window_validity 0 0 -1 0
         window_validity 4 0 1 0
         window_bytes 1 0 5 0 1024 100
         window_bytes 1 0 5 0 1024 3
         window_bytes 1 0 5 0 1024 2
         window_bytes 1 1 1 0 65536 0
         window_bytes 1 5 0 65532 65536 0
         window_bytes 1 5 0 65533 65536 0
         window_bytes 1 0 5 65512 1024 100
         window_bytes 1 0 5 65513 1024 100
         window_bytes 1 0 5 0 65500 37
         window_bytes 1 0 5 0 -1 1
         window_bytes 1 0 5 -1 1024 100
         window_bytes 1 0 6 0 1024 100
         window_bytes 1 -1 1 0 1024 100
         window_bytes 1 0 -1 0 1024 100
         window_bytes 0 0 1 0 1024 100
         window_bytes 4 0 1 0 1024 100
         window_bytes 1 0 5 0 0 100",
        expect![[r#"
            window 0 0 5 0 -> 5
            window 0 5 0 0 -> 0
            window 0 0 0 65536 -> 0
            window 0 0 0 65537 -> -4
            window 0 6 0 0 -> -2
            window 0 0 6 0 -> -2
            window 0 4 2 0 -> -2
            window 0 -1 2 0 -> -2
            window 0 2 -1 0 -> -2
            window 0 0 -1 0 -> -2
            window 0 0 5 65496 -> 5
            window 0 0 5 65497 -> -4
            window 0 0 1 -8 -> -4
            window 0 0 1 -1 -> -4
            window 1 0 1 0 -> -3
            window 4 0 1 0 -> -1
            window -1 0 1 0 -> -1
            window 2 0 5 65531 -> 5
            window 2 0 5 65532 -> -4
            window_validity 0 0 5 0 -> 0
            window_validity 0 0 3 0 -> 1
            window_validity 0 5 0 65536 -> 1
            window_validity 0 0 5 65536 -> -4
            window_validity 0 0 3 65536 -> -4
            window_validity 0 0 6 0 -> -2
            window_validity 0 -1 1 0 -> -2
            window_validity 0 0 -1 0 -> -2
            window_validity 4 0 1 0 -> -1
            window_bytes 1 0 5 0 1024 100 -> 5
            window_bytes 1 0 5 0 1024 3 -> 2
            window_bytes 1 0 5 0 1024 2 -> 0
            window_bytes 1 1 1 0 65536 0 -> 1
            window_bytes 1 5 0 65532 65536 0 -> 0
            window_bytes 1 5 0 65533 65536 0 -> -4
            window_bytes 1 0 5 65512 1024 100 -> 5
            window_bytes 1 0 5 65513 1024 100 -> -4
            window_bytes 1 0 5 0 65500 37 -> -4
            window_bytes 1 0 5 0 -1 1 -> -4
            window_bytes 1 0 5 -1 1024 100 -> -4
            window_bytes 1 0 6 0 1024 100 -> -2
            window_bytes 1 -1 1 0 1024 100 -> -2
            window_bytes 1 0 -1 0 1024 100 -> -2
            window_bytes 0 0 1 0 1024 100 -> -3
            window_bytes 4 0 1 0 1024 100 -> -1
            window_bytes 1 0 5 0 0 100 -> 5
        "#]],
    );
}

#[test]
fn relations() {
    check(
        "filter",
        "emit_filter 0 5
         emit_filter 0 0
         emit_filter 0 6
         emit_filter 0 -1
         emit_filter 65535 5
         emit_filter 65536 5
         emit_filter 65536 0
         emit_filter 65537 0
         emit_filter -1 5
         emit_filter 0 5; emit_filter 0 1
         emit_filter 0 2; emit_filter 0 3
         emit_parents 0 1
         emit_column 0 0 1 0
         emit_bytes 0 0 1 0 0 0",
        expect![[r#"
            emit_filter 0 5 -> 0
            emit_filter 0 0 -> 0
            emit_filter 0 6 -> -5
            emit_filter 0 -1 -> -5
            emit_filter 65535 5 -> 0
            emit_filter 65536 5 -> -4
            emit_filter 65536 0 -> 0
            emit_filter 65537 0 -> -4
            emit_filter -1 5 -> -4
            emit_filter 0 5; emit_filter 0 1 -> -5
            emit_filter 0 2; emit_filter 0 3 -> 0
            emit_parents 0 1 -> -10
            emit_column 0 0 1 0 -> -10
            emit_bytes 0 0 1 0 0 0 -> -10
        "#]],
    );
    check(
        "flat_map",
        "emit_parents 136 3
         emit_parents 148 2
         emit_parents 72 1
         emit_parents 65532 1
         emit_parents 65533 1
         emit_parents 65536 0
         emit_parents 65537 0
         emit_parents -4 1
         emit_parents 0 -1
         emit_parents 0 1073741824
         emit_parents 136 3; emit_parents 136 1
         emit_filter 0 5",
        expect![[r#"
            emit_parents 136 3 -> 0
            emit_parents 148 2 -> -8
            emit_parents 72 1 -> -2
            emit_parents 65532 1 -> 0
            emit_parents 65533 1 -> -4
            emit_parents 65536 0 -> 0
            emit_parents 65537 0 -> -4
            emit_parents -4 1 -> -4
            emit_parents 0 -1 -> -4
            emit_parents 0 1073741824 -> -4
            emit_parents 136 3; emit_parents 136 1 -> -8
            emit_filter 0 5 -> -10
        "#]],
    );
    check(
        "metrics",
        "emit_filter 0 5
         emit_parents 0 1
         emit_column 0 0 1 0
         emit_bytes 0 0 1 0 0 0",
        expect![[r#"
            emit_filter 0 5 -> -10
            emit_parents 0 1 -> -10
            emit_column 0 0 1 0 -> -10
            emit_bytes 0 0 1 0 0 0 -> -10
        "#]],
    );
}

#[test]
fn columns() {
    check(
        "map",
        "emit_column 0 0 5 0
         emit_column 0 0 6 0
         emit_column 0 0 -1 0
         emit_column 0 0 3 0; emit_column 0 0 3 0
         emit_column 0 65528 1 0
         emit_column 0 65529 1 0
         emit_column 0 65536 0 0
         emit_column 0 65537 0 0
         emit_column 0 -8 1 0
         emit_column 3 0 1 0
         emit_column -1 0 1 0
         emit_column 1 0 1 0
         emit_column 0 0 5 65536
         emit_column 0 0 5 -1
         emit_column 0 0 5 200
         emit_column 0 0 5 72
         emit_column 2 0 5 0
         emit_column 2 160 1 0
         emit_bytes 1 96 1 64 4 0
         emit_bytes 1 96 1 64 3 0
         emit_bytes 1 96 1 72 4 0
         emit_bytes 1 104 1 64 4 0
         emit_bytes 1 96 0 64 4 0
         emit_bytes 1 0 5 65536 0 0
         emit_bytes 1 0 5 65537 0 0
         emit_bytes 1 0 5 65536 1 0
         emit_bytes 1 0 5 0 -1 0
         emit_bytes 1 0 6 0 0 0
         emit_bytes 1 0 -1 0 0 0
         emit_bytes 1 -4 1 0 0 0
         emit_bytes 1 0 5 0 0 200
         emit_bytes 1 0 5 0 0 -1
         emit_bytes 0 0 1 0 0 0
         emit_bytes 3 0 1 0 0 0",
        expect![[r#"
            emit_column 0 0 5 0 -> 0
            emit_column 0 0 6 0 -> -5
            emit_column 0 0 -1 0 -> -4
            emit_column 0 0 3 0; emit_column 0 0 3 0 -> -5
            emit_column 0 65528 1 0 -> 0
            emit_column 0 65529 1 0 -> -4
            emit_column 0 65536 0 0 -> 0
            emit_column 0 65537 0 0 -> -4
            emit_column 0 -8 1 0 -> -4
            emit_column 3 0 1 0 -> -1
            emit_column -1 0 1 0 -> -1
            emit_column 1 0 1 0 -> -3
            emit_column 0 0 5 65536 -> -4
            emit_column 0 0 5 -1 -> -4
            emit_column 0 0 5 200 -> -8
            emit_column 0 0 5 72 -> 0
            emit_column 2 0 5 0 -> 0
            emit_column 2 160 1 0 -> -8
            emit_bytes 1 96 1 64 4 0 -> 0
            emit_bytes 1 96 1 64 3 0 -> -5
            emit_bytes 1 96 1 72 4 0 -> -7
            emit_bytes 1 104 1 64 4 0 -> -5
            emit_bytes 1 96 0 64 4 0 -> 0
            emit_bytes 1 0 5 65536 0 0 -> 0
            emit_bytes 1 0 5 65537 0 0 -> -4
            emit_bytes 1 0 5 65536 1 0 -> -4
            emit_bytes 1 0 5 0 -1 0 -> -4
            emit_bytes 1 0 6 0 0 0 -> -5
            emit_bytes 1 0 -1 0 0 0 -> -4
            emit_bytes 1 -4 1 0 0 0 -> -4
            emit_bytes 1 0 5 0 0 200 -> 0
            emit_bytes 1 0 5 0 0 -1 -> -4
            emit_bytes 0 0 1 0 0 0 -> -3
            emit_bytes 3 0 1 0 0 0 -> -1
        "#]],
    );
}

#[test]
fn row_errors() {
    check(
        "map",
        "row_error 0 1 64 4
         row_error 4 -1 65536 0
         row_error 5 1 64 4
         row_error -1 1 64 4
         row_error 0 1 65536 1
         row_error 0 1 -1 1
         row_error 0 1 0 -1
         row_error 0 1 72 2
         row_error 0 1 64 4; row_error 0 1 64 4",
        expect![[r#"
            row_error 0 1 64 4 -> 0
            row_error 4 -1 65536 0 -> 0
            row_error 5 1 64 4 -> -2
            row_error -1 1 64 4 -> -2
            row_error 0 1 65536 1 -> -4
            row_error 0 1 -1 1 -> -4
            row_error 0 1 0 -1 -> -4
            row_error 0 1 72 2 -> -7
            row_error 0 1 64 4; row_error 0 1 64 4 -> -10
        "#]],
    );
}

#[test]
fn metrics() {
    check(
        "metrics",
        "metric_series 0 80 5
         metric_series 0 80 5; metric_series 0 80 5
         metric_series 1 0 0
         metric_series 2 0 0
         metric_series -1 0 0
         metric_series 0 80 4
         metric_series 0 80 6
         metric_series 0 80 3
         metric_series 0 72 5
         metric_series 1 80 5
         metric_series 1 65536 0
         metric_series 1 65537 0
         metric_series 0 65532 5
         metric_series 0 -1 5
         metric_series 0 80 -1
         metric_series 0 1024 4096
         metric_record 0 1
         metric_record -1 1
         metric_series 0 80 5; metric_record 0 1
         metric_series 0 80 5; metric_record 1 1
         metric_series 0 80 5; metric_record 0 -1
         metric_series 0 80 5; metric_record 0 nan
         metric_series 0 80 5; metric_record 0 inf
         metric_series 1 0 0; metric_record 0 -1
         metric_record_many 0 0 0
         metric_record_many 65536 65536 0
         metric_record_many 65537 65536 0
         metric_record_many 0 112 1
         metric_series 0 80 5; metric_record_many 0 112 1
         metric_series 0 80 5; metric_record_many 0 112 2
         metric_series 0 80 5; metric_record_many 136 112 2
         metric_series 0 80 5; metric_record_many 0 0 -1
         metric_series 0 80 5; metric_record_many -4 112 1
         metric_series 0 80 5; metric_record_many 0 65529 1
         metric_record_column 0 112 1
         metric_series 0 80 5; metric_record_column 0 112 1
         metric_series 0 80 5; metric_record_column 0 112 2
         metric_series 0 80 5; metric_record_column 0 128 1
         metric_series 0 80 5; metric_record_column 0 65536 0
         metric_series 0 80 5; metric_record_column 0 65529 1
         metric_series 0 80 5; metric_record_column 0 0 -1
         metric_series 0 80 5; metric_record_column 1 112 0",
        expect![[r#"
            metric_series 0 80 5 -> 0
            metric_series 0 80 5; metric_series 0 80 5 -> 0
            metric_series 1 0 0 -> 0
            metric_series 2 0 0 -> -1
            metric_series -1 0 0 -> -1
            metric_series 0 80 4 -> -5
            metric_series 0 80 6 -> -5
            metric_series 0 80 3 -> -5
            metric_series 0 72 5 -> -5
            metric_series 1 80 5 -> -5
            metric_series 1 65536 0 -> 0
            metric_series 1 65537 0 -> -4
            metric_series 0 65532 5 -> -4
            metric_series 0 -1 5 -> -4
            metric_series 0 80 -1 -> -4
            metric_series 0 1024 4096 -> -9
            metric_record 0 1 -> -6
            metric_record -1 1 -> -6
            metric_series 0 80 5; metric_record 0 1 -> 0
            metric_series 0 80 5; metric_record 1 1 -> -6
            metric_series 0 80 5; metric_record 0 -1 -> -8
            metric_series 0 80 5; metric_record 0 nan -> -8
            metric_series 0 80 5; metric_record 0 inf -> -8
            metric_series 1 0 0; metric_record 0 -1 -> 0
            metric_record_many 0 0 0 -> 0
            metric_record_many 65536 65536 0 -> 0
            metric_record_many 65537 65536 0 -> -4
            metric_record_many 0 112 1 -> -6
            metric_series 0 80 5; metric_record_many 0 112 1 -> 0
            metric_series 0 80 5; metric_record_many 0 112 2 -> -8
            metric_series 0 80 5; metric_record_many 136 112 2 -> -6
            metric_series 0 80 5; metric_record_many 0 0 -1 -> -4
            metric_series 0 80 5; metric_record_many -4 112 1 -> -4
            metric_series 0 80 5; metric_record_many 0 65529 1 -> -4
            metric_record_column 0 112 1 -> -6
            metric_series 0 80 5; metric_record_column 0 112 1 -> 0
            metric_series 0 80 5; metric_record_column 0 112 2 -> -8
            metric_series 0 80 5; metric_record_column 0 128 1 -> -8
            metric_series 0 80 5; metric_record_column 0 65536 0 -> 0
            metric_series 0 80 5; metric_record_column 0 65529 1 -> -4
            metric_series 0 80 5; metric_record_column 0 0 -1 -> -4
            metric_series 0 80 5; metric_record_column 1 112 0 -> -6
        "#]],
    );
}

#[test]
fn parameters_and_words() {
    check(
        "filter",
        "param_i64 0
         param_i64 3
         param_i64 1
         param_i64 4
         param_i64 -1
         param_f64 1
         param_f64 0
         param_f64 4
         param_bytes 2 0 5
         param_bytes 2 0 4
         param_bytes 2 65536 0
         param_bytes 2 65537 0
         param_bytes 2 65532 5
         param_bytes 2 -1 5
         param_bytes 2 0 -1
         param_bytes 0 0 5
         param_bytes 4 0 5
         log 1 64 4
         log 4 65536 0
         log 0 64 4
         log 5 64 4
         log -1 64 4
         log 1 72 2
         log 1 65536 1
         log 1 -1 1
         log 1 0 -1
         last_words 64 4
         last_words 72 2
         last_words 65536 0
         last_words 65536 1
         last_words -1 1
         last_words 0 -1",
        expect![[r#"
            param_i64 0 -> 7
            param_i64 3 -> 1
            param_i64 1 -> bad_host_call: param_i64 was called wrongly: param 1 is f64
            param_i64 4 -> bad_host_call: param_i64 was called wrongly: param 4 of 4
            param_i64 -1 -> bad_host_call: param_i64 was called wrongly: param 4294967295 of 4
            param_f64 1 -> 2
            param_f64 0 -> bad_host_call: param_f64 was called wrongly: param 0 is i64
            param_f64 4 -> bad_host_call: param_f64 was called wrongly: param 4 of 4
            param_bytes 2 0 5 -> 5
            param_bytes 2 0 4 -> 5
            param_bytes 2 65536 0 -> 5
            param_bytes 2 65537 0 -> -4
            param_bytes 2 65532 5 -> -4
            param_bytes 2 -1 5 -> -4
            param_bytes 2 0 -1 -> -4
            param_bytes 0 0 5 -> -3
            param_bytes 4 0 5 -> -1
            log 1 64 4 -> 0
            log 4 65536 0 -> 0
            log 0 64 4 -> -8
            log 5 64 4 -> -8
            log -1 64 4 -> -8
            log 1 72 2 -> -7
            log 1 65536 1 -> -4
            log 1 -1 1 -> -4
            log 1 0 -1 -> -4
            last_words 64 4 -> 0
            last_words 72 2 -> -7
            last_words 65536 0 -> 0
            last_words 65536 1 -> -4
            last_words -1 1 -> -4
            last_words 0 -1 -> -4
        "#]],
    );
}

#[test]
fn in_init() {
    expect![[r#"
        get_i64 0 0 -> bad_host_call: get_i64 was called wrongly: it may be called within a batch only
        get_f64 3 0 -> bad_host_call: get_f64 was called wrongly: it may be called within a batch only
        get_bool 2 0 -> bad_host_call: get_bool was called wrongly: it may be called within a batch only
        is_null 0 0 -> bad_host_call: is_null was called wrongly: it may be called within a batch only
        validity_word 0 0 -> bad_host_call: validity_word was called wrongly: it may be called within a batch only
        get_bytes 1 0 0 8 -> -10
        window 0 0 1 0 -> -10
        window_bytes 1 0 1 0 64 64 -> -10
        window_validity 0 0 1 0 -> -10
        emit_filter 0 1 -> -10
        emit_parents 0 1 -> -10
        emit_column 0 0 1 0 -> -10
        emit_bytes 0 0 1 0 0 0 -> -10
        row_error 0 1 64 4 -> -10
        metric_series 0 80 5 -> 0
        metric_series 0 80 5; metric_record 0 1 -> -10
        metric_series 0 80 5; metric_record_many 0 112 1 -> -10
        metric_series 0 80 5; metric_record_column 0 112 1 -> -10
        param_i64 0 -> 7
        param_f64 1 -> 2
        param_bytes 2 0 5 -> 5
        log 1 64 4 -> 0
        last_words 64 4 -> 0
    "#]]
    .assert_eq(&answers(
        "filter",
        "init",
        "get_i64 0 0
         get_f64 3 0
         get_bool 2 0
         is_null 0 0
         validity_word 0 0
         get_bytes 1 0 0 8
         window 0 0 1 0
         window_bytes 1 0 1 0 64 64
         window_validity 0 0 1 0
         emit_filter 0 1
         emit_parents 0 1
         emit_column 0 0 1 0
         emit_bytes 0 0 1 0 0 0
         row_error 0 1 64 4
         metric_series 0 80 5
         metric_series 0 80 5; metric_record 0 1
         metric_series 0 80 5; metric_record_many 0 112 1
         metric_series 0 80 5; metric_record_column 0 112 1
         param_i64 0
         param_f64 1
         param_bytes 2 0 5
         log 1 64 4
         last_words 64 4",
    ));
}

#[test]
fn the_contract_and_the_linker_name_the_same_functions() {
    let contract = include_str!("../../../../guest-sdk/ABI.md");
    let in_contract: BTreeSet<(String, String)> = contract
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            let signature = cells.next()?.strip_prefix("`(")?.strip_suffix('`')?;
            // Without the parameters' names, and without exports.
            let types =
                signature.split_inclusive([',', ')']).map(|part| part.rsplit_once(": ").map_or(part, |(_, kind)| kind));
            (!name.starts_with("weir_")).then(|| {
                (name.to_owned(), format!("({}", types.collect::<Vec<_>>().join(" ")).replace(")  ->", ") ->"))
            })
        })
        .collect();
    let in_linker: BTreeSet<(String, String)> =
        IMPORTS.iter().map(|import| (import.name.to_owned(), import.to_string())).collect();
    assert_eq!(in_contract, in_linker);
    // That the linker has them with these types: this module imports them all.
    let wasm = wasm(
        &manifest("filter"),
        r#"(memory (export "memory") 1) (func (export "weir_call_f") (param i32) (result i32) i32.const 0)"#,
    );
    assert_eq!(crate::support::admit(&wasm).unwrap().imports().len(), IMPORTS.len());
}
