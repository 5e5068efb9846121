;; title: hands in bytes that are no text, where the value is null
;; class: border
;; expect: answered
;; kind: map
;; output: t utf8 nullable
;;
;; Nobody reads what stands under a null, until somebody does: a kernel that compares whole columns.
(memory (export "memory") 2)
(data (i32.const 16) "\ff\fe")
(data (i32.const 64) "\00\00\00\00\02\00\00\00")
(data (i32.const 80) "\00")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1)
    (call $emit_bytes (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 16) (i32.const 2) (i32.const 80))
    (i32.const -7))
  (call $is (i32.const 2)
    (call $emit_bytes (i32.const 0) (i32.const 65536) (local.get $rows) (i32.const 0) (i32.const 0) (i32.const 0))
    (i32.const 0))
  (global.get $wrong))
