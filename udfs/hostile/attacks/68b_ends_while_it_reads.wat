;; title: is ended while it reads
;; class: life
;; expect: ended out_of_fuel deadline
;; kind: filter_map
;;
;; With a view of the batch open, and half of its output there.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $again
    (drop (call $window_bytes (i32.const 1) (i32.const 0) (i32.const 100) (i32.const 1024) (i32.const 4096) (i32.const 4096)))
    (drop (call $emit_column (i32.const 0) (i32.const 1024) (i32.const 1) (i32.const 0)))
    (br $again))
  (i32.const 0))
