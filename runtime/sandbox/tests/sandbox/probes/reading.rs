//! Fields, windows of them, and the relations between what is asked for and what there is.

use expect_test::expect;

use super::check;

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
            get_i64 0 5 -> bad_host_call: invalid call of get_i64: row 5 of 5
            get_i64 0 -1 -> bad_host_call: invalid call of get_i64: row 4294967295 of 5
            get_i64 4 0 -> bad_host_call: invalid call of get_i64: column 4 of 4
            get_i64 -1 0 -> bad_host_call: invalid call of get_i64: column 4294967295 of 4
            get_i64 -2147483648 2147483647 -> bad_host_call: invalid call of get_i64: column 2147483648 of 4
            get_i64 1 0 -> bad_host_call: invalid call of get_i64: column 1 is utf8
            get_f64 3 0 -> -1
            get_f64 3 3 -> 0
            get_f64 0 0 -> bad_host_call: invalid call of get_f64: column 0 is i64
            get_f64 3 5 -> bad_host_call: invalid call of get_f64: row 5 of 5
            get_f64 9 0 -> bad_host_call: invalid call of get_f64: column 9 of 4
            get_bool 2 0 -> 1
            get_bool 2 3 -> 0
            get_bool 2 5 -> bad_host_call: invalid call of get_bool: row 5 of 5
            get_bool 0 0 -> bad_host_call: invalid call of get_bool: column 0 is i64
            get_bool 4 0 -> bad_host_call: invalid call of get_bool: column 4 of 4
            is_null 1 3 -> 1
            is_null 1 0 -> 0
            is_null 1 5 -> bad_host_call: invalid call of is_null: row 5 of 5
            is_null 4 0 -> bad_host_call: invalid call of is_null: column 4 of 4
            validity_word 0 0 -> 23
            validity_word 0 4 -> 1
            validity_word 0 5 -> bad_host_call: invalid call of validity_word: row 5 of 5
            validity_word 4 0 -> bad_host_call: invalid call of validity_word: column 4 of 4
            validity_word 0 -1 -> bad_host_call: invalid call of validity_word: row 4294967295 of 5
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
