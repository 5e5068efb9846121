;; title: looks for what others left behind
;; class: life
;; expect: answered
;;
;; In all the memory that it can get, its table and its globals; in its init, before it wrote anything.
(memory (export "memory") 1)
(table $t 1 funcref)
(global $g (mut i64) (i64.const 0))
(func (export "weir_init_f") (result i32)
  (local $at i32) (local $end i32)
  (loop $more (br_if $more (i32.and (i32.lt_u (memory.size) (i32.const 1024)) (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))))
  (local.set $end (i32.shl (memory.size) (i32.const 16)))
  (loop $next
    (if (v128.any_true (v128.load (local.get $at))) (then (return (i32.const 1))))
    (local.set $at (i32.add (local.get $at) (i32.const 256)))
    (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
  (drop (table.grow $t (ref.null func) (i32.const 50)))
  (local.set $at (i32.const 0))
  (loop $element
    (if (i32.eqz (ref.is_null (table.get $t (local.get $at)))) (then (return (i32.const 2))))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $element (i32.lt_u (local.get $at) (table.size $t))))
  (i32.shl (i64.ne (global.get $g) (i64.const 0)) (i32.const 2)))
(func (export "weir_call_f") (param $rows i32) (result i32) (call $keep_all (i32.const 0) (local.get $rows)))
