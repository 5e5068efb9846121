;; title: emits and records, then traps
;; class: life
;; expect: ended unreachable
;;
;; Half a batch that counts is a batch that counts twice when it is run again.
(memory (export "memory") 1)
(data (i32.const 1024) "half")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (drop (call $metric_record (call $metric_series (i32.const 1) (i32.const 0) (i32.const 0)) (f64.const 1)))
  (drop (call $log (i32.const 2) (i32.const 1024) (i32.const 4)))
  (drop (call $keep_all (i32.const 0) (i32.shr_u (local.get $rows) (i32.const 1))))
  (unreachable))
