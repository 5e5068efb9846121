;; title: floods host calls in its start function
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; The host knows no memory yet while the start function runs, and a guest that calls it all the same must be told so
;; at a cost.
(memory (export "memory") 1)
(start $start)
(func $start
  (loop $again
    (drop (call $log (i32.const 1) (i32.const 0) (i32.const 64)))
    (drop (call $emit_filter (i32.const 0) (i32.const 1)))
    (drop (call $metric_record (i32.const 0) (f64.const 1)))
    (br $again)))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
