//! Modules out of text.

use std::fmt::Write as _;

use crate::Target;

/// The functions of the contract, which every guest may import.
const IMPORTS: &[(&str, &str, &str)] = &[
    ("get_bool", "i32 i32", "i32"),
    ("get_i64", "i32 i32", "i64"),
    ("get_f64", "i32 i32", "f64"),
    ("get_bytes", "i32 i32 i32 i32", "i32"),
    ("is_null", "i32 i32", "i32"),
    ("validity_word", "i32 i32", "i64"),
    ("window", "i32 i32 i32 i32", "i32"),
    ("window_bytes", "i32 i32 i32 i32 i32 i32", "i32"),
    ("window_validity", "i32 i32 i32 i32", "i32"),
    ("emit_filter", "i32 i32", "i32"),
    ("emit_parents", "i32 i32", "i32"),
    ("emit_column", "i32 i32 i32 i32", "i32"),
    ("emit_bytes", "i32 i32 i32 i32 i32 i32", "i32"),
    ("row_error", "i32 i32 i32 i32", "i32"),
    ("metric_series", "i32 i32 i32", "i32"),
    ("metric_record", "i32 f64", "i32"),
    ("metric_record_many", "i32 i32 i32", "i32"),
    ("metric_record_column", "i32 i32 i32", "i32"),
    ("metric_record_input", "i32 i32 i32 i32", "i32"),
    ("param_i64", "i32", "i64"),
    ("param_f64", "i32", "f64"),
    ("param_bytes", "i32 i32 i32", "i32"),
    ("log", "i32 i32 i32", "i32"),
    ("last_words", "i32 i32", "i32"),
];

/// What guests check answers with.
const PROBES: &str = r#"
(global $wrong (mut i32) (i32.const 0))
(func $is (param $probe i32) (param $found i32) (param $expected i32)
  (if (i32.and (i32.eqz (global.get $wrong)) (i32.ne (local.get $found) (local.get $expected)))
    (then (global.set $wrong (local.get $probe)))))"#;

const KEEP_ALL: &str = r#"
(func $keep_all (param $at i32) (param $rows i32) (result i32)
  (memory.fill (local.get $at) (i32.const 255) (i32.shr_u (i32.add (local.get $rows) (i32.const 7)) (i32.const 3)))
  (call $emit_filter (local.get $at) (local.get $rows)))"#;

/// The bytes of a text of `attacks/`.
pub(crate) fn assemble(source: &str, target: &Target) -> Vec<u8> {
    let header = |key: &str| {
        let lines = source.lines().take_while(|line| line.starts_with(";;"));
        lines.filter_map(|line| line.strip_prefix(";; ")).find_map(|line| line.strip_prefix(key))
    };
    if header("raw").is_some() {
        return source.as_bytes().to_vec();
    }
    let body = filled(source, target);
    if header("bare").is_some() {
        return binary(&body);
    }
    let value = |key| header(key).map(|value| value.trim_start_matches(':').trim());
    let manifest = match value("manifest") {
        Some(line) => line.to_owned(),
        None => manifest(value("kind").unwrap_or("filter"), value("output").unwrap_or("o i64")),
    };
    module(&manifest, &body)
}

/// A filter's module of these fields: with every import of the contract, and the helpers that they call.
pub(crate) fn filter(fields: &str) -> Vec<u8> {
    module(&manifest("filter", ""), fields)
}

/// A module of these fields, with this manifest, every import of the contract, and the helpers that they call.
pub(crate) fn module(manifest: &str, fields: &str) -> Vec<u8> {
    let mut text = String::with_capacity(fields.len() + 4096);
    text.push_str("(module\n");
    for (name, params, result) in IMPORTS {
        text.push_str(&format!("(import \"weir_v1\" \"{name}\" (func ${name} (param {params}) (result {result})))\n"));
    }
    text.push_str(fields);
    if fields.contains("$is ") || fields.contains("$wrong") {
        text.push_str(PROBES);
    }
    if fields.contains("$keep_all") {
        text.push_str(KEEP_ALL);
    }
    text.push_str("\n(@custom \"weir.manifest\" \"");
    for byte in manifest.bytes() {
        write_byte(&mut text, byte);
    }
    text.push_str("\"))");
    binary(&text)
}

fn write_byte(text: &mut String, byte: u8) {
    if write!(text, "\\{byte:02x}").is_err() {
        unreachable!("a string takes everything");
    }
}

