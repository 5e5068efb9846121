;; title: fills all that it has with canaries, then traps
;; class: life
;; expect: ended unreachable memory_limit
;;
;; A slot of the pool that is not cleared shows them to whoever gets it next.
(memory (export "memory") 1)
(table $t 1 funcref)
(elem declare func $f)
(global $g (mut i64) (i64.const 0))
(func $f (export "weir_call_f") (param $rows i32) (result i32)
  (loop $more (br_if $more (i32.and (i32.lt_u (memory.size) (i32.const 1024)) (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (memory.fill (i32.const 0) (i32.const 0xca) (i32.shl (memory.size) (i32.const 16)))
  (drop (table.grow $t (ref.func $f) (i32.const 50)))
  (table.fill $t (i32.const 0) (ref.func $f) (table.size $t))
  (global.set $g (i64.const 0xcacacacacacacaca))
  (unreachable))
