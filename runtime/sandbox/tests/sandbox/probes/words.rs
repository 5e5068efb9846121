//! Metrics, parameters, log lines, and what may be said outside of a batch.

use expect_test::expect;

use super::{answers, check};

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
            param_i64 1 -> bad_host_call: invalid call of param_i64: param 1 is f64
            param_i64 4 -> bad_host_call: invalid call of param_i64: param 4 of 4
            param_i64 -1 -> bad_host_call: invalid call of param_i64: param 4294967295 of 4
            param_f64 1 -> 2
            param_f64 0 -> bad_host_call: invalid call of param_f64: param 0 is i64
            param_f64 4 -> bad_host_call: invalid call of param_f64: param 4 of 4
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
        get_i64 0 0 -> bad_host_call: invalid call of get_i64: it may only be called within a batch
        get_f64 3 0 -> bad_host_call: invalid call of get_f64: it may only be called within a batch
        get_bool 2 0 -> bad_host_call: invalid call of get_bool: it may only be called within a batch
        is_null 0 0 -> bad_host_call: invalid call of is_null: it may only be called within a batch
        validity_word 0 0 -> bad_host_call: invalid call of validity_word: it may only be called within a batch
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
