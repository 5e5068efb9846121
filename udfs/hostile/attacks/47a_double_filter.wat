;; title: emits its filter twice
;; class: border
;; expect: answered
;;
;; More bits than rows, or bits of a row that was already answered.
(memory (export "memory") 1)
(func (export "weir_call_f") (param $rows i32) (result i32)
  (call $is (i32.const 1) (call $emit_filter (i32.const 0) (i32.add (local.get $rows) (i32.const 1))) (i32.const -5))
  (call $is (i32.const 2) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const 0))
  (call $is (i32.const 3) (call $keep_all (i32.const 0) (local.get $rows)) (i32.const -5))
  (call $is (i32.const 4) (call $emit_filter (i32.const 0) (i32.const 1)) (i32.const -5))
  (call $is (i32.const 5) (call $emit_filter (i32.const 0) (i32.const 0)) (i32.const 0))
  (global.get $wrong))
