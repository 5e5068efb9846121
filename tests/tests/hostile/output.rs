//! What goes on to sinks.

use expect_test::expect;

use crate::support::check;

#[test]
fn rows_without_end() {
    check(
        "rows_without_end",
        expect![[r#"
            output_rows_limit, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: output rows of one record limit reached: limit 4, current 4, requested 1
        "#]],
    );
}

#[test]
fn rows_at_once() {
    check(
        "rows_at_once",
        expect![[r#"
        answered 0 rows, 1000 filtered
        answered 0 rows, 1000 filtered
        answered 0 rows, 1000 filtered
    "#]],
    );
}

#[test]
fn bytes_without_end() {
    check(
        "bytes_without_end",
        expect![[r#"
        output_bytes_limit, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: output bytes limit reached: limit 256 KiB, current 0 B, requested 2161668 B
    "#]],
    );
}

#[test]
fn limit_in_words_of_its_own() {
    check(
        "limit_in_words_of_its_own",
        expect![[r#"
        output_bytes_limit, batch 1: mallory, module <digest>, function f, in a batch of 1000 rows: output bytes limit reached: limit 256 KiB, current 0 B, requested 2161668 B
    "#]],
    );
}

#[test]
fn tiny_pieces() {
    check(
        "tiny_pieces",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}

#[test]
fn every_row_fails_at_length() {
    check(
        "every_row_fails_at_length",
        expect![[r#"
        answered 0 rows, 1000 failed with 4096 B, first guest:0: \n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n
        answered 0 rows, 1000 failed with 4096 B, first guest:0: \n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n
        answered 0 rows, 1000 failed with 4096 B, first guest:0: \n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n
    "#]],
    );
}

#[test]
fn giant_record() {
    check(
        "giant_record",
        expect![[r#"
        answered 1000 rows
        answered 1000 rows
        answered 1000 rows
    "#]],
    );
}
