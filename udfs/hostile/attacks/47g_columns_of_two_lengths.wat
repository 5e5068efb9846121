;; title: emits columns of two lengths
;; class: border
;; expect: ended malformed_output
;; kind: filter_map
;; output: o i64, t utf8
;;
;; Arrow panics at such a batch, where nobody looks before.
(memory (export "memory") 2)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (drop (call $keep_all (i32.const 0) (local.get $rows)))
  (drop (call $emit_column (i32.const 0) (i32.const 65536) (local.get $rows) (i32.const 0)))
  (drop (call $emit_bytes (i32.const 1) (i32.const 65536) (i32.sub (local.get $rows) (i32.const 1)) (i32.const 0) (i32.const 0) (i32.const 0)))
  (i32.const 0))
