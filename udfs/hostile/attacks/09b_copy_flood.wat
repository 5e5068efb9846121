;; title: copies all its memory over itself in a loop
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; As with fill, and twice the work.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $more (br_if $more (i32.and (i32.lt_u (memory.size) (i32.const 1024)) (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (loop $again
    (memory.copy (i32.const 1) (i32.const 0) (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1)))
    (br $again))
  (i32.const 0))
