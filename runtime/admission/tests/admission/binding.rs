//! Functions set against streams: what fits, and what each misfit says.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use weir_batch::{DataType, Field, Schema};
use weir_sandbox::{Carry, ModuleManifest, ParamValue};

use crate::support::bare_wasm;

fn stream() -> Arc<Schema> {
    Arc::new(
        Schema::new(vec![
            Field::new("origin", DataType::Utf8),
            Field::nullable("delay", DataType::I32),
            Field::new("distance", DataType::F64),
        ])
        .unwrap(),
    )
}

fn check(function: &str, carry: &Carry, params: &[(&str, ParamValue)], expect: Expect) {
    let manifest = ModuleManifest::read(&bare_wasm(&format!(r#"{{"abi":1,"name":"f",{function}}}"#), "")).unwrap();
    let params: BTreeMap<String, ParamValue> =
        params.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    expect.assert_eq(&match manifest.functions[0].bind(&stream(), carry, &params) {
        Ok(bound) => format!("{} with {:?}\n", bound.output_schema(), bound.params()),
        Err(errors) => errors.iter().map(|error| format!("{error}\n")).collect(),
    });
}

const MAP: &str = r#""kind":"transform","output_shape":"map","input":[{"name":"delay","type":"i64"}],"output":[{"name":"delay","type":"f64"},{"name":"late","type":"bool"}]"#;
const FILTER: &str = r#""kind":"transform","output_shape":"filter","input":[{"name":"_key","type":"binary"},{"name":"_partition","type":"i64"}]"#;

#[test]
fn carried_fields_come_first() {
    check(
        MAP,
        &Carry::None,
        &[],
        expect![[r#"
        delay f64, late bool with []
    "#]],
    );
    check(
        MAP,
        &Carry::All,
        &[],
        expect![[r#"
        origin utf8, distance f64, delay f64, late bool with []
    "#]],
    );
    let carry = |names: &[&str]| Carry::Fields(names.iter().map(|name| (*name).to_owned()).collect());
    check(
        MAP,
        &carry(&["distance", "origin"]),
        &[],
        expect![[r#"
        origin utf8, distance f64, delay f64, late bool with []
    "#]],
    );
    check(
        MAP,
        &carry(&["delay", "orign", "origin", "origin"]),
        &[],
        expect![[r#"
        carry names the field `delay`, but `f` also writes a field of this name: remove it from carry
        carry names the field `orign`, which does not exist (did you mean `origin`?): the stream has `origin`, `delay`, `distance`
        carry names the field `origin` twice
    "#]],
    );
    check(
        FILTER,
        &Carry::All,
        &[],
        expect![[r#"
        origin utf8, delay i32?, distance f64 with []
    "#]],
    );
    check(
        FILTER,
        &carry(&["origin"]),
        &[],
        expect![[r#"
        `f` is a filter, which passes on all columns: remove carry
    "#]],
    );
}

#[test]
fn fields_must_be_there_with_their_types() {
    let fields = r#""kind":"transform","output_shape":"filter","input":[{"name":"dely","type":"i64"},{"name":"airline","type":"utf8"},{"name":"origin","type":"i64"},{"name":"delay","type":"i16"},{"name":"distance","type":"f64"},{"name":"delay2","type":"f64"}]"#;
    check(
        fields,
        &Carry::None,
        &[],
        expect![[r#"
        `f` reads the field `dely`, which does not exist (did you mean `delay`?): the stream has `origin`, `delay`, `distance`
        `f` reads the field `airline`, which does not exist: the stream has `origin`, `delay`, `distance`
        `f` reads `origin` as i64, but in the stream it is utf8 (i8, i16 and i32 would be widened)
        `f` reads `delay` as i16, but in the stream it is i32 (i8 would be widened)
        `f` reads the field `delay2`, which does not exist (did you mean `delay`?): the stream has `origin`, `delay`, `distance`
    "#]],
    );
    let narrow = r#""kind":"transform","output_shape":"filter","input":[{"name":"delay","type":"f64"}]"#;
    check(
        narrow,
        &Carry::None,
        &[],
        expect![[r#"
        `f` reads `delay` as f64, but in the stream it is i32
    "#]],
    );
}

#[test]
fn parameters_must_be_given_with_their_types() {
    let params = r#""kind":"transform","output_shape":"filter","params":[{"name":"over","type":"i64"},{"name":"share","type":"f64","default":1},{"name":"word","type":"utf8","default":"x"}]"#;
    let text = |text: &str| ParamValue::Utf8(text.to_owned());
    check(
        params,
        &Carry::None,
        &[("over", ParamValue::I64(3))],
        expect![[r#"
        origin utf8, delay i32?, distance f64 with [I64(3), F64(1.0), Utf8("x")]
    "#]],
    );
    check(
        params,
        &Carry::None,
        &[("over", ParamValue::I64(3)), ("share", ParamValue::I64(2))],
        expect![[r#"
        origin utf8, delay i32?, distance f64 with [I64(3), F64(2.0), Utf8("x")]
    "#]],
    );
    check(
        params,
        &Carry::None,
        &[],
        expect![[r#"
        `f` requires the parameter `over` (i64), which has no default
    "#]],
    );
    check(
        params,
        &Carry::None,
        &[
            ("ovr", ParamValue::I64(3)),
            ("share", text("much")),
            ("word", ParamValue::Bool(true)),
            ("over", ParamValue::F64(1.5)),
        ],
        expect![[r#"
            `f` has no parameter `ovr` (did you mean `over`?): it has `over`, `share`, `word`
            parameter `over` of `f` is i64, but 1.5 is f64
            parameter `share` of `f` is f64, but "much" is utf8
            parameter `word` of `f` is utf8, but true is bool
        "#]],
    );
}
