//! The work of reading JSON grows as the text does.

use std::time::Duration;

use weir_batch::{DataType, Schema};
use weir_formats::{Format, infer_schema};

use crate::support::{decode, file, schema};

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec.try_into().unwrap())
}

/// Eight times the size takes about eight times as long, by the best of some tries, and not sixty-four times.
fn assert_linear(what: &str, work: impl Fn(usize)) {
    let best = |size: usize| {
        let tries = (0..3).map(|_| {
            let before = cpu_time();
            work(size);
            cpu_time() - before
        });
        tries.min().unwrap().max(Duration::from_micros(50))
    };
    let (small, large) = (best(5_000), best(40_000));
    assert!(large < small * 24, "{what}: {small:?} became {large:?}");
}

#[test]
fn the_work_is_linear_in_the_text() {
    let many_keys = |keys: usize| {
        let keys: Vec<String> = (0..keys).map(|index| format!("\"key-{index}\":{index}")).collect();
        format!("{{{}}}\n{{}}\n", keys.join(","))
    };
    assert_linear("infer many keys", |size| {
        infer_schema(Format::JsonLines, file(many_keys(size).as_bytes()), 10).unwrap();
    });
    assert_linear("undeclared keys", |size| {
        decode(Format::JsonLines, many_keys(size).as_bytes(), Some(&schema("key-7 i64?")), 10).unwrap();
    });
    assert_linear("declared columns", |size| {
        let fields = (0..size).map(|index| weir_batch::Field::nullable(format!("key-{index}"), DataType::I64));
        let fields = std::sync::Arc::new(Schema::new(fields.collect()).unwrap());
        decode(Format::JsonLines, many_keys(size).as_bytes(), Some(&fields), 10).unwrap();
    });
    assert_linear("bad records", |size| {
        decode(Format::JsonLines, "{\"a\":}\n".repeat(size).as_bytes(), Some(&schema("a i64?")), 100_000).unwrap();
    });
    assert_linear("escapes", |size| {
        let text = format!("{{\"a\":\"{}\"}}\n", "\\n".repeat(size * 10));
        decode(Format::JsonLines, text.as_bytes(), Some(&schema("a utf8?")), 10).unwrap();
    });
    assert_linear("open brackets", |size| {
        let text = format!("{{\"a\":1}}\n{}", "{\n".repeat(size * 10));
        decode(Format::JsonLines, text.as_bytes(), Some(&schema("a utf8?")), 10_000).unwrap();
    });
    assert_linear("objects that are not closed", |size| {
        let text = format!("{{\n\"a\":1}}\n{}", "{\"a\":\n".repeat(size * 5));
        decode(Format::JsonLines, text.as_bytes(), Some(&schema("a utf8?")), 10_000).unwrap();
    });
    assert_linear("a long number", |size| {
        let text = format!("{{\"a\":{}e-{}}}\n", "1".repeat(size * 10), size * 10);
        decode(Format::JsonLines, text.as_bytes(), Some(&schema("a i64?")), 10).unwrap();
    });
}
