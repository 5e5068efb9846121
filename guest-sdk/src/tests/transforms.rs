//! Tests of all kinds of transforms with batches of several windows.

use super::{ints, run, texts};
use crate::native_host::Value;
use crate::prelude::*;

#[derive(Row)]
struct Number {
    n: i64,
}

/// The number of rows in a batch: more than two windows, and not a multiple of 64.
const ROWS: i64 = 2_500;

#[test]
fn a_filter_answers_for_every_row() {
    let host = run!(vec![ints(0..ROWS)], vec![], Number, (), bool, |number: Number, _: &()| number.n % 3 == 0);
    assert_eq!(host.kept, (0..ROWS).map(|n| n % 3 == 0).collect::<Vec<_>>());
}

#[test]
fn state_goes_on_from_window_to_window_and_from_batch_to_batch() {
    use crate::rt::{Answer, ReadRow, Stateful};
    let apply = |seen: &mut i64, number: Number| {
        *seen += 1;
        Sum { sum: *seen, odd: Some(number.n % 2 == 1) }
    };
    let mut transform = Stateful::<_, i64, <Sum as Answer>::Sink>::new(<Number as ReadRow>::columns(), 0);
    for batch in 0..2 {
        let rows = super::set(vec![ints(0..ROWS)], vec![]);
        transform.run(rows, <Number as ReadRow>::fill, |columns, seen, sink, slot| {
            Answer::put(apply(seen, ReadRow::get(columns, slot)), sink, slot, |_| 0);
        });
        let host = crate::sys::host(std::mem::take);
        assert_eq!(host.output[0], ints(batch * ROWS + 1..=(batch + 1) * ROWS));
    }
}

#[derive(Params)]
struct Offset {
    offset: i64,
}

#[derive(Row)]
struct Sum {
    sum: i64,
    odd: Option<bool>,
}

#[test]
fn a_map_gives_a_row_for_each() {
    let map = |number: Number, offset: &Offset| Sum {
        sum: number.n + offset.offset,
        odd: (number.n % 5 != 0).then_some(number.n % 2 == 1),
    };
    let host = run!(vec![ints(0..ROWS)], vec![Value::I64(100)], Number, Offset, Sum, map);
    let odd = |n| if n % 5 == 0 { Value::Null } else { Value::Bool((n % 2) as u8) };
    assert_eq!(host.output, [ints(100..ROWS + 100), (0..ROWS).map(odd).collect()]);
    assert!(host.kept.is_empty());
}

#[derive(Row)]
struct Named<'a> {
    name: Option<&'a str>,
    n: i64,
}

#[derive(Row)]
struct Greeting {
    text: String,
    name: Option<String>,
}

/// Names with nulls, some of them empty.
fn names() -> Vec<Value> {
    let name = |n: i64| match n % 7 {
        0 => Value::Null,
        1 => Value::Bytes(vec![]),
        _ => Value::Bytes(format!("näme {n}").into_bytes()),
    };
    (0..ROWS).map(name).collect()
}

#[test]
fn a_filter_map_gives_rows_for_those_kept() {
    let greet = |named: Named<'_>, _: &()| {
        (named.n % 2 == 0).then(|| Greeting { text: format!("hello {}", named.n), name: named.name.map(str::to_owned) })
    };
    let host = run!(vec![names(), ints(0..ROWS)], vec![], Named<'_>, (), Option<Greeting>, greet);
    assert_eq!(host.kept, (0..ROWS).map(|n| n % 2 == 0).collect::<Vec<_>>());
    let even = || (0..ROWS).step_by(2);
    let kept_names: Vec<Value> = names().into_iter().step_by(2).collect();
    assert_eq!(host.output, [texts(even().map(|n| format!("hello {n}"))), kept_names]);
}

#[test]
fn a_flat_map_names_parents() {
    let repeat = |number: Number, _: &()| vec![number.n; number.n as usize % 4].into_iter().map(|n| Number { n });
    let flat = |number: Number, params: &()| crate::rt::Flat(repeat(number, params));
    let host = run!(vec![ints(0..ROWS)], vec![], Number, (), Vec<Number>, flat);
    let expected: Vec<i64> = (0..ROWS).flat_map(|n| vec![n; n as usize % 4]).collect();
    assert_eq!(host.parents, expected.iter().map(|n| *n as u32).collect::<Vec<_>>());
    assert_eq!(host.output, [ints(expected)]);
}

