;; title: makes each row's text as long as it gets
;; class: output
;; expect: ended output_bytes_limit out_of_fuel deadline
;; kind: map
;; output: t utf8
;;
;; Few rows, and bytes without end.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $row i32) (local $length i32)
  (loop $more (br_if $more (i32.and (i32.lt_u (memory.size) (i32.const 32)) (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (local.set $length (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1024)))
  (i32.store (i32.const 4) (local.get $length))
  (loop $again
    (drop (call $emit_bytes (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1024) (local.get $length) (i32.const 0)))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $row) (local.get $rows))))
  (i32.const 0))
