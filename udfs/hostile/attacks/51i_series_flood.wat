;; title: asks for the same series for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;; kind: metrics
;;
;; Each time its labels are decoded, checked and hashed.
(memory (export "memory") 1)
(data (i32.const 0) "\00\01\00\00")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again (drop (call $metric_series (i32.const 0) (i32.const 0) (i32.const 260))) (br $again))
  (i32.const 0))
