;; title: grows its memory and writes to every page
;; class: memory
;; expect: answered
;;
;; Memory that is only reserved costs nothing. This one is used, up to 64 MiB of it.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $page i32)
  (loop $again
    (i32.store (i32.shl (local.get $page) (i32.const 16)) (i32.const 0x5a5a5a5a))
    (local.set $page (i32.add (local.get $page) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $page) (memory.size)))
    (br_if $again (i32.and
      (i32.lt_u (memory.size) (i32.const 1024))
      (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (call $keep_all (i32.const 0) (local.get $rows)))
