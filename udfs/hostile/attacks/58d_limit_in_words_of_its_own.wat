;; title: is refused output, and ends with a code of its own
;; class: output
;; expect: ended output_bytes_limit out_of_fuel deadline
;; kind: map
;; output: t utf8
;;
;; The guest's author is told of the limit all the same, and not of a code that hides it.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $row i32) (local $length i32)
  (loop $more (br_if $more (i32.and (i32.lt_u (memory.size) (i32.const 32)) (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (local.set $length (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1024)))
  (i32.store (i32.const 4) (local.get $length))
  (loop $again
    (if (i32.eq (i32.const -9)
          (call $emit_bytes (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1024) (local.get $length) (i32.const 0)))
      (then (return (i32.const 12345))))
    (local.set $row (i32.add (local.get $row) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $row) (local.get $rows))))
  (i32.const 0))
