//! Logs and metrics.

use expect_test::expect;

use crate::support::check;

#[test]
fn log_flood() {
    check(
        "log_flood",
        expect![[r#"
        answered 1000 rows
          info a line
          info a line
          info a line
          10 lines dropped
        answered 1000 rows
          info a line
          info a line
          info a line
          10 lines dropped
        answered 1000 rows
          info a line
          info a line
          info a line
          10 lines dropped
    "#]],
    );
}

#[test]
fn giant_log_line() {
    check(
        "giant_log_line",
        expect![[r#"
        answered 1000 rows
          error \u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}
        answered 1000 rows
          error \u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}
        answered 1000 rows
          error \u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}\u{1b}
    "#]],
    );
}

#[test]
fn endless_log() {
    check(
        "endless_log",
        expect![[r#"
            out_of_fuel, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: out of fuel: limit 10000000
              debug \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
              debug \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
              debug \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0
              357139 lines dropped
              at function 24
        "#]],
    );
}

#[test]
fn log_injection() {
    check(
        "log_injection",
        expect![[r#"
        answered 1000 rows
          error ok\n2026-01-01 ERROR forged\r\n
          error \u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31m\u{9b}31m
          error \u{202e}\u{200b}\u{feff}\0
        answered 1000 rows
          error ok\n2026-01-01 ERROR forged\r\n
          error \u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31m\u{9b}31m
          error \u{202e}\u{200b}\u{feff}\0
        answered 1000 rows
          error ok\n2026-01-01 ERROR forged\r\n
          error \u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31m\u{9b}31m
          error \u{202e}\u{200b}\u{feff}\0
    "#]],
    );
}

#[test]
fn last_words_injection() {
    check(
        "last_words_injection",
        expect![[r#"
            unreachable, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: unreachable code was reached: sorry\n2026-01-01 ERROR tenant victim: \u{1b}[31mall is lost\u{202e}
              at function 24
        "#]],
    );
}

#[test]
fn row_error_injection() {
    check(
        "row_error_injection",
        expect![[r#"
            answered 0 rows, 999 filtered, 1 failed with 43 B, first guest:-7: no","tenant":"victim"}\n{\u{1b}[31m\u{202e}
            answered 0 rows, 999 filtered, 1 failed with 43 B, first guest:-7: no","tenant":"victim"}\n{\u{1b}[31m\u{202e}
            answered 0 rows, 999 filtered, 1 failed with 43 B, first guest:-7: no","tenant":"victim"}\n{\u{1b}[31m\u{202e}
        "#]],
    );
}

#[test]
fn cardinality_bomb() {
    check(
        "cardinality_bomb",
        expect![[r#"
        answered 1000 rows
          metric 0 ["aaaa"] +1e0
          metric 0 ["baaa"] +1e0
          metric 0 ["caaa"] +1e0
          metric 0 ["daaa"] +1e0
          22 series, 1 of overflow
        answered 1000 rows
          metric 0 ["aaaa"] +1e0
          metric 0 ["baaa"] +1e0
          metric 0 ["caaa"] +1e0
          metric 0 ["daaa"] +1e0
          22 series, 1 of overflow
        answered 1000 rows
          metric 0 ["aaaa"] +1e0
          metric 0 ["baaa"] +1e0
          metric 0 ["caaa"] +1e0
          metric 0 ["daaa"] +1e0
          22 series, 1 of overflow
    "#]],
    );
}

#[test]
fn huge_label() {
    check(
        "huge_label",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn metric_name_forged() {
    check(
        "metric_name_forged",
        expect![[r#"
        manifest: manifest, line 1: metric `x 1\nweir_records_total{tenant="victim"} 0`: a name is [a-z][a-z0-9_]*, at most 64 bytes
    "#]],
    );
}

#[test]
fn metric_declared_twice() {
    check(
        "metric_declared_twice",
        expect![[r#"
        manifest: manifest, line 1: metric `x` is declared twice
    "#]],
    );
}

#[test]
fn label_declared_twice() {
    check(
        "label_declared_twice",
        expect![[r#"
        manifest: manifest, line 1: label `tenant` is declared twice
    "#]],
    );
}

#[test]
fn metric_of_the_host() {
    check(
        "metric_of_the_host",
        expect![[r#"
        answered 1000 rows
          metric 0 ["victim"] +1e0
        answered 1000 rows
          metric 0 ["victim"] +1e0
        answered 1000 rows
          metric 0 ["victim"] +1e0
    "#]],
    );
}

#[test]
fn numbers_that_are_none() {
    check(
        "numbers_that_are_none",
        expect![[r#"
        answered 1000 rows
          metric 0 ["l"] +1.7976931348623157e308
          metric 2 ["l"] count 2 sum -1.7976931348623157e308
          metric 1 [] =-1e0
        answered 1000 rows
          metric 0 ["l"] +1.7976931348623157e308
          metric 2 ["l"] count 2 sum -1.7976931348623157e308
          metric 1 [] =-1e0
        answered 1000 rows
          metric 0 ["l"] +1.7976931348623157e308
          metric 2 ["l"] count 2 sum -1.7976931348623157e308
          metric 1 [] =-1e0
    "#]],
    );
}

#[test]
fn manifest_bucket_infinite() {
    check(
        "manifest_bucket_infinite",
        expect![[r#"
        manifest: manifest, line 1: number out of range at line 1 column 97
    "#]],
    );
}
