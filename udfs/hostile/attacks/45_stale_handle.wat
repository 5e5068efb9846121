;; title: records in a series of an earlier batch
;; class: border
;; expect: answered
;; kind: metrics
;;
;; A handle lives as long as the instance: what it names must still be what it named, and count in this batch only.
(memory (export "memory") 1)
(data (i32.const 0) "\05\00\00\00first")
(data (i32.const 16) "\05\00\00\00later")
(global $handle (mut i32) (i32.const -1))
(func (export "weir_call_f") (param $rows i32) (result i32)
  (if (i32.lt_s (global.get $handle) (i32.const 0))
    (then (global.set $handle (call $metric_series (i32.const 0) (i32.const 0) (i32.const 9))))
    (else (drop (call $metric_series (i32.const 0) (i32.const 16) (i32.const 9)))))
  (call $is (i32.const 1) (call $metric_record (global.get $handle) (f64.const 1)) (i32.const 0))
  (global.get $wrong))
