;; title: a label of 64 KiB
;; class: speech
;; expect: answered
;; kind: metrics
;;
;; Few series, of which each is as large as a thousand.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (i32.store (i32.const 0) (i32.const 65537))
  (call $is (i32.const 1) (call $metric_series (i32.const 0) (i32.const 0) (i32.const 65541)) (i32.const -9))
  (i32.store (i32.const 0) (i32.const -1))
  (call $is (i32.const 2) (call $metric_series (i32.const 0) (i32.const 0) (i32.const 8)) (i32.const -5))
  (i32.store (i32.const 0) (i32.const 1))
  (call $is (i32.const 3) (call $metric_series (i32.const 0) (i32.const 0) (i32.const 5)) (i32.const 0))
  (global.get $wrong))
