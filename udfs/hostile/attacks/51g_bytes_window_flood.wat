;; title: reads text to overlapping places for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; The dearest read there is, with room for all but one value, so that the end is searched for each time.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again
    (drop (call $window_bytes (i32.const 1) (i32.const 0) (local.get $rows) (i32.const 1024) (i32.const 1026) (i32.const 9885)))
    (br $again))
  (i32.const 0))
