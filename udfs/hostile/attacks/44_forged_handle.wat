;; title: records in series that it never asked for
;; class: border
;; expect: answered
;; kind: metrics
;;
;; A handle that is an index or a pointer of the host's, unchecked, is a write to wherever the guest likes.
(memory (export "memory") 1)
(data (i32.const 0) "\01\00\00\00l")
;; Handles 0 and 1, of which only the first is there; values 1 and 2.
(data (i32.const 16) "\00\00\00\00\01\00\00\00")
(data (i32.const 32) "\00\00\00\00\00\00\f0\3f\00\00\00\00\00\00\00\40")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $metric_series (i32.const 0) (i32.const 0) (i32.const 5)) (i32.const 0))
  (call $is (i32.const 2) (call $metric_record (i32.const 1) (f64.const 1)) (i32.const -6))
  (call $is (i32.const 3) (call $metric_record (i32.const -1) (f64.const 1)) (i32.const -6))
  (call $is (i32.const 4) (call $metric_record (i32.const 0x7fffffff) (f64.const 1)) (i32.const -6))
  (call $is (i32.const 5) (call $metric_record_column (i32.const 0x80000000) (i32.const 32) (i32.const 2)) (i32.const -6))
  ;; All or none: of the first value nothing is recorded either.
  (call $is (i32.const 6) (call $metric_record_many (i32.const 16) (i32.const 32) (i32.const 2)) (i32.const -6))
  (call $is (i32.const 7) (call $metric_record_many (i32.const 16) (i32.const 32) (i32.const 1)) (i32.const 0))
  (call $is (i32.const 8)
    (call $metric_record_input (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const -6))
  (global.get $wrong))
