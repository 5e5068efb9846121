;; title: emits offsets that are their own bytes
;; class: border
;; expect: answered
;; kind: map
;; output: t binary, u binary
;;
;; One place of memory as offsets, bytes and validity of two columns.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $i i32)
  ;; 0, 4, 8, … 4000 at 1024: each value is its own end.
  (loop $more
    (i32.store (i32.add (i32.const 1024) (i32.shl (local.get $i) (i32.const 2))) (i32.shl (local.get $i) (i32.const 2)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $more (i32.le_u (local.get $i) (local.get $rows))))
  (call $is (i32.const 1)
    (call $emit_bytes (i32.const 0) (i32.const 1024) (local.get $rows) (i32.const 1024) (i32.const 4004) (i32.const 0))
    (i32.const 0))
  ;; As validity too, it holds nulls where none may be.
  (call $is (i32.const 2)
    (call $emit_bytes (i32.const 1) (i32.const 1024) (local.get $rows) (i32.const 1024) (i32.const 4004) (i32.const 1024))
    (i32.const -8))
  (call $is (i32.const 3)
    (call $emit_bytes (i32.const 1) (i32.const 1024) (local.get $rows) (i32.const 1024) (i32.const 4004) (i32.const 0))
    (i32.const 0))
  (global.get $wrong))