#[test]
fn a_borrowed_row_may_be_returned() {
    fn swap<'a>(named: Named<'a>, _: &()) -> [Named<'a>; 2] {
        [Named { name: named.name, n: -named.n }, named]
    }
    let host = run!(vec![texts(["a", "b"]), ints([1, 2])], vec![], Named<'_>, (), [Named<'static>; 2], swap);
    assert_eq!(host.output, [texts(["a", "a", "b", "b"]), ints([-1, 1, -2, 2])]);
    assert_eq!(host.parents, [0, 0, 1, 1]);
}

struct Odd;

impl std::fmt::Display for Odd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("odd")
    }
}

impl RowError for Odd {
    fn code(&self) -> i32 {
        77
    }
}

#[test]
fn a_failed_row_has_a_code_and_no_output() {
    let check = |number: Number, _: &()| if number.n % 2 == 1 { Err(Odd) } else { Ok(number) };
    let host = run!(vec![ints(0..ROWS)], vec![], Number, (), Result<Number, Odd>, check);
    assert_eq!(host.kept, (0..ROWS).map(|n| n % 2 == 0).collect::<Vec<_>>());
    assert_eq!(host.output, [ints((0..ROWS).step_by(2))]);
    let errors: Vec<_> = (1..ROWS as u32).step_by(2).map(|row| (row, 77, "odd".to_owned())).collect();
    assert_eq!(host.row_errors, errors);
}

#[test]
fn an_error_without_a_code_has_code_1() {
    let check = |number: Number, _: &()| if number.n == 1500 { Err("no 1500") } else { Ok(true) };
    let host = run!(vec![ints(0..ROWS)], vec![], Number, (), Result<bool, &'static str>, check);
    assert_eq!(host.row_errors, [(1500, 1, "no 1500".to_owned())]);
    assert_eq!(host.kept.iter().filter(|kept| !**kept).count(), 1);

    let flat = |number: Number, _: &()| if number.n == 1 { Err(String::from("one")) } else { Ok(vec![number]) };
    let host = run!(vec![ints(0..3)], vec![], Number, (), Result<Vec<Number>, String>, flat);
    assert_eq!((host.parents, host.row_errors), (vec![0, 2], vec![(1, 1, "one".to_owned())]));
}

/// Texts that fill several buffers: windows have fewer rows, and the columns of a window still match.
#[test]
fn long_texts_shorten_the_window() {
    let long = |n: i64| "x".repeat(if n % 400 == 399 { 3 << 20 } else { n as usize * 3 });
    let names = texts((0..ROWS).map(long));
    let length =
        |named: Named<'_>, _: &()| Sum { sum: named.name.map_or(-1, |name| name.len() as i64) + named.n, odd: None };
    let host = run!(vec![names, ints(0..ROWS)], vec![], Named<'_>, (), Sum, length);
    assert_eq!(host.output[0], ints((0..ROWS).map(|n| long(n).len() as i64 + n)));
}

/// Output of one long text per row of a window is emitted in parts.
#[test]
fn long_output_is_handed_over_early() {
    let grow = |number: Number, _: &()| Greeting { text: "y".repeat(1_000 + number.n as usize), name: None };
    let host = run!(vec![ints(0..1_000)], vec![], Number, (), Greeting, grow);
    assert_eq!(host.output[0], texts((0..1_000).map(|n| "y".repeat(1_000 + n))));
    assert_eq!(host.output[1], vec![Value::Null; 1_000]);
}

#[derive(Row)]
struct Wide<'a> {
    b: bool,
    i8: i8,
    i16: Option<i16>,
    i32: i32,
    f64: f64,
    time: Timestamp,
    bytes: &'a [u8],
    owned: Vec<u8>,
    text: String,
}

#[test]
fn every_type_goes_through() {
    let columns = vec![
        vec![Value::Bool(1), Value::Bool(0)],
        vec![Value::I8(-8), Value::I8(8)],
        vec![Value::Null, Value::I16(16)],
        vec![Value::I32(i32::MIN), Value::I32(i32::MAX)],
        vec![Value::F64(f64::INFINITY), Value::F64(-0.5)],
        ints([i64::MIN, i64::MAX]),
        texts([&b"\xff\0"[..], b""]),
        texts([&b""[..], b"\xfe"]),
        texts(["ü", "z"]),
    ];
    let host = run!(columns.clone(), vec![], Wide<'_>, (), Wide<'static>, same);
    assert_eq!(host.output, columns);

    fn same<'a>(wide: Wide<'a>, _: &()) -> Wide<'a> {
        wide
    }
}