/// A line of a manifest: the function `f` over the fields of the stream, with metrics and parameters to play with.
pub(crate) fn manifest(kind: &str, output: &str) -> String {
    let (fallible, shape) = match kind.strip_prefix("fallible ") {
        Some(shape) => (true, shape),
        None => (false, kind),
    };
    let kind = match shape {
        "metrics" => r#""kind":"metrics""#.to_owned(),
        shape => format!(r#""kind":"transform","output_shape":"{shape}""#),
    };
    let field = |field: &str| {
        let mut words = field.split_whitespace();
        let (name, data_type) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let nullable = words.next() == Some("nullable");
        format!(r#"{{"name":"{name}","type":"{data_type}","nullable":{nullable}}}"#)
    };
    let output = match shape {
        "map" | "filter_map" | "flat_map" => output.split(',').map(field).collect::<Vec<_>>().join(","),
        _ => String::new(),
    };
    format!(
        concat!(
            r#"{{"abi":1,"name":"f",{kind},"fallible":{fallible},"#,
            r#""input":[{{"name":"n","type":"i64"}},{{"name":"s","type":"utf8"}},{{"name":"f","type":"f64"}}],"#,
            r#""output":[{output}],"#,
            r#""params":[{{"name":"i","type":"i64","default":7}},{{"name":"x","type":"f64","default":2.5}},"#,
            r#"{{"name":"t","type":"utf8","default":"words"}}],"#,
            r#""metrics":[{{"name":"c","kind":"counter","labels":["l"]}},{{"name":"g","kind":"gauge"}},"#,
            r#"{{"name":"h","kind":"histogram","labels":["l"],"buckets":[1,10]}}]}}"#
        ),
        kind = kind,
        fallible = fallible,
        output = output,
    )
}

/// The text with its placeholders filled in.
fn filled(source: &str, target: &Target) -> String {
    let mut text = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((name, after)) = after.split_once("}}") else { panic!("a placeholder without an end: {after}") };
        text.push_str(before);
        text.push_str(&target.number(name).to_string());
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The binary form. What an attack's own file holds is not hostile to its maker: a mistake in it is a panic.
pub(crate) fn binary(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap_or_else(|error| panic!("an attack that cannot be assembled: {error}"))
}

#[cfg(test)]
mod tests {
    use crate::{ATTACKS, ELSEWHERE, Expect, Target};

    const SMALL: Target = Target {
        module_bytes_max: 32 << 10,
        memory_bytes_max: 1 << 20,
        table_elements_max: 100,
        output_rows_max: 2_000,
        output_rows_per_input_max: 10,
        output_bytes_max: 64 << 10,
        log_line_bytes_max: 32,
        log_lines_batch_max: 3,
        series_max: 5,
    };

    const LARGE: Target = Target {
        module_bytes_max: 64 << 20,
        memory_bytes_max: 4 << 30,
        table_elements_max: 100_000,
        output_rows_max: u32::MAX as usize,
        output_rows_per_input_max: u32::MAX as usize,
        output_bytes_max: 1 << 30,
        log_line_bytes_max: 64 << 10,
        log_lines_batch_max: 1_000_000,
        series_max: 1_000_000,
    };

    #[test]
    fn every_text_can_be_assembled_for_any_target() {
        for attack in ATTACKS.iter().filter(|attack| !attack.name.starts_with("under_")) {
            assert!(!(attack.bytes)(&SMALL).is_empty(), "{}", attack.name);
            assert!(!(attack.bytes)(&LARGE).is_empty(), "{}", attack.name);
        }
    }

    #[test]
    fn what_is_to_be_looked_at_is_no_larger_than_may_be_handed_in() {
        for attack in ATTACKS.iter().filter(|attack| !matches!(attack.expect, Expect::Refused(_))) {
            let len = (attack.bytes)(&SMALL).len();
            assert!(len <= SMALL.module_bytes_max, "{}: {len} B", attack.name);
        }
    }

    #[test]
    fn rows_stand_in_order_and_each_is_somewhere() {
        assert!(ATTACKS.is_sorted_by_key(|attack| attack.row));
        for row in 1..=72 {
            let here = ATTACKS.iter().any(|attack| attack.row == row);
            let elsewhere = ELSEWHERE.iter().any(|&(other, _, _)| other == row);
            assert!(here != elsewhere, "row {row} is covered by {}", if here { "both" } else { "neither" });
        }
    }
}
