;; title: logs for ever
;; class: speech
;; expect: ended out_of_fuel deadline
;;
;; What is dropped is counted, and costs.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again (drop (call $log (i32.const 4) (i32.const 0) (i32.const 100))) (br $again))
  (i32.const 0))
