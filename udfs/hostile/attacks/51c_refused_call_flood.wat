;; title: makes calls that are refused, for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; A refusal is charged too, or it is the cheapest way to keep the host busy.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again
    (drop (call $window (i32.const 9) (i32.const -1) (i32.const -1) (i32.const -1)))
    (drop (call $emit_parents (i32.const -1) (i32.const -1)))
    (drop (call $row_error (i32.const -1) (i32.const -1) (i32.const -1) (i32.const -1)))
    (drop (call $metric_record (i32.const -1) (f64.const 0)))
    (drop (call $param_bytes (i32.const -1) (i32.const -1) (i32.const -1)))
    (br $again))
  (i32.const 0))
