//! Columns and row errors that a guest hands over.

use expect_test::expect;

use super::check;

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
