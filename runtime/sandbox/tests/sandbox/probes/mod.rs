//! Every host function, called with what it must refuse: a status or the guest's end, never more.

mod output;
mod reading;
mod recording;
mod words;

use std::collections::BTreeSet;

use expect_test::Expect;
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
fn the_contract_and_the_linker_name_the_same_functions() {
    let contract = include_str!("../../../../../guest-sdk/ABI.md");
    let in_contract: BTreeSet<(String, String)> = contract
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
            let signature = cells.next()?.strip_prefix("`(")?.strip_suffix('`')?;
            // Without the parameters' names, and without exports.
            let types =
                signature.split_inclusive([',', ')']).map(|part| part.rsplit_once(": ").map_or(part, |(_, kind)| kind));
            (!name.starts_with("weir_") && !name.starts_with('_')).then(|| {
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
