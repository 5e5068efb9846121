;; title: emits what its kind does not
;; class: border
;; expect: answered
;;
;; A filter that hands in parents and columns, and fails rows that it must not.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $emit_parents (i32.const 0) (i32.const 1)) (i32.const -10))
  (call $is (i32.const 2) (call $emit_column (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)) (i32.const -10))
  (call $is (i32.const 3)
    (call $emit_bytes (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)) (i32.const -10))
  (call $is (i32.const 4) (call $row_error (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 0)) (i32.const -10))
  (call $is (i32.const 5) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (global.get $wrong))
