;; title: gets a value for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; A host call is a few instructions of the guest and a hundred of the host: where it is not charged for, fuel says
;; little of what a guest costs.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again (drop (call $get_i64 (i32.const 0) (i32.const 0))) (br $again))
  (i32.const 0))
