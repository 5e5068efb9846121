;; title: records handles that are their own values
;; class: border
;; expect: answered
;; kind: metrics
;;
;; Eight bytes that are two handles and a value.
(memory (export "memory") 1)
(data (i32.const 0) "\01\00\00\00l")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $metric_series (i32.const 0) (i32.const 0) (i32.const 5)) (i32.const 0))
  (i64.store (i32.const 64) (i64.const 0))
  (call $is (i32.const 2) (call $metric_record_many (i32.const 64) (i32.const 64) (i32.const 1)) (i32.const 0))
  (i64.store (i32.const 64) (i64.const 0x3ff0000000000000))
  (call $is (i32.const 3) (call $metric_record_many (i32.const 64) (i32.const 64) (i32.const 1)) (i32.const 0))
  (call $is (i32.const 4) (call $metric_record_many (i32.const 68) (i32.const 64) (i32.const 1)) (i32.const -6))
  (global.get $wrong))
