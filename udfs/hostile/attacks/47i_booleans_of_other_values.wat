;; title: emits booleans that are 2 and 255
;; class: border
;; expect: answered
;; kind: map
;; output: b bool
;;
;; A byte that is neither 0 nor 1 is undefined as a boolean.
(memory (export "memory") 2)
(data (i32.const 0) "\00\01\02")
(data (i32.const 16) "\ff")
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $emit_column (i32.const 0) (i32.const 0) (i32.const 3) (i32.const 0)) (i32.const -8))
  (call $is (i32.const 2) (call $emit_column (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 0)) (i32.const -8))
  (call $is (i32.const 3) (call $emit_column (i32.const 0) (i32.const 65536) (local.get $rows) (i32.const 0)) (i32.const 0))
  (global.get $wrong))
