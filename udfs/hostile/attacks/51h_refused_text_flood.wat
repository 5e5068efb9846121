;; title: emits a megabyte of text that is refused at its last byte, for ever
;; class: cpu
;; expect: ended out_of_fuel deadline
;; kind: map
;; output: t utf8
;;
;; All of it is looked at before it is refused.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $length i32)
  (loop $more (br_if $more (i32.and (i32.lt_u (memory.size) (i32.const 16)) (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (local.set $length (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 1024)))
  (if (i32.gt_u (local.get $length) (i32.const 32768)) (then (local.set $length (i32.const 32768))))
  (memory.fill (i32.const 1024) (i32.const 0x61) (local.get $length))
  (i32.store8 (i32.add (i32.const 1023) (local.get $length)) (i32.const 0xff))
  (i32.store (i32.const 4) (local.get $length))
  (loop $again
    (drop (call $emit_bytes (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1024) (local.get $length) (i32.const 0)))
    (br $again))
  (i32.const 0))
