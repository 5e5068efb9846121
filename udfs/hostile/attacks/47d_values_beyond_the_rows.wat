;; title: emits more values than there are rows
;; class: border
;; expect: answered
;; kind: map
;;
;; Columns of different lengths are no batch.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1)
    (call $emit_column (i32.const 0) (i32.const 0) (i32.add (local.get $rows) (i32.const 1)) (i32.const 0)) (i32.const -5))
  (call $is (i32.const 2) (call $emit_column (i32.const 0) (i32.const 0) (local.get $rows) (i32.const 0)) (i32.const 0))
  (call $is (i32.const 3) (call $emit_column (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0)) (i32.const -5))
  (global.get $wrong))
