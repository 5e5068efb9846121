;; title: asks for validity for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; The cheapest getters, in turn.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again
    (drop (call $validity_word (i32.const 0) (i32.const 7)))
    (drop (call $is_null (i32.const 1) (i32.const 7)))
    (drop (call $window_validity (i32.const 2) (i32.const 1) (i32.const 900) (i32.const 0)))
    (br $again))
  (i32.const 0))
