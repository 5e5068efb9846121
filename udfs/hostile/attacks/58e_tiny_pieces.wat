;; title: emits a million pieces of nothing, then its rows one at a time
;; class: output
;; expect: answered
;; kind: flat_map
;; output: o i64, t utf8 nullable
;;
;; What grows with the pieces, and not with the rows, grows without a limit.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (local $i i32)
  (loop $again
    (drop (call $emit_parents (i32.const 0) (i32.const 0)))
    (drop (call $emit_bytes (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 16)))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $again (i32.lt_u (local.get $i) (i32.const 20000))))
  (local.set $i (i32.const 0))
  (loop $row
    (i32.store (i32.const 64) (local.get $i))
    (call $is (i32.const 1) (call $emit_parents (i32.const 64) (i32.const 1)) (i32.const 0))
    (call $is (i32.const 2) (call $emit_column (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 0)) (i32.const 0))
    (call $is (i32.const 3)
      (call $emit_bytes (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 16)) (i32.const 0))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $row (i32.lt_u (local.get $i) (local.get $rows))))
  (global.get $wrong))
