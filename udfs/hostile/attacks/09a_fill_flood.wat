;; title: fills all its memory in a loop
;; class: cpu
;; expect: ended out_of_fuel deadline
;;
;; One instruction that writes up to 64 MiB: by time alone a guest is stopped after it only.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (loop $more (br_if $more (i32.and (i32.lt_u (memory.size) (i32.const 1024)) (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (loop $again
    (memory.fill (i32.const 0) (i32.const 0xff) (i32.shl (memory.size) (i32.const 16)))
    (br $again))
  (i32.const 0))
