;; title: reads all of its rows for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; The host copies, at the guest's word.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again (drop (call $window (i32.const 0) (i32.const 0) (local.get $rows) (i32.const 0))) (br $again))
  (i32.const 0))
